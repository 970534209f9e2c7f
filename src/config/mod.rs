//! Configuration: default < `pipeline.toml` < environment < flag, checked once, read-only after.
//!
//! This room never opens a store, a session or a script; of our own rooms it knows only `error`.

pub mod env;
mod file;
mod location;
mod param;
mod secret;
mod size;
mod source;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use crate::error::{Error, Result};

pub use location::{AuditLocation, Location};
pub use param::{Literal, Param, ParamOrigin, Params};
pub use secret::Secret;
pub use size::parse_size;
pub use source::{SourceFormat, SourceSettings, TextOptions};

/// Name of the configuration file inside a folder of scripts.
pub const FILE_NAME: &str = "pipeline.toml";

/// What the command line and the environment set; `None` leaves the file's value or the default.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Another configuration file.
    pub config: Option<PathBuf>,
    /// Warehouse location, relative to the working directory.
    pub warehouse: Option<String>,
    /// Audit store location.
    pub audit: Option<Secret>,
    /// Memory limit in bytes.
    pub memory_limit: Option<usize>,
    /// Folder for spill files.
    pub temp_dir: Option<PathBuf>,
    /// Number of partitions (threads of work).
    pub partitions: Option<NonZeroUsize>,
    /// Rows per batch.
    pub batch_size: Option<NonZeroUsize>,
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
        let audit = match (&overrides.audit, &layer.audit) {
            (Some(text), _) => AuditLocation::parse(text.expose(), &here)?,
            (None, Some(text)) => AuditLocation::parse(text.expose(), &beside)?,
            (None, None) => AuditLocation::inside(&warehouse)?,
        };
        let memory_limit = match (overrides.memory_limit, &layer.memory_limit) {
            (Some(bytes), _) => Some(bytes),
            (None, Some(text)) => Some(parse_size(text).map_err(|reason| {
                Error::configuration(format!("`memory_limit` in {FILE_NAME}: {reason}"))
            })?),
            (None, None) => None,
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
            scripts,
            selected,
            file,
            warehouse,
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
            "warehouse": self.warehouse.to_string(),
            "audit": self.audit.to_string(),
            "memory_limit": self.memory_limit,
            "temp_dir": self.temp_dir,
            "partitions": self.partitions,
            "batch_size": self.batch_size,
            "sources": self.sources,
        })
        .to_string()
    }
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
