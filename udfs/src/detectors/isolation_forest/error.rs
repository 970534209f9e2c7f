//! What can go wrong.

use thiserror::Error;

use super::hyperparams::{MAX_DEPTH, MAX_ESTIMATORS, MAX_SAMPLE_ROWS};
use crate::detectors::signature::MAX_FEATURES;

/// A hyperparameter out of its range.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ParamError {
    /// Number of trees.
    #[error("`n_estimators` must be between 1 and {MAX_ESTIMATORS}, got {0}")]
    Estimators(u64),
    /// Rows per tree.
    #[error("`max_samples` must be between 2 and {MAX_SAMPLE_ROWS}, got {0}")]
    Samples(u64),
    /// Rows kept for training.
    #[error("`n_estimators` x `max_samples` must not exceed {MAX_SAMPLE_ROWS} rows, got {0}")]
    SampleRows(u64),
    /// Height limit.
    #[error("`max_depth` must be between 1 and {MAX_DEPTH}, got {0}")]
    Depth(u64),
}

/// Why a forest cannot be fitted.
#[derive(Debug, Error)]
pub enum FitError {
    /// A hyperparameter is out of its range.
    #[error(transparent)]
    Param(#[from] ParamError),
    /// No rows, no features, or more of them than a model can hold.
    #[error(
        "a forest needs 1 to {MAX_SAMPLE_ROWS} rows of 1 to {MAX_FEATURES} features, got {rows} \
         rows of {features}"
    )]
    Shape {
        /// Rows given.
        rows: usize,
        /// Features given.
        features: usize,
    },
    /// An error of linfa's own.
    #[error(transparent)]
    Linfa(#[from] linfa::Error),
}
