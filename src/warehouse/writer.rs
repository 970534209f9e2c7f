//! Streams a plan into the Parquet files of a new version: one file per partition, each written,
//! compressed and fingerprinted by its own task. Memory per partition is one row group, encoded, and
//! [`PART`] bytes for each part that is collected or on its way, [`CONCURRENT_PARTS`] + 1 at most.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::runtime::SpawnedTask;
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::object_store::ObjectStoreExt;
use datafusion::object_store::buffered::BufWriter;
use datafusion::parquet::arrow::AsyncArrowWriter;
use datafusion::parquet::arrow::async_writer::AsyncFileWriter;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::errors::{ParquetError, Result as ParquetResult};
use datafusion::parquet::file::properties::WriterProperties;
use datafusion::physical_plan::{ExecutionPlan, execute_stream_partitioned};
use futures::future::{BoxFuture, FutureExt, join_all};
use futures::stream::StreamExt;
use tokio::io::AsyncWriteExt;

use super::digest::Digesting;
use super::fingerprint::{Fingerprint, RowSum};
use super::store::Store;
use crate::audit::{FileRecord, VersionId};

/// Rows of a row group: large enough to compress well, small enough to prune and to hold in
/// memory once per partition.
const ROW_GROUP_ROWS: usize = 262_144;

/// Bytes of a part of an upload: more than the least that S3 takes, 5 MiB, and a file may have
/// 10,000 of them, 80 GiB. A smaller file is written with one request.
const PART: usize = 8 << 20;

/// Parts of a file that are on their way at once.
const CONCURRENT_PARTS: usize = 2;

/// How far a step is, shared with whoever shows it.
#[derive(Debug, Default)]
pub struct Progress {
    rows: AtomicU64,
}

impl Progress {
    /// Rows written or read so far.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Counts rows.
    pub fn add(&self, rows: usize) {
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
    }
}

/// What was written.
#[derive(Debug)]
pub struct WrittenVersion {
    /// Schema as stored.
    pub schema: SchemaRef,
    /// Files in partition order; partitions without rows have none.
    pub files: Vec<FileRecord>,
    /// Fingerprint of all rows, those of the continued version included.
    pub fingerprint: Fingerprint,
}

/// What one partition wrote.
#[derive(Debug, Clone, Copy)]
struct Part {
    sum: RowSum,
    rows: u64,
}

/// Executes `plan` and writes its rows below `version`. With `continues`, the fingerprint includes
/// the rows of that earlier version of the same schema. On an error, or when the future is
/// dropped, unfinished uploads are aborted; finished files stay unreferenced.
pub async fn write_table(
    store: &Store,
    version: &VersionId,
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
    continues: Option<Fingerprint>,
    progress: Arc<Progress>,
) -> DataFusionResult<WrittenVersion> {
    let schema = plan.schema();
    let tasks = execute_stream_partitioned(plan, context)?.into_iter().enumerate().map(
        |(partition, stream)| {
            let path = format!("{version}/part-{partition:05}.parquet");
            let part = write_part(store.clone(), path, stream, schema.clone(), progress.clone());
            SpawnedTask::spawn(part)
        },
    );
    let results = join_all(tasks.collect::<Vec<_>>()).await;

    let mut sum = continues.map_or_else(RowSum::default, |earlier| RowSum::of(earlier, &schema));
    let mut files = vec![];
    let mut failure: Option<DataFusionError> = None;
    for result in results {
        match result.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error))) {
            Ok(Ok(None)) => {}
            Ok(Ok(Some((part, file)))) => {
                sum.merge(part.sum);
                files.push(file);
            }
            Ok(Err(error)) | Err(error) => failure = failure.or(Some(error)),
        }
    }
    if let Some(error) = failure {
        join_all(files.iter().map(|file| store.remove(&file.path))).await;
        return Err(error);
    }
    let fingerprint = sum.finish(&schema);
    Ok(WrittenVersion { schema, files, fingerprint })
}

/// Writes one partition; a partition without rows writes nothing.
async fn write_part(
    store: Store,
    path: String,
    stream: SendableRecordBatchStream,
    schema: SchemaRef,
    progress: Arc<Progress>,
) -> DataFusionResult<Option<(Part, FileRecord)>> {
    let mut writer = None;
    let part = match copy(stream, &mut writer, &store, &path, schema, &progress).await {
        Ok(part) => part,
        Err(error) => {
            if let Some(Err(second)) = abort(writer).await {
                tracing::debug!(error = %second, "an upload could not be aborted");
            }
            return Err(error);
        }
    };
    let Some(mut writer) = writer else {
        return Ok(None);
    };
    writer.finish().await?;
    let digest = Some(writer.into_inner().digest());
    let meta = store.object_store(&path).head(&store.path(&path)).await?;
    let (size, rows) = (meta.size as i64, part.rows as i64);
    let file = FileRecord { path, size, etag: meta.e_tag, rows, digest };
    Ok(Some((part, file)))
}

type Writer = AsyncArrowWriter<Digesting<Parts>>;

/// An upload that takes part by part and lets the row group wait meanwhile, instead of taking all
/// of it at once.
struct Parts(BufWriter);

impl AsyncFileWriter for Parts {
    fn write(&mut self, mut bytes: Bytes) -> BoxFuture<'_, ParquetResult<()>> {
        async move {
            while !bytes.is_empty() {
                let part = bytes.split_to(bytes.len().min(PART));
                self.0.put(part).await.map_err(external)?;
            }
            Ok(())
        }
        .boxed()
    }

    fn complete(&mut self) -> BoxFuture<'_, ParquetResult<()>> {
        async move { self.0.shutdown().await.map_err(external) }.boxed()
    }
}

fn external(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ParquetError {
    ParquetError::External(error.into())
}

/// Copies the stream; the writer is made at the first row.
async fn copy(
    mut stream: SendableRecordBatchStream,
    writer: &mut Option<Writer>,
    store: &Store,
    path: &str,
    schema: SchemaRef,
    progress: &Progress,
) -> DataFusionResult<Part> {
    let mut part = Part { sum: RowSum::default(), rows: 0 };
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        // Operators may leave out metadata that the plan has.
        let batch = RecordBatch::try_new(Arc::clone(&schema), batch.columns().to_vec())?;
        if batch.num_rows() == 0 {
            continue;
        }
        part.sum.add(&batch)?;
        part.rows += batch.num_rows() as u64;
        if writer.is_none() {
            let object_store = Arc::clone(store.object_store(path));
            let upload = BufWriter::with_capacity(object_store, store.path(path), PART)
                .with_max_concurrency(CONCURRENT_PARTS);
            let upload = Digesting::new(Parts(upload));
            *writer = Some(Writer::try_new(upload, schema.clone(), Some(properties()?))?);
        }
        if let Some(writer) = writer {
            writer.write(&batch).await?;
        }
        progress.add(batch.num_rows());
    }
    Ok(part)
}

async fn abort(writer: Option<Writer>) -> Option<Result<(), datafusion::object_store::Error>> {
    Some(writer?.into_inner().into_inner().0.abort().await)
}

fn properties() -> DataFusionResult<WriterProperties> {
    Ok(WriterProperties::builder()
        .set_created_by(format!("pipeline {}", env!("CARGO_PKG_VERSION")))
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .build())
}
