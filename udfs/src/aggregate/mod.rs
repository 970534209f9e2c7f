//! Aggregate functions: adapters between Arrow and the pure rooms.

mod keys;
#[cfg(test)]
pub(crate) mod laws;
mod options;
pub(crate) mod train_isolation_forest;
