//! An object store that fails, behind a proxy that injects the faults.

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![]
}
