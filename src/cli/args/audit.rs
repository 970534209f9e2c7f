//! What follows `pipeline audit`.

use clap::{Args, Subcommand};

use super::settings::PlaceArgs;
use crate::config::Overrides;

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
