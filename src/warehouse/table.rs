//! One version of a table as DataFusion sees it: known files, known schema, known row count, so
//! that planning opens and lists nothing.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::DateTime;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Statistics;
use datafusion::common::project_schema;
use datafusion::common::stats::Precision;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::object_store::ObjectMeta;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;

use super::parquet;
use super::store::Store;
use crate::audit::FileRecord;

/// One version of a table.
#[derive(Debug)]
pub struct VersionTable {
    schema: SchemaRef,
    store: ObjectStoreUrl,
    files: Vec<PartitionedFile>,
    rows: usize,
    bytes: usize,
}

impl VersionTable {
    /// The table of these files.
    pub fn new(schema: SchemaRef, store: &Store, files: &[FileRecord]) -> Self {
        let total = |of: fn(&FileRecord) -> i64| -> usize {
            files.iter().map(of).sum::<i64>().try_into().unwrap_or(usize::MAX)
        };
        Self {
            schema,
            store: store.url(files.first().map_or("", |file| &file.path)).clone(),
            rows: total(|file| file.rows),
            bytes: total(|file| file.size),
            files: files.iter().map(|file| part(file, store)).collect(),
        }
    }

    /// What is known without opening a file.
    fn counted(&self) -> Statistics {
        Statistics {
            num_rows: Precision::Exact(self.rows),
            total_byte_size: Precision::Inexact(self.bytes),
            column_statistics: Statistics::unknown_column(&self.schema),
        }
    }
}

/// The file as the engine finds it. Versions are immutable: a path alone tells the content.
fn part(file: &FileRecord, store: &Store) -> PartitionedFile {
    PartitionedFile::new_from_meta(ObjectMeta {
        location: store.path(&file.path),
        last_modified: DateTime::UNIX_EPOCH,
        size: file.size.unsigned_abs(),
        e_tag: None,
        version: None,
    })
}

#[async_trait]
impl TableProvider for VersionTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if self.files.is_empty() {
            return Ok(Arc::new(EmptyExec::new(project_schema(&self.schema, projection)?)));
        }
        let groups =
            FileGroup::new(self.files.clone()).split_files(state.config().target_partitions());
        let source = Arc::new(ParquetSource::new(&self.schema));
        let config = FileScanConfigBuilder::new(self.store.clone(), source)
            .with_file_groups(groups)
            .with_statistics(self.counted())
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        parquet::scan(state, config)
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        // Filters prune row groups and pages by their statistics; the plan still applies them.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    fn statistics(&self) -> Option<Statistics> {
        Some(self.counted())
    }
}
