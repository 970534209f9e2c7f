//! Flags that several commands share.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::config::{MemoryLimit, Overrides, Secret, env, parse_duration, parse_lease};

/// Where to find the configuration and what it is about.
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
pub(super) struct PlaceArgs {
    /// Configuration file [default: pipeline.toml in the folder of scripts]
    #[arg(long, value_name = "FILE", env = env::CONFIG)]
    pub(super) config: Option<PathBuf>,

    /// Root of all layers: a folder or s3://BUCKET/PREFIX [default: warehouse]
    #[arg(long, value_name = "LOCATION", env = env::WAREHOUSE, hide_env_values = true)]
    pub(super) warehouse: Option<String>,

    /// Audit store: postgres://USER@HOST/DATABASE or a SQLite file [default: audit.db in the warehouse]
    #[arg(long, value_name = "URL", env = env::AUDIT, hide_env_values = true)]
    pub(super) audit: Option<Secret>,
}

/// Settings that stand above the configuration file.
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
pub(super) struct SettingsArgs {
    #[command(flatten)]
    pub(super) places: PlaceArgs,

    /// Value of `$NAME` in the scripts (repeatable)
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = pair)]
    pub(super) params: Vec<(String, String)>,

    /// File, folder or glob behind `landing.NAME`, also in s3:// (repeatable)
    #[arg(long = "source", value_name = "NAME=PATH", value_parser = pair)]
    pub(super) sources: Vec<(String, String)>,

    /// Memory for the engine, for example 2GiB, or 60% of the container's or the machine's; beyond
    /// it, operators spill to disk [default: no limit]
    #[arg(long, value_name = "SIZE", value_parser = MemoryLimit::parse, env = env::MEMORY_LIMIT)]
    pub(super) memory_limit: Option<MemoryLimit>,

    /// Folder for spill files [default: the system's]
    #[arg(long, value_name = "FOLDER", env = env::TEMP_DIR)]
    pub(super) temp_dir: Option<PathBuf>,

    /// Partitions worked on at once [default: number of cores]
    #[arg(long, value_name = "N", env = env::PARTITIONS)]
    pub(super) partitions: Option<NonZeroUsize>,

    /// Rows per batch [default: 8192]
    #[arg(long, value_name = "N", env = env::BATCH_SIZE)]
    pub(super) batch_size: Option<NonZeroUsize>,
}

/// How a command that changes the warehouse shares it with others.
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
pub(super) struct LeaseArgs {
    /// How long to wait for another run that holds the warehouse, for example 10m [default: 0]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, env = env::WAIT)]
    pub(super) wait: Option<Duration>,

    /// How long the warehouse stays reserved for a run whose process died; renewed while it lives
    /// [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = parse_lease, env = env::LEASE)]
    pub(super) lease: Option<Duration>,
}

impl PlaceArgs {
    pub(super) fn overrides(&self) -> Overrides {
        Overrides {
            config: self.config.clone(),
            warehouse: self.warehouse.clone(),
            audit: self.audit.clone(),
            ..Overrides::default()
        }
    }
}

impl SettingsArgs {
    pub(super) fn overrides(&self) -> Overrides {
        Overrides {
            memory_limit: self.memory_limit,
            temp_dir: self.temp_dir.clone(),
            partitions: self.partitions,
            batch_size: self.batch_size,
            params: self.params.clone(),
            sources: self.sources.clone(),
            ..self.places.overrides()
        }
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is not NAME=VALUE")),
    }
}
