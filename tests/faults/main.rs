//! What must survive: processes killed, services failing, disks filling up. Real processes, real
//! servers; every case is one test, so that the closing line counts them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may fail loudly")]
#![allow(clippy::print_stdout, reason = "and say what they have hit")]

#[path = "../common/mod.rs"]
mod common;
mod limits;
mod object_store;
mod postgres;
mod process;
mod proxy;
mod subject;
mod world;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let rooms: [fn() -> Vec<Trial>; 4] =
        [process::trials, limits::trials, object_store::trials, postgres::trials];
    let trials = rooms.into_iter().flat_map(|trials| trials()).collect();
    let mut arguments = Arguments::from_args();
    // Most of them wait most of the time: for a lease to end, for a server to come back.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    arguments.test_threads.get_or_insert(cores * 3);
    libtest_mimic::run(&arguments, trials).exit_code()
}
