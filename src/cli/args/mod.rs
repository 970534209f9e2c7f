//! What can be typed: clap types, no I/O. One file per subcommand, `settings` for what they share.

mod audit;
mod exec;
mod gc;
mod model;
mod settings;
mod sql;

use clap::{Parser, Subcommand, ValueEnum};

pub use audit::{AuditArgs, AuditCommand, MigrateArgs, VerifyArgs};
pub use exec::ExecArgs;
pub use gc::GcArgs;
pub use model::{ModelArgs, ModelCommand, ModelExportArgs, ModelFormat};
pub use sql::{OutputFormat, SqlArgs};

use crate::config::env;

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
    /// Write published models for other programs
    Model(ModelArgs),
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
