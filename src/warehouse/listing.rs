//! The files of a source: which they are, and how each is read.

use std::path::Path;
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

use super::store::io_failure;
use crate::config::{Location, SourceFormat, TextOptions, format_unclear};
use crate::error::{Error, ErrorKind, Result};

/// All files of a location whose names fit the format; a location that is one file is taken
/// whatever its name. Where the format is not given, it is the first that a name tells.
pub(super) async fn list(
    name: &str,
    url: &ListingTableUrl,
    location: &Location,
    format: Option<SourceFormat>,
    state: &SessionState,
    store: &Arc<dyn ObjectStore>,
) -> Result<(SourceFormat, Vec<ObjectMeta>)> {
    let failed = |error: DataFusionError| {
        io_failure(error, format!("source `{name}`: cannot list `{location}`"))
    };
    let missing = || {
        Error::configuration(format!("source `{name}`: no such file or folder: {location}"))
            .with_hint(format!("name another one with `--source {name}=PATH`, or correct [sources.{name}] in the configuration"))
    };
    let one_name = !url.is_collection() && url.get_glob().is_none();
    if one_name && location.path().is_some_and(|path| !path.exists()) {
        return Err(missing());
    }
    let mut files: Vec<ObjectMeta> = url
        .list_all_files(state, store.as_ref(), "")
        .await
        .map_err(failed)?
        .try_collect()
        .await
        .map_err(failed)?;
    files.sort_by(|a, b| a.location.cmp(&b.location));
    if files.is_empty() && location.path().is_none() && url.get_glob().is_none() {
        return Err(missing());
    }
    let told = || files.iter().find_map(|file| SourceFormat::of_path(file.location.as_ref()));
    let format = format.or_else(told).ok_or_else(|| format_unclear(name, location))?;
    // In an object store the name of a folder looks like that of a file.
    let one_file = one_name
        && (location.path().is_some() || files.iter().any(|file| file.location == *url.prefix()));
    let fits = |file: &ObjectMeta| {
        let path = file.location.as_ref().to_ascii_lowercase();
        let hidden = path.rsplit('/').next().is_some_and(|base| base.starts_with(['.', '_']));
        let bare = [".gz", ".zst"].iter().find_map(|end| path.strip_suffix(end)).unwrap_or(&path);
        !hidden && format.extensions().iter().any(|end| bare.ends_with(end))
    };
    // An empty file has no rows and, as text, no columns.
    files.retain(|file| file.size > 0 && (one_file || fits(file)));
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
    Ok((format, files))
}

/// The URL of a location. What exists under that very name is meant, also with `[` in it; else
/// `*`, `?` and `[…]` are a glob.
pub(super) async fn listing_url(
    location: &Location,
    state: &SessionState,
) -> DataFusionResult<ListingTableUrl> {
    let (bucket, key) = match location {
        Location::Local(path) => return local_url(path),
        Location::S3 { bucket, prefix } => (bucket, prefix),
    };
    let here = s3_url(bucket, key)?;
    let is_glob = |segment: &str| segment.contains(['*', '?', '[']);
    let segments: Vec<&str> = key.split('/').collect();
    let Some(first) = segments.iter().position(|segment| is_glob(segment)) else {
        return ListingTableUrl::try_new(here, None);
    };
    let here = ListingTableUrl::try_new(here, None)?;
    let store = state.runtime_env().object_store(&here)?;
    if here.list_all_files(state, store.as_ref(), "").await?.try_next().await?.is_some() {
        return Ok(here);
    }
    let folder: String = segments[..first].iter().map(|segment| format!("{segment}/")).collect();
    ListingTableUrl::try_new(s3_url(bucket, &folder)?, None)?
        .with_glob(&segments[first..].join("/"))
}

fn local_url(path: &str) -> DataFusionResult<ListingTableUrl> {
    let location = Path::new(path);
    let url = match (location.is_dir(), location.is_file()) {
        (true, _) => Url::from_directory_path(location),
        (_, true) => Url::from_file_path(location),
        _ => return ListingTableUrl::parse(path),
    };
    match url {
        Ok(url) => ListingTableUrl::try_new(url, None),
        Err(()) => plan_err!("a path must be absolute"),
    }
}

/// The URL of a key, whatever characters are in it.
fn s3_url(bucket: &str, key: &str) -> DataFusionResult<Url> {
    let url = Url::parse(&format!("s3://{bucket}/"));
    let mut url = url.map_err(|error| DataFusionError::External(Box::new(error)))?;
    url.set_path(&format!("/{key}").replace('%', "%25"));
    Ok(url)
}

/// The URI of a file of a source, for the lineage.
pub(super) fn uri(url: &ListingTableUrl, file: &ObjectMeta) -> String {
    format!("{}{}", url.object_store().as_str(), file.location)
}

/// A file as messages name it.
pub(super) fn shown(url: &ListingTableUrl, file: &ObjectMeta) -> String {
    uri(url, file).trim_start_matches("file://").to_owned()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_any_characters_survive_their_url() {
        for key in ["", "a/b.csv", "da ta [1]/a ü#?%20{}.csv", "a+b&c=d;e@f:g!.csv", "x/"] {
            let url = ListingTableUrl::try_new(s3_url("data", key).unwrap(), None).unwrap();
            assert_eq!(url.prefix().as_ref(), key.trim_end_matches('/'));
            assert_eq!(url.object_store().as_str(), "s3://data/");
            assert_eq!(url.is_collection(), key.is_empty() || key.ends_with('/'), "{key}");
        }
    }
}
