//! What follows `pipeline sql`.

use clap::{Args, ValueEnum};

use super::settings::SettingsArgs;
use crate::config::Overrides;

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

impl SqlArgs {
    /// What stands above the configuration file.
    pub fn overrides(&self) -> Overrides {
        self.settings.overrides()
    }
}
