//! One step: find its identity, reuse an earlier result or make a new one, record it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::{Int64Type, UInt64Type};
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use futures::StreamExt;

use super::assertion::Assertion;
use super::identity::Identity;
use super::make::Making;
use super::observer::{Observer, StepOutlook, StepSummary};
use super::params::Bound;
use super::plan::{self, Action};
use super::script::Statement;
use super::{diagnose, identity, select};
use crate::audit::{
    Change, CheckRecord, MetricRecord, NewVersion, RelationKind, RunId, StepOutcome, StepRecord,
    StepState, VersionId, VersionRecord,
};
use crate::error::{Error, ErrorKind, Result};
use crate::warehouse::{Catalog, Entry, Progress, Relation};

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
    /// What was published when the run began.
    pub(super) published: BTreeMap<Relation, VersionId>,
    /// What the publish will do.
    changes: BTreeMap<Relation, Option<VersionId>>,
    /// `SET` statements so far: they are part of the identities after them.
    settings: Vec<String>,
}

/// What a step did.
#[derive(Default)]
pub(super) struct Done {
    pub(super) reused: bool,
    pub(super) reason: String,
    pub(super) rows: Option<i64>,
    pub(super) bytes: Option<i64>,
    pub(super) version: Option<VersionId>,
    pub(super) new: Option<NewVersion>,
    pub(super) check: Option<CheckRecord>,
    pub(super) metrics: Vec<MetricRecord>,
    /// An assertion that does not hold: recorded, then returned.
    pub(super) refused: Option<Error>,
}

impl Done {
    /// A step that made a version or reused it.
    pub(super) fn of(version: &VersionRecord, reason: String) -> Self {
        let is_table = version.kind == RelationKind::Table;
        Self {
            reason,
            rows: is_table.then_some(version.rows),
            bytes: is_table.then_some(version.bytes),
            version: Some(version.id.clone()),
            ..Self::default()
        }
    }
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
            published: catalog.versions(),
            catalog,
            observer,
            force,
            dry_run,
            changes: BTreeMap::new(),
            settings: vec![],
        }
    }

    /// Stages what becomes of a relation.
    pub(super) fn change(&mut self, relation: Relation, version: Option<VersionId>) {
        self.changes.insert(relation, version);
    }

    /// What differs from what was published when the run began.
    pub(super) fn into_changes(self) -> Vec<Change> {
        let Self { changes, published, .. } = self;
        let differs = |(relation, version): &(Relation, Option<VersionId>)| {
            published.get(relation) != version.as_ref()
        };
        let change =
            |(relation, version): (Relation, _)| Change { relation: relation.to_string(), version };
        changes.into_iter().filter(differs).map(change).collect()
    }

    /// Runs one statement and records it, also where it fails.
    pub(super) async fn run(
        &mut self,
        statement: &Statement,
        bound: &Bound,
        outlook: StepOutlook,
    ) -> Result<()> {
        let progress = Arc::new(Progress::default());
        self.observer.step_started(&outlook, Arc::clone(&progress));
        let mut record = self.record(statement, &outlook);
        let clock = Instant::now();
        let mut done = match self.perform(statement, bound, &progress, &mut record).await {
            Ok(done) => done,
            Err(error) => {
                Done { refused: Some(self.explain(error, statement).await), ..Done::default() }
            }
        };
        record.finished = Utc::now();
        record.state = match (&done.refused, done.reused) {
            (Some(_), _) => StepState::Failed,
            (None, true) => StepState::Reused,
            (None, false) => StepState::Ran,
        };
        let refused = done.refused.take();
        record.error = refused.as_ref().map(Error::report);
        let recorded = self.finish(record, outlook, done, clock.elapsed()).await;
        match (refused, recorded) {
            (None, recorded) => recorded,
            (Some(error), recorded) => {
                // What made the step fail may keep it from being recorded: a full disk.
                if let Err(second) = recorded {
                    tracing::error!(error = %second, "the failed step could not be recorded");
                }
                Err(error)
            }
        }
    }

    /// Records that a statement did not run because of an earlier failure.
    pub(super) async fn skip(&self, statement: &Statement, outlook: StepOutlook) -> Result<()> {
        let mut record = self.record(statement, &outlook);
        record.state = StepState::Skipped;
        record.relation = select::target(&statement.ast);
        let done = Done { reason: "an earlier step failed".into(), ..Done::default() };
        self.finish(record, outlook, done, Duration::ZERO).await
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
    ) -> Result<()> {
        let Done { reason, rows, bytes, version, new, check, metrics, .. } = done;
        let state = record.state;
        let summary = StepSummary { outlook, state, reason: reason.clone(), rows, bytes, elapsed };
        (record.reason, record.rows, record.bytes, record.version) = (reason, rows, bytes, version);
        if !self.dry_run {
            let outcome = StepOutcome { step: record, version: new, check, metrics };
            self.catalog.audit().record_step(&outcome).await?;
        }
        self.observer.step_finished(&summary);
        Ok(())
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
        let inputs = self.catalog.inputs(plan::reads(&bound.ast, &state)?).await?;
        let base = match &action {
            Action::Insert { relation, .. } => self.catalog.entry(relation),
            _ => None,
        };
        let base = base.as_ref().and_then(Entry::version);
        let identity =
            Identity::new(statement, bound, action.rows(), &inputs, base, &self.settings)?;
        record.identity = identity.hash.clone().ok();
        let base = base.cloned();
        let read = inputs.clone();
        let making =
            |relation, base, definition| Making { relation, identity, inputs, base, definition };
        let done = match action {
            Action::CreateTable { relation, rows } => {
                self.make(making(relation, None, None), rows, progress).await
            }
            Action::Insert { relation, rows } => {
                self.make(making(relation, base, None), rows, progress).await
            }
            Action::CreateView { relation, definition, rows } => {
                self.make(making(relation, None, Some(definition)), rows, progress).await
            }
            Action::Drop { relation } => {
                self.catalog.stage(relation.clone(), None);
                self.change(relation, None);
                Ok(Done { reason: "dropped".into(), ..Done::default() })
            }
            Action::Nothing { reason } => Ok(Done { reason: reason.into(), ..Done::default() }),
            Action::Assert(assertion) => self.assert(assertion, record.identity.as_deref()).await,
            Action::Session(plan) => {
                self.ctx.execute_logical_plan(plan).await?;
                self.settings.push(bound.ast.to_string());
                Ok(Done { reason: "session statement".into(), ..Done::default() })
            }
            Action::Query(_) | Action::Copy(_) if self.dry_run => {
                Ok(Done { reason: "always runs".into(), ..Done::default() })
            }
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
                let rows = counted
                    .first()
                    .map(|batch| batch.column(0).as_primitive::<UInt64Type>().value(0));
                let rows = rows.map(|rows| rows as i64);
                Ok(Done { reason: "always runs".into(), rows, ..Done::default() })
            }
        }?;
        if !self.dry_run {
            self.catalog.refuse_changed_sources(&read).await?;
        }
        Ok(done)
    }

    async fn assert(&self, assertion: Assertion, identity: Option<&str>) -> DataFusionResult<Done> {
        if let (Some(identity), false) = (identity, self.force)
            && self.catalog.audit().find_passed_check(identity).await?
        {
            return Ok(Done { reused: true, reason: "unchanged".into(), ..Done::default() });
        }
        if self.dry_run {
            return Ok(Done { reason: "not yet checked on this data".into(), ..Done::default() });
        }
        let passed = self.ctx.execute_logical_plan(assertion.plan).await?.collect().await?;
        let passed = passed.iter().any(|batch| batch.num_rows() > 0);
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
            batch.column(0).as_primitive_opt::<Int64Type>()?.iter().next().flatten()
        });
        Ok(count)
    }

    /// Runs a `SELECT`; its first rows are shown, all are counted.
    async fn show(&self, plan: LogicalPlan, progress: &Progress) -> DataFusionResult<usize> {
        let mut stream = self.ctx.execute_logical_plan(plan).await?.execute_stream().await?;
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
