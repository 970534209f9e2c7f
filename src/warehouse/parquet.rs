//! Reads Parquet as the engine does, but keeps the cause of an error: the engine's own reader turns
//! that of a file's metadata into text, and with it the difference between a store that failed and
//! a file that is damaged.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::catalog::Session;
use datafusion::common::config::TableParquetOptions;
use datafusion::common::internal_datafusion_err;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::datasource::physical_plan::parquet::{
    CachedParquetFileReaderFactory, ParquetFileReaderFactory,
};
use datafusion::datasource::physical_plan::{FileScanConfig, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion::object_store::{ObjectMeta, ObjectStore};
use datafusion::parquet::arrow::arrow_reader::ArrowReaderOptions;
use datafusion::parquet::arrow::async_reader::AsyncFileReader;
use datafusion::parquet::errors::{ParquetError, Result as ParquetResult};
use datafusion::parquet::file::metadata::ParquetMetaData;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt;
use futures::future::BoxFuture;

/// The plan of a scan whose source is a [`ParquetSource`].
pub(super) fn scan(state: &dyn Session, config: FileScanConfig) -> Result<Arc<dyn ExecutionPlan>> {
    let source = config.file_source().downcast_ref::<ParquetSource>();
    let source = source.ok_or_else(|| internal_datafusion_err!("a scan that is not of Parquet"))?;
    let store = state.runtime_env().object_store(&config.object_store_url)?;
    let cache = state.runtime_env().cache_manager.get_file_metadata_cache();
    let options = TableParquetOptions::default();
    let hint = options.global.metadata_size_hint;
    let engine = CachedParquetFileReaderFactory::new(Arc::clone(&store), Arc::clone(&cache));
    let mut source = source
        .clone()
        .with_table_parquet_options(options)
        .with_parquet_file_reader_factory(Arc::new(Files { engine, store, cache }));
    if let Some(hint) = hint {
        source = source.with_metadata_size_hint(hint);
    }
    let config = FileScanConfigBuilder::from(config).with_source(Arc::new(source)).build();
    Ok(DataSourceExec::from_data_source(config))
}

/// The engine's readers, with metadata read here.
#[derive(Debug)]
struct Files {
    engine: CachedParquetFileReaderFactory,
    store: Arc<dyn ObjectStore>,
    cache: Arc<FileMetadataCache>,
}

impl ParquetFileReaderFactory for Files {
    fn create_reader(
        &self,
        partition: usize,
        file: PartitionedFile,
        hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let meta = file.object_meta.clone();
        let (store, cache) = (Arc::clone(&self.store), Arc::clone(&self.cache));
        let engine = self.engine.create_reader(partition, file, hint, metrics)?;
        Ok(Box::new(Reader { engine, store, cache, meta, hint }))
    }
}

struct Reader {
    engine: Box<dyn AsyncFileReader + Send>,
    store: Arc<dyn ObjectStore>,
    cache: Arc<FileMetadataCache>,
    meta: ObjectMeta,
    hint: Option<usize>,
}

impl AsyncFileReader for Reader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        self.engine.get_bytes(range)
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        self.engine.get_byte_ranges(ranges)
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        async move {
            DFParquetMetadata::new(&self.store, &self.meta)
                .with_file_metadata_cache(Some(Arc::clone(&self.cache)))
                .with_metadata_size_hint(self.hint)
                .with_page_index_policy(options.map(ArrowReaderOptions::column_index_policy))
                .fetch_metadata()
                .await
                .map_err(|error| ParquetError::External(Box::new(error)))
        }
        .boxed()
    }
}
