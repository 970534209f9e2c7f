//! Parses the command line, runs it, and turns the result into an exit code. The only place that
//! ends the process.

use std::process::ExitCode;

use clap::Parser;
use pipeline::cli::{self, Cli};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let log_format = cli.log_format;
    match cli::main(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::output::error(&error, log_format);
            ExitCode::from(error.kind().exit_code())
        }
    }
}
