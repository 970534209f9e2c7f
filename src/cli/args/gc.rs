//! What follows `pipeline gc`.

use std::time::Duration;

use clap::Args;

use super::settings::{LeaseArgs, PlaceArgs};
use crate::config::{Overrides, parse_duration};

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

impl GcArgs {
    /// What stands above the configuration file.
    pub fn overrides(&self) -> Overrides {
        let LeaseArgs { wait, lease } = self.lease;
        Overrides { wait, lease, ..self.places.overrides() }
    }
}
