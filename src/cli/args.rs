//! What can be typed: clap types, no I/O.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::{MemoryLimit, Overrides, Secret, env, parse_duration, parse_lease};
use crate::pipeline::select::Selection;

/// Finds anomalies in network events with SQL: ingestion, features, training and evaluation as a
/// folder of scripts, every result versioned, every run on record.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 done; 1 an ASSERT or `audit verify` said no; 2 usage, configuration, SQL or data is wrong; 3 a service or I/O failed, a retry may help; 70 a bug; 130 cancelled."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// What to log to stderr, for example `info` or `pipeline=debug`
    #[arg(long, global = true, value_name = "FILTER", default_value = "warn", env = env::LOG, help_heading = "Logging")]
    pub log: String,

    /// How to log
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text", env = env::LOG_FORMAT, help_heading = "Logging")]
    pub log_format: LogFormat,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a folder of SQL scripts: check all, run what changed, publish together
    Exec(ExecArgs),
    /// Run one query over the published layers and the audit store
    Sql(SqlArgs),
    /// Look after the audit store
    Audit(AuditArgs),
    /// Remove the files that nobody needs: those of stopped and failed runs
    Gc(GcArgs),
}

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line, for log collectors.
    Json,
}

/// Form of a query's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// Aligned columns.
    Table,
    /// Comma-separated values with a header.
    Csv,
    /// One JSON object per line.
    Json,
}

/// `pipeline exec`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pipeline exec sql/                                 run everything that changed
  pipeline exec sql/3_training --param trees=200     one phase, with another parameter
  pipeline exec sql/ --source events='flows/*.csv.gz'
  pipeline exec sql/ --from training --dry-run       say what would run, and why")]
pub struct ExecArgs {
    /// Folder of scripts, a phase of it, or one script
    #[arg(value_name = "PATH", default_value = "sql")]
    pub path: PathBuf,

    /// Run every step, whatever could be reused
    #[arg(long)]
    pub force: bool,

    /// Only say what would run and why; nothing is written
    #[arg(long)]
    pub dry_run: bool,

    /// Begin with this phase, script or relation
    #[arg(long, value_name = "STEP")]
    pub from: Option<String>,

    /// End with this phase, script or relation
    #[arg(long, value_name = "STEP")]
    pub until: Option<String>,

    /// Run only this phase, script or relation (repeatable)
    #[arg(long, value_name = "STEP")]
    pub select: Vec<String>,

    #[command(flatten)]
    lease: LeaseArgs,

    #[command(flatten)]
    settings: SettingsArgs,
}

/// `pipeline sql`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pipeline sql 'SELECT * FROM eval.metrics'
  pipeline sql 'SELECT * FROM audit.model_provenance' --format json")]
pub struct SqlArgs {
    /// The query
    #[arg(value_name = "QUERY")]
    pub query: String,

    /// Form of the result
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: OutputFormat,

    #[command(flatten)]
    settings: SettingsArgs,
}

/// `pipeline audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub command: AuditCommand,
}

/// The subcommands of `pipeline audit`.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Bring the tables of the store up to date, as their owner
    Migrate(MigrateArgs),
    /// Recompute the log and compare it with all tables, its head in the warehouse, and all files
    Verify(VerifyArgs),
}

/// `pipeline audit migrate`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pipeline audit migrate --audit 'postgres://owner@db/audit?schema=pipeline'

`pipeline exec` does the same where its user may; this is for stores whose tables belong to another.")]
pub struct MigrateArgs {
    #[command(flatten)]
    places: PlaceArgs,
}

/// `pipeline audit verify`.
#[derive(Debug, Args)]
#[command(
    after_help = "Only reads. Exits with 0 where all fits, with 1 where something does not, naming the first entry
of the log that does not fit."
)]
pub struct VerifyArgs {
    /// Leave out the files
    #[arg(long, conflicts_with = "current")]
    pub no_data: bool,

    /// Of the files, read only those of the current versions
    #[arg(long)]
    pub current: bool,

    #[command(flatten)]
    places: PlaceArgs,
}

/// `pipeline gc`.
#[derive(Debug, Args)]
#[command(
    after_help = "Removed are files that no version on record lists, and versions that were never published and
that no published version was made from. Whatever was published stays, also where something newer is
current: it is history that can be queried and reproduced. A run: it needs the warehouse for itself."
)]
pub struct GcArgs {
    /// Only list what would be removed; nothing is written
    #[arg(long)]
    pub dry_run: bool,

    /// Keep what is younger: a failed run can be resumed for as long
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = parse_duration)]
    pub grace: Duration,

    #[command(flatten)]
    places: PlaceArgs,

    #[command(flatten)]
    lease: LeaseArgs,
}

/// Where to find the configuration and what it is about.
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
struct PlaceArgs {
    /// Configuration file [default: pipeline.toml in the folder of scripts]
    #[arg(long, value_name = "FILE", env = env::CONFIG)]
    config: Option<PathBuf>,

    /// Root of all layers: a folder or s3://BUCKET/PREFIX [default: warehouse]
    #[arg(long, value_name = "LOCATION", env = env::WAREHOUSE, hide_env_values = true)]
    warehouse: Option<String>,

    /// Audit store: postgres://USER@HOST/DATABASE or a SQLite file [default: audit.db in the warehouse]
    #[arg(long, value_name = "URL", env = env::AUDIT, hide_env_values = true)]
    audit: Option<Secret>,
}

/// Settings that stand above the configuration file.
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
struct SettingsArgs {
    #[command(flatten)]
    places: PlaceArgs,

    /// Value of `$NAME` in the scripts (repeatable)
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = pair)]
    params: Vec<(String, String)>,

    /// File, folder or glob behind `landing.NAME`, also in s3:// (repeatable)
    #[arg(long = "source", value_name = "NAME=PATH", value_parser = pair)]
    sources: Vec<(String, String)>,

    /// Memory for the engine, for example 2GiB, or 60% of the container's or the machine's; beyond
    /// it, operators spill to disk [default: no limit]
    #[arg(long, value_name = "SIZE", value_parser = MemoryLimit::parse, env = env::MEMORY_LIMIT)]
    memory_limit: Option<MemoryLimit>,

    /// Folder for spill files [default: the system's]
    #[arg(long, value_name = "FOLDER", env = env::TEMP_DIR)]
    temp_dir: Option<PathBuf>,

    /// Partitions worked on at once [default: number of cores]
    #[arg(long, value_name = "N", env = env::PARTITIONS)]
    partitions: Option<NonZeroUsize>,

    /// Rows per batch [default: 8192]
    #[arg(long, value_name = "N", env = env::BATCH_SIZE)]
    batch_size: Option<NonZeroUsize>,
}

/// How a command that changes the warehouse shares it with others.
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
struct LeaseArgs {
    /// How long to wait for another run that holds the warehouse, for example 10m [default: 0]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, env = env::WAIT)]
    wait: Option<Duration>,

    /// How long the warehouse stays reserved for a run whose process died; renewed while it lives
    /// [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = parse_lease, env = env::LEASE)]
    lease: Option<Duration>,
}

impl ExecArgs {
    /// The chosen statements.
    pub fn selection(&self) -> Selection {
        Selection {
            from: self.from.clone(),
            until: self.until.clone(),
            select: self.select.clone(),
        }
    }

    /// What stands above the configuration file.
    pub fn overrides(&self) -> Overrides {
        let LeaseArgs { wait, lease } = self.lease;
        Overrides { wait, lease, ..self.settings.overrides() }
    }
}

impl SqlArgs {
    /// What stands above the configuration file.
    pub fn overrides(&self) -> Overrides {
        self.settings.overrides()
    }
}

impl MigrateArgs {
    /// What stands above the configuration file.
    pub fn overrides(&self) -> Overrides {
        self.places.overrides()
    }
}

impl VerifyArgs {
    /// What stands above the configuration file.
    pub fn overrides(&self) -> Overrides {
        self.places.overrides()
    }
}

impl GcArgs {
    /// What stands above the configuration file.
    pub fn overrides(&self) -> Overrides {
        let LeaseArgs { wait, lease } = self.lease;
        Overrides { wait, lease, ..self.places.overrides() }
    }
}

impl PlaceArgs {
    fn overrides(&self) -> Overrides {
        Overrides {
            config: self.config.clone(),
            warehouse: self.warehouse.clone(),
            audit: self.audit.clone(),
            ..Overrides::default()
        }
    }
}

impl SettingsArgs {
    fn overrides(&self) -> Overrides {
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
