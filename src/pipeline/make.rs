//! Versions: reuse one with the same identity, or make a new one with its manifest and metrics.

use std::sync::Arc;

use chrono::{SubsecRound, Utc};
use datafusion::datasource::TableProvider;
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::LogicalPlan;

use super::execute::{Done, Steps};
use super::identity::Identity;
use super::metrics;
use crate::audit::{
    FileRecord, LineageRecord, MetricRecord, NewVersion, RelationKind, VersionId, VersionRecord,
};
use crate::error::{Error, Result};
use crate::warehouse::{
    Entry, Fingerprint, Input, Manifest, Progress, Relation, WrittenVersion, schema_json,
    write_table,
};

/// A version to be made.
pub(super) struct Making {
    pub(super) relation: Relation,
    pub(super) identity: Identity,
    pub(super) inputs: Vec<Input>,
    /// The version that an `INSERT` continues.
    pub(super) base: Option<VersionRecord>,
    /// The query of a view.
    pub(super) definition: Option<String>,
}

impl Steps<'_> {
    /// Makes a version of a table or view, or reuses one with the same identity.
    pub(super) async fn make(
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
            return Ok(Done { reason, ..Done::default() });
        }
        let manifest = match making.definition.is_some() {
            true => self.new_view(&making, &rows),
            false => self.new_table(&making, rows, progress).await?,
        };
        let digest = manifest.write(self.catalog.store()).await?;
        let Manifest { version, files, inputs, .. } = manifest;
        self.catalog.stage_version(version.clone(), &files)?;
        self.change(making.relation.clone(), Some(version.id.clone()));
        let metrics = self.metrics(&making.relation, &version, &inputs).await?;
        let done = Done { metrics, ..Done::of(&version, reason) };
        Ok(Done { new: Some(NewVersion { version, files, inputs, manifest: digest }), ..done })
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
            let found = self.catalog.store().find(&file.path).await?;
            if found.is_some_and(|meta| meta.size == file.size.unsigned_abs()) {
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
        let unchanged = self.published.get(&relation) == Some(&version.id);
        let reason = match unchanged {
            true => "unchanged".to_owned(),
            false => format!("made by run {}", version.run),
        };
        self.catalog.stage_version(version.clone(), &files)?;
        self.change(relation, Some(version.id.clone()));
        Ok(Done { reused: true, ..Done::of(&version, reason) })
    }

    /// Why a version has to be made.
    async fn why(&self, making: &Making) -> Result<String> {
        if self.force {
            return Ok("--force".into());
        }
        if let Err(reason) = &making.identity.hash {
            return Ok(reason.clone());
        }
        if making.base.is_some() {
            return Ok("appends".into());
        }
        // What is published now, or what an earlier run made and could not publish.
        let current = self.catalog.entry(&making.relation).and_then(|e| e.version().cloned());
        let previous = match current {
            Some(version) => Some(version),
            None => self.catalog.audit().previous_version(&making.relation.to_string()).await?,
        };
        let Some(previous) = previous else {
            return Ok("first version".into());
        };
        Ok(match Manifest::read(self.catalog.store(), &previous.id).await {
            Ok(manifest) => making.identity.difference(&making.inputs, &manifest),
            Err(_) => "its earlier version is gone".into(),
        })
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
        let written =
            write_table(store, &id, plan, self.ctx.task_ctx(), continues, Arc::clone(progress));
        let WrittenVersion { schema, files: new, fingerprint } = written.await?;
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
        self.manifest(making, self.new_version_id(&making.relation), schema, vec![], fingerprint)
    }

    fn new_version_id(&self, relation: &Relation) -> VersionId {
        let now = Utc::now().format("%Y%m%dT%H%M%S%6fZ");
        let (_, short) = self.run.as_str().rsplit_once('-').unwrap_or(("", self.run.as_str()));
        VersionId::new(format!("{}/{}/{now}-{short}", relation.layer.name(), relation.name))
    }

    fn manifest(
        &self,
        making: &Making,
        id: VersionId,
        schema: String,
        files: Vec<FileRecord>,
        fingerprint: Fingerprint,
    ) -> Manifest {
        let continued = making.base.iter().map(LineageRecord::version);
        let inputs = making.inputs.iter().flat_map(|input| input.lineage.iter().cloned());
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
                identity: making.identity.hash.clone().unwrap_or_else(|_| self.run.to_string()),
                run: self.run.clone(),
                // As the record keeps it.
                created: Utc::now().trunc_subsecs(6),
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
}
