//! `pipeline exec`.

use tokio::signal::unix::{SignalKind, signal};

use super::args::{ExecArgs, LogFormat};
use super::output::{self, Narrator};
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::pipeline::runner::{self, Options};

pub(super) async fn run(args: ExecArgs, log_format: LogFormat) -> Result<()> {
    let settings = Settings::load(&args.path, &args.overrides())?;
    let options = Options {
        force: args.force,
        dry_run: args.dry_run,
        selection: args.selection(),
        command: command_line(),
    };
    let narrator = Narrator::new(log_format, args.dry_run);
    let outcome = runner::exec(&settings, &options, &narrator, cancelled()?).await;
    output::closing(&narrator, &outcome, &settings);
    outcome.map(|_| ())
}

/// Resolves at the first SIGINT or SIGTERM, to its name.
pub(super) fn cancelled() -> Result<impl Future<Output = &'static str>> {
    let listen = |kind| {
        signal(kind).map_err(|error| Error::io("cannot listen for signals").with_source(error))
    };
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
        }
    })
}

/// The command line for the record. The value of `--audit` may hold a password.
pub(super) fn command_line() -> String {
    let mut shown = vec!["pipeline".to_owned()];
    let mut hide_next = false;
    for argument in std::env::args().skip(1) {
        let secret = hide_next || argument.starts_with("--audit=");
        hide_next = argument == "--audit";
        shown.push(match (secret, argument.split_once('=')) {
            (true, Some(("--audit", _))) => "--audit=***".into(),
            (true, _) => "***".into(),
            (false, _) => argument,
        });
    }
    shown.join(" ")
}
