//! The command line: one file per subcommand. `args` says what can be typed, `output` is the only
//! place that prints.

pub mod args;
mod audit;
mod exec;
mod gc;
mod model;
pub mod output;
mod sql;

use std::num::NonZeroUsize;
use std::time::Duration;

pub use args::Cli;

use crate::error::{Error, Result};
use crate::telemetry;
use args::Command;

/// Stack of each thread; memory is used only as deep as it goes.
const STACK: usize = 64 << 20;

/// Runs a parsed command line.
pub fn main(cli: Cli) -> Result<()> {
    telemetry::init(&cli.log, cli.log_format)?;
    // Planning recurses as deep as a query nests: the main thread's stack is too small for that.
    let driver = std::thread::Builder::new().stack_size(STACK).spawn(move || drive(cli));
    let driver = driver.map_err(|error| Error::io("cannot start a thread").with_source(error))?;
    driver.join().unwrap_or_else(|_| Err(Error::internal("the program panicked")))
}

fn drive(cli: Cli) -> Result<()> {
    // Beside the workers that compute, one that hears signals and keeps the lease.
    let workers = std::thread::available_parallelism().map_or(1, NonZeroUsize::get) + 1;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .thread_stack_size(STACK)
        .enable_all()
        .build()
        .map_err(|error| Error::io("cannot start the worker threads").with_source(error))?;
    let outcome = runtime.block_on(async {
        match cli.command {
            Command::Exec(args) => exec::run(args, cli.log_format).await,
            Command::Sql(args) => sql::run(args).await,
            Command::Model(args) => model::run(args).await,
            Command::Audit(args) => audit::run(args).await,
            Command::Gc(args) => gc::run(args, cli.log_format).await,
        }
    });
    // What was left in the middle removes its files, unless it blocks: that must not delay the end.
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}
