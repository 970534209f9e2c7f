//! Aggregate functions: adapters between Arrow and the pure rooms.

pub(crate) mod average_precision;
pub(crate) mod f1_score;
pub(crate) mod precision;
pub(crate) mod recall;
pub(crate) mod roc_auc;

mod metric;
mod metric_state;
