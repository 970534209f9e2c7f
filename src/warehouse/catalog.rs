//! The DataFusion catalog: layers as one consistent snapshot of the published versions, with the
//! changes of this run staged on top; sources as `landing`; the audit store as `audit`.
//!
//! Views are planned when they are looked up, so they always see the newest staged tables.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, OnceLock, Weak};

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider, TableProvider};
use datafusion::common::TableReference;
use datafusion::datasource::ViewTable;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::SessionState;
use datafusion::prelude::SessionContext;
use parking_lot::{Mutex, RwLock};

use super::audit_tables::AuditTables;
use super::inputs::{self, Input};
use super::landing::{Landing, OpenSource};
use super::malformed;
use super::relation::Relation;
use super::schema;
use super::store::Store;
use super::table::VersionTable;
use crate::audit::{AuditStore, FileRecord, RelationKind, RunId, VersionId, VersionRecord};
use crate::config::SourceSettings;
use crate::error::{Error, Result};

/// Name of the catalog in a session.
pub(crate) const CATALOG: &str = "pipeline";
/// Schema of the sources.
pub(crate) const LANDING: &str = "landing";
/// Schema of the audit store.
pub(super) const AUDIT: &str = "audit";

/// What a name in a layer stands for.
#[derive(Debug, Clone)]
pub enum Entry {
    /// A version of a table.
    Table(VersionRecord, Arc<VersionTable>),
    /// A version of a view.
    View(VersionRecord),
    /// A table that a check knows only by its schema.
    PlannedTable(SchemaRef),
    /// A view that a check has seen.
    PlannedView(String),
}

impl Entry {
    /// Whether it is a table or a view.
    pub fn kind(&self) -> RelationKind {
        match self {
            Self::Table(..) | Self::PlannedTable(_) => RelationKind::Table,
            Self::View(_) | Self::PlannedView(_) => RelationKind::View,
        }
    }

    /// Its version, where it has one.
    pub fn version(&self) -> Option<&VersionRecord> {
        match self {
            Self::Table(version, _) | Self::View(version) => Some(version),
            Self::PlannedTable(_) | Self::PlannedView(_) => None,
        }
    }

    /// The query of a view.
    pub(super) fn definition(&self) -> Option<&str> {
        match self {
            Self::View(version) => version.definition.as_deref(),
            Self::PlannedView(definition) => Some(definition),
            Self::Table(..) | Self::PlannedTable(_) => None,
        }
    }
}

/// The catalog of one session. Clones share it.
#[derive(Debug, Clone)]
pub struct Catalog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Store,
    audit: AuditStore,
    landing: Landing,
    entries: RwLock<BTreeMap<Relation, Entry>>,
    opened: Mutex<HashMap<String, Arc<OpenSource>>>,
    /// Tables made by `CREATE EXTERNAL TABLE landing.NAME`.
    external: MemorySchemaProvider,
    /// Plans views and reads sources. Weak, because the session owns the catalog.
    session: OnceLock<Weak<RwLock<SessionState>>>,
}

impl Catalog {
    /// A snapshot of what is published now.
    pub async fn load(store: Store, audit: AuditStore, landing: Landing) -> Result<Self> {
        let entries = entries(&store, &audit, audit.current().await?).await?;
        Ok(Self(Arc::new(Shared {
            store,
            audit,
            landing,
            entries: RwLock::new(entries),
            opened: Mutex::default(),
            external: MemorySchemaProvider::new(),
            session: OnceLock::new(),
        })))
    }

    /// Puts what was published when a run had ended in the place of all relations.
    pub async fn return_to(&self, run: &RunId) -> Result<()> {
        let Shared { store, audit, .. } = self.0.as_ref();
        let past = entries(store, audit, audit.current_after(run).await?).await?;
        *self.0.entries.write() = past;
        Ok(())
    }

    /// Makes it the catalog of a session.
    pub fn register(&self, ctx: &SessionContext) {
        // A second registration would be a second session with one catalog; the first stays.
        let _ = self.0.session.set(ctx.state_weak_ref());
        ctx.register_catalog(CATALOG, Arc::new(self.clone()));
    }

    /// The warehouse.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// The audit store.
    pub fn audit(&self) -> &AuditStore {
        &self.0.audit
    }

    /// The sources.
    pub fn landing(&self) -> &Landing {
        &self.0.landing
    }

    /// What a relation stands for now, staged changes included.
    pub fn entry(&self, relation: &Relation) -> Option<Entry> {
        self.0.entries.read().get(relation).cloned()
    }

    /// Stages a change for the later statements of this session; `None` drops the relation.
    pub fn stage(&self, relation: Relation, entry: Option<Entry>) {
        let mut entries = self.0.entries.write();
        match entry {
            Some(entry) => entries.insert(relation, entry),
            None => entries.remove(&relation),
        };
    }

    /// Stages a version with its files.
    pub fn stage_version(&self, version: VersionRecord, files: &[FileRecord]) -> Result<()> {
        let relation = Relation::parse(&version.relation)
            .ok_or_else(|| Error::internal(format!("`{}` is no relation", version.relation)))?;
        let entry = entry(&self.0.store, version, files)?;
        self.stage(relation, Some(entry));
        Ok(())
    }

    /// A copy for another session: what is staged there is not staged here. Sources that were
    /// opened stay as they were listed.
    pub fn fork(&self) -> Self {
        Self(Arc::new(Shared {
            store: self.0.store.clone(),
            audit: self.0.audit.clone(),
            landing: self.0.landing.clone(),
            entries: RwLock::new(self.0.entries.read().clone()),
            opened: Mutex::new(self.0.opened.lock().clone()),
            external: MemorySchemaProvider::new(),
            session: OnceLock::new(),
        }))
    }

    /// The version behind each name, where it has one.
    pub fn versions(&self) -> BTreeMap<Relation, VersionId> {
        let entries = self.0.entries.read();
        let version = |(relation, entry): (&Relation, &Entry)| {
            Some((relation.clone(), entry.version()?.id.clone()))
        };
        entries.iter().filter_map(version).collect()
    }

    /// An error where a view that reads one of some relations, through others or not, cannot be
    /// planned any more.
    pub async fn refuse_broken_views(&self, written: &BTreeSet<Relation>) -> DataFusionResult<()> {
        let state = self.session_state()?;
        let mut affected = written.clone();
        let mut views = vec![];
        for (relation, entry) in self.0.entries.read().iter() {
            if let Some(definition) = entry.definition() {
                let reads = inputs::references(definition, &state)?;
                let reads: Vec<_> = reads.iter().filter_map(Relation::of).collect();
                views.push((relation.clone(), definition.to_owned(), reads));
            }
        }
        while let Some(at) =
            views.iter().position(|(_, _, r)| r.iter().any(|r| affected.contains(r)))
        {
            let (relation, definition, _) = views.swap_remove(at);
            self.plan_view(&definition).await.map_err(|error| {
                error.context(format!("view {relation}, which would break: change or drop it too"))
            })?;
            affected.insert(relation);
        }
        Ok(())
    }

    /// An error where a file of a source is not the one that was listed: what was read is then not
    /// what the lineage says.
    pub async fn refuse_changed_sources(&self, inputs: &[Input]) -> Result<()> {
        let prefix = format!("{LANDING}.");
        for name in inputs.iter().filter_map(|input| input.relation.strip_prefix(&prefix)) {
            let Some(source) = self.0.opened.lock().get(name).cloned() else { continue };
            source.refuse_changed(&self.session_state()?).await?;
        }
        Ok(())
    }

    /// Whether there is no relation at all.
    pub fn is_empty(&self) -> bool {
        self.0.entries.read().is_empty()
    }

    /// Every name that a statement can read, for suggestions.
    pub fn readable_names(&self) -> Vec<String> {
        let relations = self.relations().into_iter().map(|relation| relation.to_string());
        let landing = self.source_names().into_iter().map(|name| format!("{LANDING}.{name}"));
        let audit = AuditTables::names().map(|name| format!("{AUDIT}.{name}"));
        relations.chain(landing).chain(audit).collect()
    }

    /// The relations in the layers.
    pub(super) fn relations(&self) -> Vec<Relation> {
        self.0.entries.read().keys().cloned().collect()
    }

    /// Names of the sources and of the external tables of this session.
    pub(super) fn source_names(&self) -> Vec<String> {
        let configured = self.0.landing.names().map(str::to_owned);
        configured.chain(self.0.external.table_names()).collect()
    }

    /// The tables made by `CREATE EXTERNAL TABLE landing.NAME`.
    pub(super) fn externals(&self) -> &MemorySchemaProvider {
        &self.0.external
    }

    /// The row of a source that a failed read tripped over, where there is one.
    pub async fn find_malformed_row(&self) -> Option<Error> {
        let opened: Vec<_> = self.0.opened.lock().values().cloned().collect();
        let state = self.session_state().ok()?;
        for source in opened {
            let store = state.runtime_env().object_store(&source.url).ok()?;
            if let Some(error) = malformed::find(&source, &store).await {
                return Some(error);
            }
        }
        None
    }

    /// A copy of the session's state.
    pub(super) fn session_state(&self) -> Result<SessionState> {
        let session = self.0.session.get().and_then(Weak::upgrade);
        let session = session.ok_or_else(|| Error::internal("the catalog has no session"))?;
        Ok(session.read().clone())
    }

    /// The opened source of that name; listed once per session.
    pub(super) async fn source(&self, name: &str) -> Result<Option<Arc<OpenSource>>> {
        if let Some(open) = self.0.opened.lock().get(name) {
            return Ok(Some(Arc::clone(open)));
        }
        let Some(SourceSettings::Files { format, location, options }) = self.0.landing.get(name)
        else {
            return Ok(None);
        };
        let state = self.session_state()?;
        let open = Arc::new(Landing::open(name, *format, location, options, &state).await?);
        Ok(Some(Arc::clone(self.0.opened.lock().entry(name.to_owned()).or_insert(open))))
    }

    /// The query behind a view or a source, where it is one.
    fn stored_query(&self, reference: &TableReference) -> Option<String> {
        if let Some(relation) = Relation::of(reference) {
            return self.entry(&relation)?.definition().map(str::to_owned);
        }
        match self.0.landing.get(reference.table()) {
            Some(SourceSettings::Query { query }) if reference.schema() == Some(LANDING) => {
                Some(query.clone())
            }
            _ => None,
        }
    }

    /// An error where a view or a source reads itself, through others or not: planning it would
    /// never end.
    pub fn refuse_cycle(&self, start: &TableReference) -> Result<()> {
        let state = self.session_state()?;
        let mut seen = BTreeSet::new();
        let mut waiting = vec![start.clone()];
        while let Some(reference) = waiting.pop() {
            let Some(query) = self.stored_query(&reference) else { continue };
            for read in inputs::references(&query, &state)? {
                if read.to_string() == start.to_string() {
                    return Err(Error::sql(format!("{start} would read itself"))
                        .with_context("through", format!("{reference}: {query}")));
                }
                if seen.insert(read.to_string()) {
                    waiting.push(read);
                }
            }
        }
        Ok(())
    }

    /// A view over a stored query.
    pub(super) async fn plan_view(
        &self,
        definition: &str,
    ) -> DataFusionResult<Arc<dyn TableProvider>> {
        let plan = self.session_state()?.create_logical_plan(definition).await?;
        Ok(Arc::new(ViewTable::new(plan, Some(definition.to_owned()))))
    }
}

async fn entries(
    store: &Store,
    audit: &AuditStore,
    versions: Vec<VersionRecord>,
) -> Result<BTreeMap<Relation, Entry>> {
    let mut entries = BTreeMap::new();
    for version in versions {
        let Some(relation) = Relation::parse(&version.relation) else {
            continue;
        };
        let files = audit.files(&version.id).await?;
        entries.insert(relation, entry(store, version, &files)?);
    }
    Ok(entries)
}

fn entry(store: &Store, version: VersionRecord, files: &[FileRecord]) -> Result<Entry> {
    Ok(match version.kind {
        RelationKind::View => Entry::View(version),
        RelationKind::Table => {
            let schema = schema::from_json(&version.schema)
                .map_err(|error| error.with_context("version", version.id.as_str()))?;
            let table = VersionTable::new(schema, store, files);
            Entry::Table(version, Arc::new(table))
        }
    })
}
