//! What can go wrong.

use thiserror::Error;

use super::hyperparams::{MAX_DEPTH, MAX_ESTIMATORS, MAX_SAMPLES, MAX_TREE_ROWS};
use crate::detectors::sampling::SamplingError;
use crate::detectors::signature::MAX_FEATURES;

/// A hyperparameter out of its range.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ParamError {
    /// Number of trees.
    #[error("`n_estimators` must be between 1 and {MAX_ESTIMATORS}, got {0}")]
    Estimators(u64),
    /// Rows kept for training.
    #[error(transparent)]
    Sampling(#[from] SamplingError),
    /// Rows of all trees.
    #[error("`n_estimators` x `max_samples` must not exceed {MAX_TREE_ROWS} rows, got {0}")]
    TreeRows(u64),
    /// Height limit.
    #[error("`max_depth` must be between 1 and {MAX_DEPTH}, got {0}")]
    Depth(u64),
    /// Columns tried per node.
    #[error("`max_features` must be between 1 and {MAX_FEATURES}, got {0}")]
    Features(u64),
    /// Rows of a leaf.
    #[error("`min_samples_leaf` must be between 1 and {MAX_SAMPLES}, got {0}")]
    Leaf(u64),
}

/// Why a forest cannot be fitted.
#[derive(Debug, Error)]
pub enum FitError {
    /// No rows, no features, more of them than a model can hold, or not a label per row.
    #[error(
        "a forest needs 1 to {MAX_SAMPLES} rows of 1 to {MAX_FEATURES} features and as many \
         labels, got {rows} rows of {features} and {labels} labels"
    )]
    Shape {
        /// Rows given.
        rows: usize,
        /// Features given.
        features: usize,
        /// Labels given.
        labels: usize,
    },
}
