//! Metrics of a detector against labels: pure functions over slices and counts.
//!
//! The states ([`Scores`], [`Confusion`]) are commutative monoids: parts of the data can be
//! counted apart and merged in any order, and the metric is bit for bit the same.

mod average_precision;
mod confusion;
mod roc_auc;
mod scores;

pub use average_precision::average_precision;
pub use confusion::Confusion;
pub use roc_auc::roc_auc;
pub use scores::Scores;

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
mod tests;
