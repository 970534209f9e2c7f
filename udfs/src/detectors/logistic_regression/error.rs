//! What can go wrong.

use thiserror::Error;

use super::hyperparams::{MAX_ITERATIONS, MAX_L2, MIN_L2};
use crate::detectors::sampling::SamplingError;

/// A hyperparameter out of its range.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ParamError {
    /// Strength of the regularisation.
    #[error("`l2` must be between {MIN_L2} and {MAX_L2}, got {0}")]
    L2(f64),
    /// Limit of the solver.
    #[error("`max_iterations` must be between 1 and {MAX_ITERATIONS}, got {0}")]
    Iterations(u64),
    /// Rows kept for training.
    #[error(transparent)]
    Sampling(#[from] SamplingError),
}

/// Why a regression cannot be fitted.
#[derive(Debug, Error)]
pub enum FitError {
    /// No columns, or not a label per row.
    #[error("a regression needs rows of at least 1 column and as many labels, got {labels} labels")]
    Shape {
        /// Labels given.
        labels: usize,
    },
    /// The solver gave up before the weights were found.
    #[error(
        "the weights were not found within `max_iterations` = {0}; hint: raise `max_iterations` or \
         `l2`"
    )]
    Convergence(u64),
    /// An error of linfa's own.
    #[error("{0}; hint: raise `l2`")]
    Linfa(#[from] linfa_logistic::error::Error),
}
