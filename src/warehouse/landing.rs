//! Sources: files outside the warehouse as tables `landing.NAME`.
//!
//! A source is listed once per session. What it then reads is exactly what its lineage records,
//! whatever arrives in the folder meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::config::{CsvOptions, JsonOptions};
use datafusion::common::parsers::CompressionTypeVariant;
use datafusion::common::plan_err;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::csv::CsvFormat;
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::datasource::file_format::json::JsonFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingTableUrl, PartitionedFile};
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::object_store::{self, ObjectMeta, ObjectStore, ObjectStoreExt};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::union::UnionExec;
use futures::{StreamExt, TryStreamExt};
use url::Url;

use super::source_schema::{common_schema, with_types};
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
        format: SourceFormat,
        location: &Location,
        options: &TextOptions,
        state: &SessionState,
    ) -> Result<OpenSource> {
        let url = listing_url(location).map_err(|error| {
            Error::configuration(format!("source `{name}`: `{location}` is not a usable location"))
                .with_source(error)
        })?;
        let store = state.runtime_env().object_store(&url).map_err(|error| {
            Error::io(format!("source `{name}`: no store for `{location}`")).with_source(error)
        })?;
        let files = list(name, &url, location, format, state, &store).await?;
        let mut parts: Vec<(FileKind, Part)> = vec![];
        for file in files {
            let kind = FileKind::of(&file, format, &store)
                .await
                .map_err(|error| unreadable(name, &file, error))?;
            match parts.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, part)) => part.files.push(file),
                None => {
                    let format = kind.reader(format, options);
                    parts.push((kind, Part { format, files: vec![file] }));
                }
            }
        }
        let parts: Vec<Part> = parts.into_iter().map(|(_, part)| part).collect();
        let schema = common_schema(name, format, &parts, options, state, &store).await?;
        let schema = with_types(name, schema, &options.types, state).await?;
        Ok(OpenSource { name: name.to_owned(), url, schema, parts })
    }
}

/// All files of a location whose names fit the format; a location that is one file is taken
/// whatever its name.
async fn list(
    name: &str,
    url: &ListingTableUrl,
    location: &Location,
    format: SourceFormat,
    state: &SessionState,
    store: &Arc<dyn ObjectStore>,
) -> Result<Vec<ObjectMeta>> {
    let failed = |error: DataFusionError| {
        Error::io(format!("source `{name}`: cannot list `{location}`")).with_source(error)
    };
    let one_file = !url.is_collection() && url.get_glob().is_none();
    if one_file && !location.path().exists() {
        return Err(Error::configuration(format!("source `{name}`: no such file or folder: {location}"))
            .with_hint(format!("name another one with `--source {name}=PATH`, or correct [sources.{name}] in the configuration")));
    }
    let mut files: Vec<ObjectMeta> = url
        .list_all_files(state, store.as_ref(), "")
        .await
        .map_err(failed)?
        .try_collect()
        .await
        .map_err(failed)?;
    let fits = |file: &ObjectMeta| {
        let path = file.location.as_ref().to_ascii_lowercase();
        let hidden = path.rsplit('/').next().is_some_and(|base| base.starts_with(['.', '_']));
        let bare = [".gz", ".zst"].iter().find_map(|end| path.strip_suffix(end)).unwrap_or(&path);
        !hidden && format.extensions().iter().any(|end| bare.ends_with(end))
    };
    // An empty file has no rows and, as text, no columns.
    files.retain(|file| file.size > 0 && (one_file || fits(file)));
    files.sort_by(|a, b| a.location.cmp(&b.location));
    if files.is_empty() {
        return Err(Error::new(
            ErrorKind::Data,
            format!(
                "source `{name}` is empty: no {} file with content in {location}",
                format.name()
            ),
        )
        .with_hint(format!(
            "files must end in one of {} (also with .gz or .zst) and not be empty",
            format.extensions().join(", ")
        )));
    }
    Ok(files)
}

/// The URL of a location. What exists under that very name is meant, also with `[` in it; else
/// `*`, `?` and `[…]` are a glob.
fn listing_url(location: &Location) -> DataFusionResult<ListingTableUrl> {
    let path = location.path();
    let url = match (path.is_dir(), path.is_file()) {
        (true, _) => Url::from_directory_path(path),
        (_, true) => Url::from_file_path(path),
        _ => return ListingTableUrl::parse(location.to_string()),
    };
    match url {
        Ok(url) => ListingTableUrl::try_new(url, None),
        Err(()) => plan_err!("a path must be absolute"),
    }
}

/// A file that cannot be read: the store failed, or the content is not what its format says.
pub(super) fn unreadable(name: &str, file: &ObjectMeta, error: DataFusionError) -> Error {
    use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
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
        true => Error::io(format!("source `{name}`: cannot read /{}", file.location)),
        false => Error::new(
            ErrorKind::Data,
            format!("source `{name}`: malformed content in /{}", file.location),
        )
        .with_hint(format!("correct the file, or the reader options in [sources.{name}]")),
    }
    .with_source(error)
}

/// What decides how a file is read.
#[derive(Debug, Clone, Copy, PartialEq)]
struct FileKind {
    compression: CompressionTypeVariant,
    json_array: bool,
}

impl FileKind {
    async fn of(
        file: &ObjectMeta,
        format: SourceFormat,
        store: &Arc<dyn ObjectStore>,
    ) -> DataFusionResult<Self> {
        let compression = match file.location.extension() {
            Some("gz") => CompressionTypeVariant::GZIP,
            Some("zst") => CompressionTypeVariant::ZSTD,
            _ => CompressionTypeVariant::UNCOMPRESSED,
        };
        let json_array =
            format == SourceFormat::Json && starts_with_bracket(file, compression, store).await?;
        Ok(Self { compression, json_array })
    }

    fn reader(self, format: SourceFormat, text: &TextOptions) -> Arc<dyn FileFormat> {
        match format {
            SourceFormat::Csv => Arc::new(CsvFormat::default().with_options(CsvOptions {
                has_header: Some(text.header),
                delimiter: text.delimiter,
                quote: text.quote,
                escape: text.escape,
                comment: text.comment,
                newlines_in_values: Some(text.newlines),
                schema_infer_max_rec: Some(text.infer_rows),
                compression: self.compression,
                ..CsvOptions::default()
            })),
            SourceFormat::Json => Arc::new(JsonFormat::default().with_options(JsonOptions {
                compression: self.compression,
                schema_infer_max_rec: Some(text.infer_rows),
                newline_delimited: !self.json_array,
                ..JsonOptions::default()
            })),
            SourceFormat::Parquet => Arc::new(ParquetFormat::default()),
        }
    }
}

/// Whether a file is one JSON array: that starts with a bracket, lines of objects with a brace.
async fn starts_with_bracket(
    file: &ObjectMeta,
    compression: CompressionTypeVariant,
    store: &Arc<dyn ObjectStore>,
) -> DataFusionResult<bool> {
    let bytes = store.get(&file.location).await?.into_stream().map_err(DataFusionError::from);
    let mut chunks = FileCompressionType::from(compression).convert_stream(bytes.boxed())?;
    let head = chunks.next().await.transpose()?.unwrap_or_default();
    Ok(head.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'['))
}

impl OpenSource {
    /// An error where a file is not as it was listed.
    pub(super) async fn refuse_changed(&self, state: &SessionState) -> Result<()> {
        let failed = |error: DataFusionError| {
            Error::io(format!("source `{}` cannot be read again", self.name)).with_source(error)
        };
        let store = state.runtime_env().object_store(&self.url).map_err(failed)?;
        for listed in self.parts.iter().flat_map(|part| &part.files) {
            let now = store.head(&listed.location).await;
            let same = now.is_ok_and(|now| {
                (now.size, now.last_modified, &now.e_tag)
                    == (listed.size, listed.last_modified, &listed.e_tag)
            });
            if !same {
                return Err(Error::io(format!(
                    "source `{}` changed while it was read: /{}",
                    self.name, listed.location
                ))
                .with_hint("run again when the file is complete"));
            }
        }
        Ok(())
    }

    /// Objects of the source with their URIs, in order.
    pub(super) fn objects(&self) -> impl Iterator<Item = (String, &ObjectMeta)> {
        self.parts
            .iter()
            .flat_map(|part| &part.files)
            .map(|file| (format!("{}{}", self.url.object_store().as_str(), file.location), file))
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
            plans.push(part.format.create_physical_plan(state, config).await?);
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
