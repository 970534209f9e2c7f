//! The files of a source: which they are, and how each is read.

use std::sync::Arc;

use datafusion::common::config::{CsvOptions, JsonOptions};
use datafusion::common::parsers::CompressionTypeVariant;
use datafusion::common::plan_err;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::csv::CsvFormat;
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::datasource::file_format::json::JsonFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::ListingTableUrl;
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::SessionState;
use datafusion::object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use futures::{StreamExt, TryStreamExt};
use url::Url;

use crate::config::{Location, SourceFormat, TextOptions};
use crate::error::{Error, ErrorKind, Result};

/// All files of a location whose names fit the format; a location that is one file is taken
/// whatever its name.
pub(super) async fn list(
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
pub(super) fn listing_url(location: &Location) -> DataFusionResult<ListingTableUrl> {
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

/// What decides how a file is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct FileKind {
    compression: CompressionTypeVariant,
    json_array: bool,
}

impl FileKind {
    pub(super) async fn of(
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

    pub(super) fn reader(self, format: SourceFormat, text: &TextOptions) -> Arc<dyn FileFormat> {
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
