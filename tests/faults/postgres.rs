//! PostgreSQL failing under a run.

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![]
}
