//! The catalog and its schemas as DataFusion sees them: layers, sources, the audit store.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, SchemaProvider, TableProvider};
use datafusion::common::TableReference;
use datafusion::datasource::empty::EmptyTable;
use datafusion::error::Result as DataFusionResult;

use super::audit_tables::AuditTables;
use super::catalog::{AUDIT, Catalog, Entry, LANDING};
use super::relation::{Layer, Relation};
use crate::config::SourceSettings;

impl CatalogProvider for Catalog {
    fn schema_names(&self) -> Vec<String> {
        let layers = Layer::ALL.into_iter().map(Layer::name);
        layers.chain([LANDING, AUDIT]).map(str::to_owned).collect()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        let catalog = self.clone();
        match (Layer::parse(name), name) {
            (Some(layer), _) => Some(Arc::new(LayerSchema { layer, catalog })),
            (None, LANDING) => Some(Arc::new(LandingSchema { catalog })),
            (None, AUDIT) => Some(Arc::new(AuditTables::new(self.audit().clone()))),
            _ => None,
        }
    }
}

/// A layer as DataFusion sees it. Only the driver writes.
#[derive(Debug)]
struct LayerSchema {
    layer: Layer,
    catalog: Catalog,
}

#[async_trait]
impl SchemaProvider for LayerSchema {
    fn table_names(&self) -> Vec<String> {
        let names = self.catalog.relations().into_iter();
        names.filter(|r| r.layer == self.layer).map(|relation| relation.name).collect()
    }

    async fn table(&self, name: &str) -> DataFusionResult<Option<Arc<dyn TableProvider>>> {
        let relation = Relation { layer: self.layer, name: name.to_owned() };
        let Some(entry) = self.catalog.entry(&relation) else {
            return Ok(None);
        };
        Ok(Some(match &entry {
            Entry::Table(_, table) => Arc::clone(table) as _,
            Entry::PlannedTable(schema) => Arc::new(EmptyTable::new(Arc::clone(schema))),
            Entry::View(_) | Entry::PlannedView(_) => {
                self.catalog.refuse_cycle(&TableReference::partial(self.layer.name(), name))?;
                let definition = entry.definition().unwrap_or_default();
                self.catalog.plan_view(definition).await.map_err(|error| {
                    error.context(format!("view {relation} cannot be read any more"))
                })?
            }
        }))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.table_names().iter().any(|known| known == name)
    }
}

/// The sources as DataFusion sees them.
#[derive(Debug)]
struct LandingSchema {
    catalog: Catalog,
}

#[async_trait]
impl SchemaProvider for LandingSchema {
    fn table_names(&self) -> Vec<String> {
        self.catalog.source_names()
    }

    async fn table(&self, name: &str) -> DataFusionResult<Option<Arc<dyn TableProvider>>> {
        if let Some(table) = self.catalog.externals().table(name).await? {
            return Ok(Some(table));
        }
        if let Some(SourceSettings::Query { query }) = self.catalog.landing().get(name) {
            self.catalog.refuse_cycle(&TableReference::partial(LANDING, name))?;
            let view = self.catalog.plan_view(query).await;
            return view
                .map(Some)
                .map_err(|error| error.context(format!("the query of source `{name}`")));
        }
        Ok(self.catalog.source(name).await?.map(|source| source as _))
    }

    fn register_table(
        &self,
        name: String,
        table: Arc<dyn TableProvider>,
    ) -> DataFusionResult<Option<Arc<dyn TableProvider>>> {
        self.catalog.externals().register_table(name, table)
    }

    fn deregister_table(&self, name: &str) -> DataFusionResult<Option<Arc<dyn TableProvider>>> {
        self.catalog.externals().deregister_table(name)
    }

    fn table_exist(&self, name: &str) -> bool {
        self.table_names().iter().any(|known| known == name)
    }
}
