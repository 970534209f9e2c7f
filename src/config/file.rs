//! The `pipeline.toml` layer: exactly what the file says. Unknown keys are errors.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::s3::FileS3;
use super::secret::Secret;
use crate::error::{Error, Result};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileLayer {
    pub(super) warehouse: Option<String>,
    pub(super) audit: Option<Secret>,
    pub(super) memory_limit: Option<String>,
    pub(super) temp_dir: Option<PathBuf>,
    pub(super) partitions: Option<NonZeroUsize>,
    pub(super) batch_size: Option<NonZeroUsize>,
    pub(super) lease: Option<String>,
    pub(super) wait: Option<String>,
    #[serde(default)]
    pub(super) layers: FileLayers,
    #[serde(default)]
    pub(super) s3: FileS3,
    #[serde(default)]
    pub(super) params: BTreeMap<String, toml::Value>,
    #[serde(default)]
    pub(super) sources: BTreeMap<String, FileSource>,
}

/// The `[layers]` table: layers that are not in the warehouse's own location.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileLayers {
    raw: Option<String>,
    silver: Option<String>,
    models: Option<String>,
    eval: Option<String>,
}

impl FileLayers {
    /// Layer and location of each that is set.
    pub(super) fn into_pairs(self) -> impl Iterator<Item = (&'static str, String)> {
        let Self { raw, silver, models, eval } = self;
        let all = [("raw", raw), ("silver", silver), ("models", models), ("eval", eval)];
        all.into_iter().filter_map(|(layer, location)| Some((layer, location?)))
    }
}

/// One `[sources.NAME]` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileSource {
    pub(super) query: Option<String>,
    pub(super) format: Option<String>,
    pub(super) location: Option<String>,
    pub(super) header: Option<bool>,
    pub(super) delimiter: Option<char>,
    pub(super) quote: Option<char>,
    pub(super) escape: Option<char>,
    pub(super) comment: Option<char>,
    pub(super) names: Option<Vec<String>>,
    #[serde(default)]
    pub(super) types: BTreeMap<String, String>,
    pub(super) newlines: Option<bool>,
    pub(super) infer_rows: Option<NonZeroUsize>,
}

pub(super) fn read(path: &Path) -> Result<FileLayer> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::configuration(format!("cannot read `{}`", path.display())).with_source(error)
    })?;
    toml::from_str(&text).map_err(|error| {
        Error::configuration(format!("`{}` is not a valid configuration", path.display()))
            .with_context("at", error.to_string().trim_end().replace('\n', "\n      "))
            .with_hint("the README lists every key")
    })
}
