//! Logs: tracing to stderr, set up once. stdout is for data.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::cli::args::LogFormat;
use crate::error::{Error, Result};

/// Starts logging. `filter` is in the syntax of `RUST_LOG`, for example `info` or
/// `pipeline=debug,warn`.
pub fn init(filter: &str, format: LogFormat) -> Result<()> {
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        Error::configuration(format!("`{filter}` is not a log filter"))
            .with_source(error)
            .with_hint("for example `--log info` or `--log pipeline=debug`")
    })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let builder = match std::io::stderr().is_terminal() {
        true => builder,
        false => builder.with_ansi(false),
    };
    let started = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| Error::internal("logging was started twice").with_source(error))
}
