//! Sources: files outside the warehouse as tables `landing.NAME`.
//!
//! A source is listed once per session. What it then reads is exactly what its lineage records,
//! whatever arrives in the folder meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingTableUrl, PartitionedFile};
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::object_store::{self, ObjectMeta, ObjectStoreExt};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::union::UnionExec;

use super::listing::{FileKind, list, listing_url, shown, uri};
use super::parquet;
use super::source_schema::{common_schema, with_types};
use super::store::{io_failure, store_failure};
use crate::config::{Location, SourceFormat, SourceSettings, TextOptions};
use crate::error::{Error, ErrorKind, Result, chain};

/// The configured sources.
#[derive(Debug, Clone)]
pub struct Landing {
    sources: BTreeMap<String, SourceSettings>,
}

/// A source of files, listed and with its schema known.
#[derive(Debug)]
pub(super) struct OpenSource {
    pub(super) name: String,
    pub(super) url: ListingTableUrl,
    pub(super) schema: SchemaRef,
    pub(super) parts: Vec<Part>,
}

/// The files of a source that are read in one way.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) format: Arc<dyn FileFormat>,
    pub(super) files: Vec<ObjectMeta>,
}

impl Landing {
    /// Sources by name.
    pub fn new(sources: BTreeMap<String, SourceSettings>) -> Self {
        Self { sources }
    }

    /// Names of all sources.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.sources.keys().map(String::as_str)
    }

    /// The settings of a source.
    pub fn get(&self, name: &str) -> Option<&SourceSettings> {
        self.sources.get(name)
    }

    /// Lists the files of a source and finds its schema.
    pub(super) async fn open(
        name: &str,
        format: Option<SourceFormat>,
        location: &Location,
        options: &TextOptions,
        state: &SessionState,
    ) -> Result<OpenSource> {
        let url = listing_url(location, state).await.map_err(|error| {
            let message = format!("source `{name}`: `{location}` is not a usable location");
            store_failure(&error, &message)
                .unwrap_or_else(|| Error::configuration(message).with_source(error))
        })?;
        let store = state.runtime_env().object_store(&url).map_err(|error| {
            io_failure(error, format!("source `{name}`: no store for `{location}`"))
        })?;
        let (format, files) = list(name, &url, location, format, state, &store).await?;
        let mut parts: Vec<(FileKind, Part)> = vec![];
        for file in files {
            let kind = FileKind::of(&file, format, &store)
                .await
                .map_err(|error| unreadable(name, &url, &file, error))?;
            match parts.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, part)) => part.files.push(file),
                None => {
                    let format = kind.reader(format, options);
                    parts.push((kind, Part { format, files: vec![file] }));
                }
            }
        }
        let parts: Vec<Part> = parts.into_iter().map(|(_, part)| part).collect();
        let schema = common_schema(name, &url, format, &parts, options, state).await?;
        let schema = with_types(name, schema, &options.types, state).await?;
        Ok(OpenSource { name: name.to_owned(), url, schema, parts })
    }
}

/// Whether an object is still the one that was listed. Tags tell, whatever precision a listing gives
/// its times in; not all servers put them in quotes everywhere.
fn is_same(listed: &ObjectMeta, now: &ObjectMeta) -> bool {
    let content = match (&listed.e_tag, &now.e_tag) {
        (Some(before), Some(after)) => before.trim_matches('"') == after.trim_matches('"'),
        _ => listed.last_modified == now.last_modified,
    };
    content && listed.size == now.size
}

/// A file that cannot be read: the store failed, or the content is not what its format says.
pub(super) fn unreadable(
    name: &str,
    url: &ListingTableUrl,
    file: &ObjectMeta,
    error: DataFusionError,
) -> Error {
    use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    let file = shown(url, file);
    if let Some(failure) = store_failure(&error, format!("source `{name}`: cannot read {file}")) {
        return failure;
    }
    let store_failed = chain(&error).into_iter().any(|cause| {
        let io = cause.downcast_ref::<std::io::Error>();
        let store = cause.downcast_ref::<object_store::Error>();
        io.is_some_and(|io| {
            !matches!(
                io.kind(),
                InvalidData | InvalidInput | UnexpectedEof | std::io::ErrorKind::Other
            )
        }) || store.is_some_and(|store| !matches!(store, object_store::Error::Generic { .. }))
    });
    match store_failed {
        true => Error::io(format!("source `{name}`: cannot read {file}")),
        false => {
            Error::new(ErrorKind::Data, format!("source `{name}`: malformed content in {file}"))
                .with_hint(format!("correct the file, or the reader options in [sources.{name}]"))
        }
    }
    .with_source(error)
}

impl OpenSource {
    /// An error where a file is not as it was listed.
    pub(super) async fn refuse_changed(&self, state: &SessionState) -> Result<()> {
        let failed = |error: DataFusionError| {
            io_failure(error, format!("source `{}` cannot be read again", self.name))
        };
        let store = state.runtime_env().object_store(&self.url).map_err(failed)?;
        for listed in self.parts.iter().flat_map(|part| &part.files) {
            let same = match store.head(&listed.location).await {
                Ok(now) => is_same(listed, &now),
                Err(object_store::Error::NotFound { .. }) => false,
                Err(error) => return Err(failed(error.into())),
            };
            if !same {
                return Err(Error::io(format!(
                    "source `{}` changed while it was read: {}",
                    self.name,
                    shown(&self.url, listed)
                ))
                .with_hint("run again when the file is complete"));
            }
        }
        Ok(())
    }

    /// Objects of the source with their URIs, in order.
    pub(super) fn objects(&self) -> impl Iterator<Item = (String, &ObjectMeta)> {
        self.parts.iter().flat_map(|part| &part.files).map(|file| (uri(&self.url, file), file))
    }
}

#[async_trait]
impl TableProvider for OpenSource {
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
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let mut plans = vec![];
        for part in &self.parts {
            let files = part.files.iter().cloned().map(PartitionedFile::new_from_meta).collect();
            let groups = FileGroup::new(files).split_files(state.config().target_partitions());
            let source = part.format.file_source(TableSchema::from(&self.schema));
            let config = FileScanConfigBuilder::new(self.url.object_store(), source)
                .with_file_groups(groups)
                .with_projection_indices(projection.cloned())?
                .with_limit(limit)
                .build();
            let format: &dyn std::any::Any = part.format.as_ref();
            plans.push(match format.is::<ParquetFormat>() {
                true => parquet::scan(state, config)?,
                false => part.format.create_physical_plan(state, config).await?,
            });
        }
        match plans.len() {
            1 => Ok(plans.remove(0)),
            _ => UnionExec::try_new(plans),
        }
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> DataFusionResult<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}
