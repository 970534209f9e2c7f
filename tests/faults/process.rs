//! Processes that are killed, paused, started twice.

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![]
}
