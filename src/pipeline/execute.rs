//! One step: find its identity, reuse an earlier result or make a new one, record it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::Int64Type;
use datafusion::datasource::TableProvider;
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use futures::StreamExt;

use super::identity::Identity;
use super::observer::{Observer, StepOutlook, StepSummary};
use super::params::Bound;
use super::plan::{self, Action, Assertion};
use super::script::Statement;
use super::{diagnose, identity, metrics, select};
use crate::audit::{
    CheckRecord, FileRecord, InputKind, LineageRecord, MetricRecord, NewVersion, RelationKind,
    RunId, StepOutcome, StepRecord, StepState, VersionId, VersionRecord,
};
use crate::error::{Error, ErrorKind, Result};
use crate::warehouse::{
    Catalog, Entry, Fingerprint, Input, Manifest, Progress, Relation, WrittenVersion, schema_json,
    write_table,
};

/// Rows of a `SELECT` in a script that are shown.
const SHOWN_ROWS: usize = 100;

/// The steps of one run, in progress.
pub(super) struct Steps<'a> {
    pub(super) run: &'a RunId,
    pub(super) ctx: SessionContext,
    pub(super) catalog: Catalog,
    pub(super) observer: &'a dyn Observer,
    pub(super) force: bool,
    pub(super) dry_run: bool,
    /// What the publish will do.
    pub(super) changes: BTreeMap<Relation, Option<VersionId>>,
    /// `SET` statements so far: they are part of the identities after them.
    settings: Vec<String>,
}

/// What a step did.
#[derive(Default)]
struct Done {
    reused: bool,
    reason: String,
    rows: Option<i64>,
    bytes: Option<i64>,
    version: Option<VersionId>,
    new: Option<NewVersion>,
    check: Option<CheckRecord>,
    metrics: Vec<MetricRecord>,
    /// An assertion that does not hold: recorded, then returned.
    refused: Option<Error>,
}

impl<'a> Steps<'a> {
    pub(super) fn new(
        run: &'a RunId,
        ctx: SessionContext,
        catalog: Catalog,
        observer: &'a dyn Observer,
        (force, dry_run): (bool, bool),
    ) -> Self {
        Self {
            run,
            ctx,
            catalog,
            observer,
            force,
            dry_run,
            changes: BTreeMap::new(),
            settings: vec![],
        }
    }

    /// Runs one statement and records it, also where it fails.
    pub(super) async fn run(
        &mut self,
        statement: &Statement,
        bound: &Bound,
        outlook: StepOutlook,
    ) -> Result<StepSummary> {
        let progress = Arc::new(Progress::default());
        self.observer.step_started(&outlook, Arc::clone(&progress));
        let mut record = self.record(statement, &outlook);
        let clock = Instant::now();
        let mut done = match self.perform(statement, bound, &progress, &mut record).await {
            Ok(done) => done,
            Err(error) => Done {
                refused: Some(self.explain(error, statement).await),
                ..Done::default()
            },
        };
        record.finished = Utc::now();
        record.state = match (&done.refused, done.reused) {
            (Some(_), _) => StepState::Failed,
            (None, true) => StepState::Reused,
            (None, false) => StepState::Ran,
        };
        let refused = done.refused.take();
        record.error = refused.as_ref().map(Error::report);
        let summary = self.finish(record, outlook, done, clock.elapsed()).await?;
        match refused {
            Some(error) => Err(error),
            None => Ok(summary),
        }
    }

    /// Records that a statement did not run because of an earlier failure.
    pub(super) async fn skip(&self, statement: &Statement, outlook: StepOutlook) -> Result<()> {
        let mut record = self.record(statement, &outlook);
        record.state = StepState::Skipped;
        record.relation = select::target(&statement.ast);
        let done = Done {
            reason: "an earlier step failed".into(),
            ..Done::default()
        };
        self.finish(record, outlook, done, Duration::ZERO).await?;
        Ok(())
    }

    fn record(&self, statement: &Statement, outlook: &StepOutlook) -> StepRecord {
        let now = Utc::now();
        StepRecord {
            run: self.run.clone(),
            ordinal: outlook.ordinal as i64,
            phase: statement.phase.clone(),
            file: statement.file.clone(),
            line: statement.line as i64,
            kind: "other".into(),
            relation: None,
            sql: statement.sql.clone(),
            sql_hash: identity::sql_hash(statement),
            identity: None,
            state: StepState::Failed,
            reason: String::new(),
            rows: None,
            bytes: None,
            started: now,
            finished: now,
            error: None,
            version: None,
        }
    }

    async fn finish(
        &self,
        mut record: StepRecord,
        outlook: StepOutlook,
        done: Done,
        elapsed: Duration,
    ) -> Result<StepSummary> {
        let Done {
            reason,
            rows,
            bytes,
            version,
            new,
            check,
            metrics,
            ..
        } = done;
        let state = record.state;
        let summary = StepSummary {
            outlook,
            state,
            reason: reason.clone(),
            rows,
            bytes,
            elapsed,
        };
        (record.reason, record.rows, record.bytes, record.version) = (reason, rows, bytes, version);
        if !self.dry_run {
            let outcome = StepOutcome {
                step: record,
                version: new,
                check,
                metrics,
            };
            self.catalog.audit().record_step(&outcome).await?;
        }
        self.observer.step_finished(&summary);
        Ok(summary)
    }

    /// Plans the statement and does what it says.
    async fn perform(
        &mut self,
        statement: &Statement,
        bound: &Bound,
        progress: &Arc<Progress>,
        record: &mut StepRecord,
    ) -> DataFusionResult<Done> {
        let state = self.ctx.state();
        let action = plan::plan(bound.ast.clone(), &state, &self.catalog).await?;
        record.kind = action.kind().into();
        record.relation = action.relation().map(Relation::to_string);
        let inputs = self
            .catalog
            .inputs(plan::reads(&bound.ast, &state)?)
            .await?;
        let base = match &action {
            Action::Insert { relation, .. } => self.catalog.entry(relation),
            _ => None,
        };
        let base = base.as_ref().and_then(Entry::version);
        let identity = Identity::new(
            statement,
            bound,
            action.rows(),
            &inputs,
            base,
            &self.settings,
        )?;
        record.identity = identity.hash.clone().ok();
        match action {
            Action::CreateTable { relation, rows } => {
                let making = Making {
                    relation,
                    identity,
                    inputs,
                    base: None,
                    definition: None,
                };
                self.make(making, rows, progress).await
            }
            Action::Insert { relation, rows } => {
                let base = base.cloned();
                let making = Making {
                    relation,
                    identity,
                    inputs,
                    base,
                    definition: None,
                };
                self.make(making, rows, progress).await
            }
            Action::CreateView {
                relation,
                definition,
                rows,
            } => {
                let definition = Some(definition);
                let making = Making {
                    relation,
                    identity,
                    inputs,
                    base: None,
                    definition,
                };
                self.make(making, rows, progress).await
            }
            Action::Drop { relation } => {
                self.catalog.stage(relation.clone(), None);
                self.changes.insert(relation, None);
                Ok(Done {
                    reason: "dropped".into(),
                    ..Done::default()
                })
            }
            Action::Nothing { reason } => Ok(Done {
                reason: reason.into(),
                ..Done::default()
            }),
            Action::Assert(assertion) => self.assert(assertion, &identity).await,
            Action::Session(plan) => {
                self.ctx.execute_logical_plan(plan).await?;
                self.settings.push(bound.ast.to_string());
                Ok(Done {
                    reason: "session statement".into(),
                    ..Done::default()
                })
            }
            Action::Query(_) | Action::Copy(_) if self.dry_run => Ok(Done {
                reason: "always runs".into(),
                ..Done::default()
            }),
            Action::Query(plan) => {
                let total = self.show(plan, progress).await?;
                Ok(Done {
                    reason: "always runs".into(),
                    rows: Some(total as i64),
                    ..Done::default()
                })
            }
            Action::Copy(plan) => {
                let counted = self.ctx.execute_logical_plan(plan).await?.collect().await?;
                let rows = counted.first().map(|batch| {
                    batch
                        .column(0)
                        .as_primitive::<datafusion::arrow::datatypes::UInt64Type>()
                        .value(0)
                });
                let rows = rows.map(|rows| rows as i64);
                Ok(Done {
                    reason: "always runs".into(),
                    rows,
                    ..Done::default()
                })
            }
        }
    }

    /// Makes a version of a table or view, or reuses one with the same identity.
    async fn make(
        &mut self,
        making: Making,
        rows: LogicalPlan,
        progress: &Arc<Progress>,
    ) -> DataFusionResult<Done> {
        if !self.force
            && let Ok(identity) = &making.identity.hash
            && let Some(version) = self.reusable(&making.relation, identity).await?
        {
            return self.reuse(making.relation, version).await;
        }
        let reason = self.why(&making).await?;
        if self.dry_run {
            let entry = match making.definition {
                Some(definition) => Entry::PlannedView(definition),
                None => Entry::PlannedTable(Arc::clone(rows.schema().inner())),
            };
            self.catalog.stage(making.relation, Some(entry));
            return Ok(Done {
                reason,
                ..Done::default()
            });
        }
        let manifest = match making.definition.is_some() {
            true => self.new_view(&making, &rows),
            false => self.new_table(&making, rows, progress).await?,
        };
        manifest.write(self.catalog.store()).await?;
        let Manifest {
            version,
            files,
            inputs,
            ..
        } = manifest;
        self.catalog.stage_version(version.clone(), &files)?;
        self.changes
            .insert(making.relation.clone(), Some(version.id.clone()));
        let metrics = self.metrics(&making.relation, &version, &inputs).await?;
        let is_table = version.kind == RelationKind::Table;
        Ok(Done {
            reason,
            rows: is_table.then_some(version.rows),
            bytes: is_table.then_some(version.bytes),
            version: Some(version.id.clone()),
            new: Some(NewVersion {
                version,
                files,
                inputs,
            }),
            metrics,
            ..Done::default()
        })
    }

    /// The newest version with an identity whose files are all still there.
    async fn reusable(
        &self,
        relation: &Relation,
        identity: &str,
    ) -> Result<Option<(VersionRecord, Vec<FileRecord>)>> {
        let audit = self.catalog.audit();
        let Some(version) = audit.find_version(&relation.to_string(), identity).await? else {
            return Ok(None);
        };
        let files = audit.files(&version.id).await?;
        for file in &files {
            let found = self.catalog.store().head(&file.path).await;
            if found.is_ok_and(|meta| meta.size == file.size.unsigned_abs()) {
                continue;
            }
            tracing::warn!(version = %version.id, file = file.path, "gone or changed, not reused");
            return Ok(None);
        }
        Ok(Some((version, files)))
    }

    async fn reuse(
        &mut self,
        relation: Relation,
        (version, files): (VersionRecord, Vec<FileRecord>),
    ) -> DataFusionResult<Done> {
        let current = self.catalog.entry(&relation);
        let is_current = current.and_then(|e| e.version().map(|v| v.id == version.id));
        if is_current != Some(true) {
            self.catalog.stage_version(version.clone(), &files)?;
            self.changes.insert(relation, Some(version.id.clone()));
        }
        let reason = match version.run == *self.run || is_current == Some(true) {
            true => "unchanged".to_owned(),
            false => format!("made by run {}", version.run),
        };
        let is_table = version.kind == RelationKind::Table;
        Ok(Done {
            reused: true,
            reason,
            rows: is_table.then_some(version.rows),
            bytes: is_table.then_some(version.bytes),
            version: Some(version.id),
            ..Done::default()
        })
    }

    /// Why a version has to be made.
    async fn why(&self, making: &Making) -> Result<String> {
        if self.force {
            return Ok("--force".into());
        }
        if let Err(reason) = &making.identity.hash {
            return Ok(reason.clone());
        }
        // What is published now, or what an earlier run made and could not publish.
        let current = self
            .catalog
            .entry(&making.relation)
            .and_then(|e| e.version().cloned());
        let previous = match current {
            Some(version) => Some(version),
            None => {
                self.catalog
                    .audit()
                    .previous_version(&making.relation.to_string())
                    .await?
            }
        };
        let Some(previous) = previous else {
            return Ok("first version".into());
        };
        Ok(
            match Manifest::read(self.catalog.store(), &previous.id).await {
                Ok(manifest) => making.identity.difference(&making.inputs, &manifest),
                Err(_) => "its earlier version is gone".into(),
            },
        )
    }

    async fn new_table(
        &self,
        making: &Making,
        rows: LogicalPlan,
        progress: &Arc<Progress>,
    ) -> DataFusionResult<Manifest> {
        let plan = self.ctx.state().create_physical_plan(&rows).await?;
        let id = self.new_version_id(&making.relation);
        let continues = match &making.base {
            Some(base) => Some(Fingerprint::parse(&base.fingerprint).ok_or_else(|| {
                Error::internal(format!("the fingerprint of {} is not readable", base.id))
            })?),
            None => None,
        };
        let store = self.catalog.store();
        let written = write_table(
            store,
            &id,
            plan,
            self.ctx.task_ctx(),
            continues,
            Arc::clone(progress),
        );
        let WrittenVersion {
            schema,
            files: new,
            fingerprint,
        } = written.await?;
        let mut files = match &making.base {
            Some(base) => self.catalog.audit().files(&base.id).await?,
            None => vec![],
        };
        files.extend(new);
        let schema = match &making.base {
            Some(base) => base.schema.clone(),
            None => schema_json(&schema),
        };
        Ok(self.manifest(making, id, schema, files, fingerprint))
    }

    fn new_view(&self, making: &Making, rows: &LogicalPlan) -> Manifest {
        let definition = making.definition.as_deref().unwrap_or_default();
        let fingerprint = Fingerprint::of_text(definition);
        let schema = schema_json(rows.schema().as_arrow());
        self.manifest(
            making,
            self.new_version_id(&making.relation),
            schema,
            vec![],
            fingerprint,
        )
    }

    fn new_version_id(&self, relation: &Relation) -> VersionId {
        let now = Utc::now().format("%Y%m%dT%H%M%S%6fZ");
        let (_, short) = self
            .run
            .as_str()
            .rsplit_once('-')
            .unwrap_or(("", self.run.as_str()));
        VersionId::new(format!(
            "{}/{}/{now}-{short}",
            relation.layer.name(),
            relation.name
        ))
    }

    fn manifest(
        &self,
        making: &Making,
        id: VersionId,
        schema: String,
        files: Vec<FileRecord>,
        fingerprint: Fingerprint,
    ) -> Manifest {
        let continued = making.base.iter().map(|base| LineageRecord {
            relation: base.relation.clone(),
            kind: InputKind::Version,
            source: base.id.to_string(),
            fingerprint: Some(base.fingerprint.clone()),
            size: None,
            etag: None,
            modified: None,
        });
        let inputs = making
            .inputs
            .iter()
            .flat_map(|input| input.lineage.iter().cloned());
        Manifest {
            version: VersionRecord {
                id,
                relation: making.relation.to_string(),
                kind: match making.definition {
                    Some(_) => RelationKind::View,
                    None => RelationKind::Table,
                },
                definition: making.definition.clone(),
                rows: files.iter().map(|file| file.rows).sum(),
                bytes: files.iter().map(|file| file.size).sum(),
                schema,
                fingerprint: fingerprint.to_string(),
                // What cannot be reused has an identity that nothing else has.
                identity: making
                    .identity
                    .hash
                    .clone()
                    .unwrap_or_else(|_| self.run.to_string()),
                run: self.run.clone(),
                created: Utc::now(),
            },
            files,
            inputs: continued.chain(inputs).collect(),
            step: making.identity.step.clone(),
        }
    }

    async fn metrics(
        &self,
        relation: &Relation,
        version: &VersionRecord,
        inputs: &[LineageRecord],
    ) -> DataFusionResult<Vec<MetricRecord>> {
        let Some(Entry::Table(_, table)) = self.catalog.entry(relation) else {
            return Ok(vec![]);
        };
        if !metrics::is_metrics(relation, &table.schema()) {
            return Ok(vec![]);
        }
        let values = metrics::read(&self.ctx, table).await?;
        let models = metrics::models_behind(self.catalog.audit(), inputs).await?;
        Ok(metrics::records(version, &values, &models))
    }

    async fn assert(&self, assertion: Assertion, identity: &Identity) -> DataFusionResult<Done> {
        if let (Ok(hash), false) = (&identity.hash, self.force)
            && self.catalog.audit().find_passed_check(hash).await?
        {
            return Ok(Done {
                reused: true,
                reason: "unchanged".into(),
                ..Done::default()
            });
        }
        if self.dry_run {
            return Ok(Done {
                reason: "not yet checked on this data".into(),
                ..Done::default()
            });
        }
        let passed = self
            .ctx
            .execute_logical_plan(assertion.plan)
            .await?
            .collect()
            .await?;
        // NULL is not true: what cannot be decided has not been shown.
        let passed = passed
            .iter()
            .any(|batch| batch.column(0).as_boolean().iter().next().flatten() == Some(true));
        let offending = match (passed, assertion.offending) {
            (false, Some(count)) => self.count(count).await?,
            (true, Some(_)) => Some(0),
            (_, None) => None,
        };
        let refused = (!passed).then(|| {
            let error = Error::new(
                ErrorKind::AssertionFailed,
                format!("assertion failed: {}", assertion.message),
            );
            let error = error.with_context("condition", assertion.condition.clone());
            match offending {
                Some(rows) => error.with_context("offending rows", rows.to_string()),
                None => error,
            }
        });
        let check = CheckRecord {
            condition: assertion.condition,
            message: assertion.message,
            passed,
            offending,
        };
        Ok(Done {
            reason: if passed { "holds" } else { "does not hold" }.into(),
            check: Some(check),
            refused,
            ..Done::default()
        })
    }

    async fn count(&self, plan: LogicalPlan) -> DataFusionResult<Option<i64>> {
        let batches = self.ctx.execute_logical_plan(plan).await?.collect().await?;
        let count = batches.iter().find_map(|batch| {
            batch
                .column(0)
                .as_primitive_opt::<Int64Type>()?
                .iter()
                .next()
                .flatten()
        });
        Ok(count)
    }

    /// Runs a `SELECT`; its first rows are shown, all are counted.
    async fn show(&self, plan: LogicalPlan, progress: &Progress) -> DataFusionResult<usize> {
        let mut stream = self
            .ctx
            .execute_logical_plan(plan)
            .await?
            .execute_stream()
            .await?;
        let mut shown = vec![RecordBatch::new_empty(stream.schema())];
        let mut total = 0;
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            let room = SHOWN_ROWS.saturating_sub(total).min(batch.num_rows());
            if room > 0 {
                shown.push(batch.slice(0, room));
            }
            total += batch.num_rows();
            progress.add(batch.num_rows());
        }
        self.observer.rows(&shown, total);
        Ok(total)
    }

    /// The error as the user sees it: malformed rows by file and line, the rest by script and line.
    async fn explain(&self, error: DataFusionError, statement: &Statement) -> Error {
        let names = self.catalog.readable_names();
        let in_data = matches!(error.find_root(), DataFusionError::ArrowError(..));
        let error = diagnose::explain(error, statement, &names);
        let malformed = match in_data {
            true => self.catalog.find_malformed_row().await,
            false => None,
        };
        match malformed {
            Some(malformed) => {
                malformed.with_context("read by", format!("{}:{}", statement.file, statement.line))
            }
            None => error,
        }
    }
}

/// A version to be made.
struct Making {
    relation: Relation,
    identity: Identity,
    inputs: Vec<Input>,
    /// The version that an `INSERT` continues.
    base: Option<VersionRecord>,
    /// The query of a view.
    definition: Option<String>,
}
