//! `pipeline audit verify` as users run it: whatever is changed behind the program's back is noticed,
//! and the first entry that does not fit is named. Every change is one test.
#![allow(clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

mod cases;
#[path = "../common/mod.rs"]
mod common;
mod world;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::Arguments;
use world::World;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let (sqlite, postgres) = (Arc::new(World::on_sqlite()), Arc::new(World::on_postgres()));
    let mut trials = cases::trials("sqlite", &sqlite);
    trials.extend(cases::trials("postgres", &postgres));
    libtest_mimic::run(&arguments, trials).exit_code()
}
