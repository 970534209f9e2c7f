//! Whether the files of a version are those that were written. Memory is one row group per file
//! that is being read.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use chrono::SubsecRound;
use datafusion::common::runtime::SpawnedTask;
use datafusion::object_store::{self, ObjectStoreExt};
use datafusion::parquet::arrow::ParquetRecordBatchStreamBuilder;
use datafusion::parquet::arrow::arrow_reader::ArrowReaderOptions;
use datafusion::parquet::arrow::async_reader::AsyncFileReader;
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt};

use super::fingerprint::{Fingerprint, RowSum};
use super::manifest::{self, Manifest};
use super::schema;
use super::store::Store;
use crate::audit::{FileRecord, LineageRecord, VersionRecord};
use crate::error::{Error, Result, chain};

/// What an inspection says of something that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inspected<T> {
    /// It is as it was.
    Sound(T),
    /// What is not, for people.
    Wrong(String),
}

use Inspected::{Sound, Wrong};

/// Reads a file twice, in a task of its own: as bytes against their digest, where one is on record,
/// and as rows, whose sum is the result.
///
/// # Errors
/// `Io` where the warehouse cannot be read; what is wrong with the file is no error.
pub async fn inspect_file(store: &Store, file: &FileRecord) -> Result<Inspected<RowSum>> {
    let task = inspect(store.clone(), file.clone());
    // The decoder may panic on bytes that no writer makes.
    let done = SpawnedTask::spawn(task).join().await;
    done.unwrap_or_else(|error| Ok(Wrong(format!("it cannot be read: {error}"))))
}

async fn inspect(store: Store, file: FileRecord) -> Result<Inspected<RowSum>> {
    let Some(meta) = store.find(&file.path).await? else {
        return Ok(Wrong("it is gone".into()));
    };
    if meta.size != file.size.unsigned_abs() {
        return Ok(Wrong(format!("it has {} bytes, {} were written", meta.size, file.size)));
    }
    if let Some(digest) = &file.digest {
        match store.digest(&file.path).await? {
            None => return Ok(Wrong("it is gone".into())),
            Some(found) if found != *digest => {
                return Ok(Wrong("its bytes are not those that were written".into()));
            }
            Some(_) => {}
        }
    }
    let object = Object { store: store.clone(), path: file.path.clone(), size: meta.size };
    let (sum, rows) = match sum(object).await {
        Ok(read) => read,
        Err(error) if is_gone(&error) => return Ok(Wrong("it is gone".into())),
        Err(error) if is_outage(&error) => {
            let failed = Error::io(format!("cannot read `{}` in the warehouse", file.path));
            return Err(failed.with_source(error));
        }
        Err(error) => return Ok(Wrong(format!("it cannot be read: {error}"))),
    };
    Ok(match rows == file.rows.unsigned_abs() {
        true => Sound(sum),
        false => Wrong(format!("it has {rows} rows, {} were written", file.rows)),
    })
}

async fn sum(object: Object) -> Result<(RowSum, u64), ParquetError> {
    let mut batches = ParquetRecordBatchStreamBuilder::new(object).await?.build()?;
    let (mut sum, mut rows) = (RowSum::default(), 0);
    while let Some(batch) = batches.try_next().await? {
        sum.add(&batch)?;
        rows += batch.num_rows() as u64;
    }
    Ok((sum, rows))
}

/// Whether somebody has removed the file since it was found.
fn is_gone(error: &ParquetError) -> bool {
    let gone = |error: &&(dyn std::error::Error + 'static)| {
        matches!(error.downcast_ref(), Some(object_store::Error::NotFound { .. }))
    };
    chain(error).iter().any(gone)
}

/// Whether the store failed, rather than the file.
fn is_outage(error: &ParquetError) -> bool {
    chain(error).iter().any(|error| error.is::<object_store::Error>())
}

/// An object as Parquet's reader sees it.
struct Object {
    store: Store,
    path: String,
    size: u64,
}

impl AsyncFileReader for Object {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        async move {
            // A damaged footer, no failure of the store.
            if range.start > range.end || range.end > self.size {
                return Err(ParquetError::General(format!("it refers to bytes {range:?}")));
            }
            let path = self.store.path(&self.path);
            Ok(self.store.object_store(&self.path).get_range(&path, range).await?)
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>, ParquetError>> {
        async move {
            let options = options.map(|options| options.metadata_options().clone());
            let reader = ParquetMetaDataReader::new().with_metadata_options(options);
            let size = self.size;
            Ok(Arc::new(reader.load_and_finish(self, size).await?))
        }
        .boxed()
    }
}

/// Whether the rows of a version are those that it was recorded with.
pub fn inspect_rows(version: &VersionRecord, parts: &[RowSum]) -> Result<Inspected<()>> {
    let found = match &version.definition {
        Some(definition) => Fingerprint::of_text(definition),
        None => {
            let mut sum = RowSum::default();
            parts.iter().for_each(|part| sum.merge(*part));
            sum.finish(&*schema::from_json(&version.schema)?)
        }
    };
    Ok(match found.to_string() == version.fingerprint {
        true => Sound(()),
        false => Wrong(format!("its fingerprint is {found}, on record is {}", version.fingerprint)),
    })
}

/// Whether the manifest of a version is the one that was written: by its digest, or, where none is
/// on record, by what the audit store knows too.
pub async fn inspect_manifest(
    store: &Store,
    version: &VersionRecord,
    files: &[FileRecord],
    inputs: &[LineageRecord],
    digest: Option<&str>,
) -> Result<Inspected<()>> {
    let Some(text) = store.try_read(&manifest::path(&version.id)).await? else {
        return Ok(Wrong("its manifest is gone".into()));
    };
    if let Some(digest) = digest {
        return Ok(match manifest::digest(&text) == digest {
            true => Sound(()),
            false => Wrong("its manifest is not the one that was written".into()),
        });
    }
    let Ok(mut read) = serde_json::from_slice::<Manifest>(&text) else {
        return Ok(Wrong("its manifest is damaged".into()));
    };
    read.files.sort_by(|a, b| a.path.cmp(&b.path));
    // As the record keeps it.
    read.version.created = read.version.created.trunc_subsecs(6);
    let same = read.version == *version && read.files == files && read.inputs == inputs;
    Ok(if same { Sound(()) } else { Wrong("its manifest differs from the record".into()) })
}

impl Store {
    /// BLAKE3 of an object's bytes, hex; none where it is not there.
    async fn digest(&self, below: &str) -> Result<Option<String>> {
        let failed = |error| self.error("cannot read", below, error);
        let object = match self.object_store(below).get(&self.path(below)).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            got => got.map_err(failed)?,
        };
        let mut bytes = object.into_stream();
        let mut hasher = blake3::Hasher::new();
        while let Some(bytes) = bytes.next().await {
            hasher.update(&bytes.map_err(failed)?);
        }
        Ok(Some(hasher.finalize().to_hex().to_string()))
    }
}

#[cfg(test)]
#[path = "inspect_tests.rs"]
mod tests;
