//! Metrics of a detector against labels: pure functions over slices and counts.
//!
//! The states ([`Scores`], [`Confusion`], [`MeanLoss`], [`TwoSamples`]) are commutative monoids:
//! parts of the data can be counted apart and merged in any order, and the metric is bit for bit
//! the same.

mod average_precision;
mod bins;
mod confusion;
mod curves;
mod drift;
mod losses;
mod roc_auc;
mod samples;
mod scores;
mod sum;
mod thresholds;

pub use average_precision::average_precision;
pub use bins::{Bins, SMALLEST_SHARE, jensen_shannon_distance, population_stability_index};
pub use confusion::Confusion;
pub use curves::{PrPoint, RocPoint, pr_curve, roc_curve};
pub use drift::{Sample, TwoSamples, ks_statistic, wasserstein_distance};
pub use losses::{BrierScore, LogLoss, Loss, MeanLoss};
pub use roc_auc::roc_auc;
pub use samples::Samples;
pub use scores::Scores;
pub use thresholds::{precision_at_k, recall_at_fpr};

/// A value that no metric is defined for.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum MetricError {
    /// A label is neither 0 nor 1.
    #[error("{argument} must be true, false, 1 or 0, got {value}")]
    NotBinary {
        /// The argument.
        argument: &'static str,
        /// The value.
        value: f64,
    },
    /// A score has no rank.
    #[error("score must be a number, got NaN")]
    NanScore,
    /// A probability is out of range.
    #[error("probability must be a number in [0, 1], got {value}")]
    NotProbability {
        /// The value.
        value: f64,
    },
}

/// Reads a truth value given as a number.
fn binary(argument: &'static str, value: f64) -> Result<bool, MetricError> {
    if value == 1.0 {
        Ok(true)
    } else if value == 0.0 {
        Ok(false)
    } else {
        Err(MetricError::NotBinary { argument, value })
    }
}

#[cfg(test)]
mod drift_tests;
#[cfg(test)]
mod tests;
