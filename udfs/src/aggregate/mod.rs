//! Aggregate functions: adapters between Arrow and the pure rooms.

pub(crate) mod average_precision;
pub(crate) mod f1_score;
pub(crate) mod precision;
pub(crate) mod recall;
pub(crate) mod roc_auc;
pub(crate) mod train_isolation_forest;

mod keys;
#[cfg(test)]
pub(crate) mod laws;
mod metric;
mod metric_state;
mod options;
pub(crate) mod train;
