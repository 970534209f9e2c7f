//! `pipeline gc`.

use super::args::{GcArgs, LogFormat};
use super::exec::{cancelled, command_line};
use super::output::{self, Narrator};
use crate::config::Settings;
use crate::error::Result;
use crate::pipeline::gc::{Options, collect};

pub(super) async fn run(args: GcArgs, log_format: LogFormat) -> Result<()> {
    let settings = Settings::load_without_scripts(&args.overrides())?;
    let options = Options { dry_run: args.dry_run, grace: args.grace, command: command_line() };
    let narrator = Narrator::new(log_format, args.dry_run);
    let collected = collect(&settings, &options, &narrator, cancelled()?).await?;
    output::collected(&collected);
    Ok(())
}
