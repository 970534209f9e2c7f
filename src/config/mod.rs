//! Configuration: default < `pipeline.toml` < environment < flag, checked once, read-only after.
//!
//! This room never opens a store, a session or a script; of our own rooms it knows only `error`.

mod duration;
pub mod env;
mod file;
mod location;
mod memory;
mod param;
mod s3;
mod secret;
mod size;
mod source;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::Duration;

use file::FileLayers;

use crate::error::{Error, Result};

pub use duration::{parse_duration, parse_lease};
pub use location::{AuditLocation, Location};
pub use memory::MemoryLimit;
pub use param::{Literal, Param, ParamOrigin, Params};
pub use s3::{Credentials, S3Settings};
pub use secret::Secret;
pub use source::{SourceFormat, SourceSettings, TextOptions, format_unclear};

/// Name of the configuration file inside a folder of scripts.
pub const FILE_NAME: &str = "pipeline.toml";

/// The lease where nothing says otherwise: long enough for a database that restarts.
const LEASE: Duration = Duration::from_secs(30);

/// What the command line and the environment set; `None` leaves the file's value or the default.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Another configuration file.
    pub config: Option<PathBuf>,
    /// Warehouse location, relative to the working directory.
    pub warehouse: Option<String>,
    /// Audit store location.
    pub audit: Option<Secret>,
    /// Memory limit, in bytes or as a share of the container's.
    pub memory_limit: Option<MemoryLimit>,
    /// Folder for spill files.
    pub temp_dir: Option<PathBuf>,
    /// Number of partitions (threads of work).
    pub partitions: Option<NonZeroUsize>,
    /// Rows per batch.
    pub batch_size: Option<NonZeroUsize>,
    /// Duration of the lease.
    pub lease: Option<Duration>,
    /// How long to wait for another run.
    pub wait: Option<Duration>,
    /// `name=value` parameters.
    pub params: Vec<(String, String)>,
    /// `name=path` sources, relative to the working directory.
    pub sources: Vec<(String, String)>,
}

/// The effective, validated settings of one invocation.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder that is the pipeline.
    pub scripts: PathBuf,
    /// The file or sub-folder of it to run, where not all of it.
    pub selected: Option<PathBuf>,
    /// The configuration file, where there is one.
    pub file: Option<PathBuf>,
    /// Root of all layers.
    pub warehouse: Location,
    /// Layers that are elsewhere, by name: a location stands for the layer's folder.
    pub layers: BTreeMap<String, Location>,
    /// How buckets are reached.
    pub s3: S3Settings,
    /// The audit store.
    pub audit: AuditLocation,
    /// Memory limit of the engine in bytes; unlimited where `None`.
    pub memory_limit: Option<usize>,
    /// Folder for spill files; the system's temporary folder where `None`.
    pub temp_dir: Option<PathBuf>,
    /// Number of partitions.
    pub partitions: usize,
    /// Rows per batch.
    pub batch_size: usize,
    /// How long the warehouse stays reserved for a run that does not renew its lease: the longest
    /// time that a run whose process died keeps others waiting. At least a second.
    pub lease: Duration,
    /// How long to wait for another run to end; not at all where zero.
    pub wait: Duration,
    /// Parameters.
    pub params: Params,
    /// Sources by name.
    pub sources: BTreeMap<String, SourceSettings>,
}

impl Settings {
    /// Settings for the scripts at `path` (a folder, a phase of it, or one file) and the
    /// configuration file found beside them or in a folder above.
    pub fn load(path: &Path, overrides: &Overrides) -> Result<Self> {
        let path = existing(path)?;
        let folder = if path.is_dir() { path.clone() } else { parent(&path) };
        let beside = folder.ancestors().map(|folder| folder.join(FILE_NAME)).find(|f| f.is_file());
        // The folder that holds the configuration is the pipeline; a path below it selects.
        let scripts = match &beside {
            Some(file) => parent(file),
            None if is_phase(&folder) => parent(&folder),
            None => folder,
        };
        let file = match &overrides.config {
            Some(file) => Some(existing(file)?),
            None => beside,
        };
        let selected = (path != scripts).then(|| path.clone());
        Self::merge(scripts, selected, file, overrides)
    }

    /// Settings without scripts, for commands that only read the warehouse: the configuration
    /// file is the one named, or that of the working directory, its `sql` folder, or above.
    pub fn load_without_scripts(overrides: &Overrides) -> Result<Self> {
        let here = existing(Path::new("."))?;
        let file = match &overrides.config {
            Some(file) => Some(existing(file)?),
            None => here
                .ancestors()
                .flat_map(|folder| [folder.join(FILE_NAME), folder.join("sql").join(FILE_NAME)])
                .find(|file| file.is_file()),
        };
        let scripts = file.as_deref().map_or(here, parent);
        Self::merge(scripts, None, file, overrides)
    }

    fn merge(
        scripts: PathBuf,
        selected: Option<PathBuf>,
        file: Option<PathBuf>,
        overrides: &Overrides,
    ) -> Result<Self> {
        let layer = match &file {
            Some(file) => file::read(file)?,
            None => file::FileLayer::default(),
        };
        let beside = file.as_deref().map_or_else(|| scripts.clone(), parent);
        let here = existing(Path::new("."))?;

        let warehouse = match (&overrides.warehouse, &layer.warehouse) {
            (Some(text), _) => Location::parse(text, &here)?,
            (None, Some(text)) => Location::parse(text, &beside)?,
            (None, None) => Location::parse("warehouse", &here)?,
        };
        let layers = layers(layer.layers, &beside, &warehouse)?;
        if let (Some(_), Some(text)) = (&overrides.warehouse, &layer.warehouse)
            && let Some((name, _)) = layers.first_key_value()
            && Location::parse(text, &beside)? != warehouse
        {
            return Err(Error::configuration(format!(
                "[layers] of the configuration belongs to the warehouse {text}, not to {warehouse}"
            ))
            .with_context("would be written to", layers[name].to_string())
            .with_hint("name another configuration with --config, or leave --warehouse and PIPELINE_WAREHOUSE out"));
        }
        let audit = match (&overrides.audit, &layer.audit) {
            (Some(text), _) => AuditLocation::parse(text.expose(), &here)?,
            (None, Some(text)) => AuditLocation::parse(text.expose(), &beside)?,
            (None, None) => AuditLocation::inside(&warehouse)?,
        };
        let memory_limit = match overrides.memory_limit {
            Some(limit) => Some(limit),
            None => from_file("memory_limit", layer.memory_limit, MemoryLimit::parse)?,
        };
        let memory_limit = memory_limit.map(|limit| limit.bytes(Path::new("/"))).transpose()?;
        let lease = match overrides.lease {
            Some(lease) => Some(lease),
            None => from_file("lease", layer.lease, parse_lease)?,
        };
        let wait = match overrides.wait {
            Some(wait) => Some(wait),
            None => from_file("wait", layer.wait, parse_duration)?,
        };
        let temp_dir = overrides
            .temp_dir
            .clone()
            .or_else(|| layer.temp_dir.as_ref().map(|dir| beside.join(dir)));
        let cores = available_parallelism().map_or(1, NonZeroUsize::get);
        let mut sources = BTreeMap::new();
        for (name, source) in layer.sources {
            sources.insert(name.clone(), SourceSettings::from_file(&name, source, &beside)?);
        }
        for (name, path) in &overrides.sources {
            let source = SourceSettings::overridden(name, path, &here, sources.get(name))?;
            sources.insert(name.clone(), source);
        }
        Ok(Self {
            params: Params::new(layer.params, overrides.params.clone())?,
            partitions: overrides.partitions.or(layer.partitions).map_or(cores, NonZeroUsize::get),
            batch_size: overrides.batch_size.or(layer.batch_size).map_or(8192, NonZeroUsize::get),
            lease: lease.unwrap_or(LEASE),
            wait: wait.unwrap_or_default(),
            scripts,
            selected,
            file,
            s3: S3Settings::resolve(layer.s3, &beside, &env::read)?,
            warehouse,
            layers,
            audit,
            memory_limit,
            temp_dir,
            sources,
        })
    }

    /// The effective configuration as JSON for the audit store: no secrets.
    pub fn to_json(&self) -> String {
        serde_json::json!({
            "scripts": self.scripts,
            "selected": self.selected,
            "config": self.file,
            "warehouse": self.warehouse,
            "layers": self.layers,
            "s3": self.s3.shown(),
            "audit": self.audit.to_string(),
            "memory_limit": self.memory_limit,
            "temp_dir": self.temp_dir,
            "partitions": self.partitions,
            "batch_size": self.batch_size,
            "lease": humantime::format_duration(self.lease).to_string(),
            "sources": self.sources,
        })
        .to_string()
    }
}

/// A value of the file, read as its flag is.
fn from_file<T>(
    key: &str,
    text: Option<String>,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>> {
    let wrong = |reason| Error::configuration(format!("`{key}` in {FILE_NAME}: {reason}"));
    text.map(|text| parse(&text).map_err(wrong)).transpose()
}

/// The locations of layers, none of them inside another or in the warehouse: what is below one must
/// belong to it alone.
fn layers(
    file: FileLayers,
    beside: &Path,
    warehouse: &Location,
) -> Result<BTreeMap<String, Location>> {
    let mut layers: BTreeMap<String, Location> = BTreeMap::new();
    for (name, text) in file.into_pairs() {
        let location = Location::parse(&text, beside)
            .map_err(|error| error.with_context("key", format!("[layers] {name}")))?;
        let others = layers.iter().map(|(other, location)| (other.as_str(), location));
        for (other, taken) in others.chain([("the warehouse", warehouse)]) {
            if location.overlaps(taken) {
                return Err(Error::configuration(format!(
                    "[layers] {name}: {location} overlaps with {other} in {taken}"
                ))
                .with_hint("give each layer a bucket or a prefix of its own; a layer that is not named is in the warehouse"));
            }
        }
        layers.insert(name.to_owned(), location);
    }
    Ok(layers)
}

fn existing(path: &Path) -> Result<PathBuf> {
    path.canonicalize().map_err(|error| {
        Error::configuration(format!("cannot open `{}`", path.display()))
            .with_source(error)
            .with_hint("name a folder of SQL scripts, for example `pipeline exec sql/`")
    })
}

fn parent(path: &Path) -> PathBuf {
    path.parent().map_or_else(|| PathBuf::from("/"), Path::to_path_buf)
}

/// Whether a folder is a phase: named like one, `3_training`, with scripts right in it.
fn is_phase(folder: &Path) -> bool {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let rest = name.trim_start_matches(|c: char| c.is_ascii_digit());
    let has_scripts = || {
        let mut entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.any(|entry| entry.path().extension().is_some_and(|end| end == "sql"))
    };
    rest.len() < name.len() && rest.starts_with(['_', '-']) && has_scripts()
}
