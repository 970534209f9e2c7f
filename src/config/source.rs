//! Sources: what stands behind `landing.NAME`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::file::FileSource;
use super::location::Location;
use crate::error::{Error, Result};

/// A file format that a source can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceFormat {
    /// Delimited text.
    Csv,
    /// JSON, one object per line, or one array of objects per file.
    Json,
    /// Apache Parquet.
    Parquet,
}

impl SourceFormat {
    const ALL: [Self; 3] = [Self::Csv, Self::Json, Self::Parquet];

    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Parquet => "parquet",
        }
    }

    /// File name endings that belong to it, before a compression's.
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Csv => &[".csv", ".tsv", ".txt", ".binetflow", ".log"],
            Self::Json => &[".json", ".ndjson", ".jsonl", ".log"],
            Self::Parquet => &[".parquet", ".pq"],
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == text)
    }

    /// The format that a path's ending tells, if it tells one.
    pub fn of_path(path: &str) -> Option<Self> {
        let path = path.to_ascii_lowercase();
        let path = [".gz", ".zst"].iter().find_map(|end| path.strip_suffix(end)).unwrap_or(&path);
        // Logs are text of any format.
        let tells = |end: &str| end != ".log" && path.ends_with(end);
        Self::ALL.into_iter().find(|format| format.extensions().iter().any(|end| tells(end)))
    }
}

/// How delimited text and JSON are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TextOptions {
    /// Whether the first line of each file names the columns.
    pub header: bool,
    /// Field separator.
    pub delimiter: u8,
    /// Quote character.
    pub quote: u8,
    /// Escape character inside quotes; doubled quotes where `None`.
    pub escape: Option<u8>,
    /// Lines that start with it are skipped.
    pub comment: Option<u8>,
    /// Column names, for files without a header.
    pub names: Option<Vec<String>>,
    /// SQL types by column name; the others are inferred.
    pub types: BTreeMap<String, String>,
    /// Whether quoted values may contain line breaks. A file without any can be cut at line breaks
    /// and read by several threads.
    pub newlines: bool,
    /// Rows of each file that inference looks at.
    pub infer_rows: usize,
}

impl Default for TextOptions {
    fn default() -> Self {
        Self {
            header: true,
            delimiter: b',',
            quote: b'"',
            escape: None,
            comment: None,
            names: None,
            types: BTreeMap::new(),
            newlines: true,
            infer_rows: 10_000,
        }
    }
}

/// One source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum SourceSettings {
    /// A query, usually over a table function.
    Query {
        /// Its SQL.
        query: String,
    },
    /// Files.
    Files {
        /// Their format; where `None`, the one that the first file's name tells.
        format: Option<SourceFormat>,
        /// A file, a folder (all files of the format below it) or a glob.
        location: Location,
        /// How text is read.
        options: TextOptions,
    },
}

impl SourceSettings {
    pub(super) fn from_file(name: &str, source: FileSource, base: &Path) -> Result<Self> {
        let here = |message: String| Error::configuration(format!("[sources.{name}]: {message}"));
        match (source.query.clone(), source.location.clone()) {
            (Some(query), None) => Ok(Self::Query { query }),
            (None, Some(location)) => {
                let format = format_of(source.format.as_deref(), &location).map_err(here)?;
                Ok(Self::Files {
                    format: Some(format),
                    location: Location::parse(&location, base)?,
                    options: text_options(source).map_err(here)?,
                })
            }
            _ => Err(here("exactly one of `query` and `location` is needed".into()).with_hint(
                "for example `location = \"flows/\"` with `format = \"csv\"`, or `query = \"SELECT * FROM synthetic_flows(1000, 42)\"`",
            )),
        }
    }

    /// `--source name=path`: the reader options of the configured source are kept.
    pub(super) fn overridden(
        name: &str,
        path: &str,
        base: &Path,
        configured: Option<&Self>,
    ) -> Result<Self> {
        let (configured_format, options) = match configured {
            Some(Self::Files { format, options, .. }) => (*format, options.clone()),
            _ => (None, TextOptions::default()),
        };
        let location = Location::parse(path, base)?;
        let format = SourceFormat::of_path(path).or(configured_format);
        // Nothing is asked here: an object store tells when it is listed.
        let format = match (format, location.path()) {
            (Some(format), _) => Some(format),
            (None, None) => None,
            (None, Some(folder)) => {
                Some(in_folder(folder).ok_or_else(|| format_unclear(name, &location))?)
            }
        };
        Ok(Self::Files { format, location, options })
    }
}

/// The names of a source's files do not tell their format.
pub fn format_unclear(name: &str, location: &Location) -> Error {
    Error::configuration(format!(
        "--source {name}={location}: the format is not clear from the name"
    ))
    .with_hint(format!("add [sources.{name}] with `format` and `location` to the configuration, or name files that end in .csv, .json or .parquet (also .gz and .zst)"))
}

/// The format of the first file in a folder whose name tells one.
fn in_folder(folder: &Path) -> Option<SourceFormat> {
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    names.iter().find_map(|name| SourceFormat::of_path(name))
}

fn format_of(format: Option<&str>, location: &str) -> Result<SourceFormat, String> {
    match format {
        Some(text) => SourceFormat::parse(text)
            .ok_or_else(|| format!("format `{text}` is unknown; allowed are csv, json and parquet")),
        None => SourceFormat::of_path(location).ok_or_else(|| {
            "`format` is needed where the location's name does not tell it; allowed are csv, json and parquet".into()
        }),
    }
}

fn text_options(source: FileSource) -> Result<TextOptions, String> {
    let default = TextOptions::default();
    let byte = |key: &str, value: Option<char>| match value {
        None => Ok(None),
        Some(c) => u8::try_from(c)
            .ok()
            .filter(u8::is_ascii)
            .map(Some)
            .ok_or_else(|| format!("`{key}` must be one ASCII character, got `{c}`")),
    };
    Ok(TextOptions {
        header: source.header.unwrap_or(source.names.is_none()),
        delimiter: byte("delimiter", source.delimiter)?.unwrap_or(default.delimiter),
        quote: byte("quote", source.quote)?.unwrap_or(default.quote),
        escape: byte("escape", source.escape)?,
        comment: byte("comment", source.comment)?,
        names: source.names,
        types: source.types,
        newlines: source.newlines.unwrap_or(default.newlines),
        infer_rows: source.infer_rows.map_or(default.infer_rows, |rows| rows.get()),
    })
}
