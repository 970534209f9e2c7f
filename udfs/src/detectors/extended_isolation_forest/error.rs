//! What can go wrong.

use thiserror::Error;

use super::hyperparams::MAX_TERMS;
use crate::detectors::isolation_forest::{self, MAX_SAMPLE_ROWS};
use crate::detectors::signature::MAX_FEATURES;

/// A hyperparameter out of its range.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ParamError {
    /// One that an isolation forest has, too.
    #[error(transparent)]
    Forest(#[from] isolation_forest::ParamError),
    /// Columns of a cut but one.
    #[error("`extension_level` must be below {MAX_FEATURES}, got {0}")]
    Level(u64),
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
    /// More columns in a cut than there are.
    #[error(
        "`extension_level` must be below the number of columns, {columns}, got {level}; hint: \
         leave it out to cut with all columns"
    )]
    Level {
        /// Level given.
        level: u64,
        /// Columns there are.
        columns: usize,
    },
    /// The model would be too large.
    #[error(
        "`n_estimators` x `max_samples` x (`extension_level` + 1) must not exceed {MAX_TERMS}, got \
         {0}; hint: choose a lower `extension_level`"
    )]
    Terms(u64),
    /// An error of linfa's own.
    #[error(transparent)]
    Linfa(#[from] linfa::Error),
}
