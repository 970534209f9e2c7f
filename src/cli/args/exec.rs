//! What follows `pipeline exec`.

use std::path::PathBuf;

use clap::Args;

use super::settings::{LeaseArgs, SettingsArgs};
use crate::config::Overrides;
use crate::pipeline::select::Selection;

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
