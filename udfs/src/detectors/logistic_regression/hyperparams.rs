//! What the user may choose.

use linfa::ParamGuard;
use serde::{Deserialize, Serialize};

use super::LogisticRegression;
use super::error::ParamError;
use crate::detectors::sampling::Sampling;

/// Weakest regularisation: with none, weights of classes that a plane separates have no end.
pub const MIN_L2: f64 = 1e-6;
/// Strongest regularisation.
pub const MAX_L2: f64 = 1e6;
/// Most iterations of the solver.
pub const MAX_ITERATIONS: u64 = 100_000;
/// Most rows kept for training.
pub const MAX_SAMPLES: u64 = 1 << 20;

/// Hyperparameters not checked yet. Starts with the defaults; see [`Self::check`](ParamGuard).
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct LogisticRegressionParams(LogisticRegressionValidParams);

/// Hyperparameters within their ranges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogisticRegressionValidParams {
    l2: f64,
    max_iterations: u64,
    #[serde(flatten)]
    sampling: Sampling,
}

impl Default for LogisticRegressionParams {
    fn default() -> Self {
        Self(LogisticRegressionValidParams {
            l2: 1.0,
            max_iterations: 1000,
            sampling: LogisticRegression::DEFAULT_SAMPLING,
        })
    }
}

impl LogisticRegressionParams {
    /// Strength of the regularisation, [`MIN_L2`] to [`MAX_L2`]: scikit-learn's 1 / C. Default 1.
    pub fn l2(mut self, l2: f64) -> Self {
        self.0.l2 = l2;
        self
    }

    /// Limit of the solver, 1 to [`MAX_ITERATIONS`]. Default 1000.
    pub fn max_iterations(mut self, iterations: u64) -> Self {
        self.0.max_iterations = iterations;
        self
    }

    /// Rows that are kept: 2 to [`MAX_SAMPLES`], default 65536.
    pub fn sampling(mut self, sampling: Sampling) -> Self {
        self.0.sampling = sampling;
        self
    }
}

impl ParamGuard for LogisticRegressionParams {
    type Checked = LogisticRegressionValidParams;
    type Error = ParamError;

    fn check_ref(&self) -> Result<&Self::Checked, ParamError> {
        let params = &self.0;
        if !(MIN_L2..=MAX_L2).contains(&params.l2) {
            return Err(ParamError::L2(params.l2));
        }
        if !(1..=MAX_ITERATIONS).contains(&params.max_iterations) {
            return Err(ParamError::Iterations(params.max_iterations));
        }
        params.sampling.check(MAX_SAMPLES)?;
        Ok(params)
    }

    fn check(self) -> Result<Self::Checked, ParamError> {
        self.check_ref()?;
        Ok(self.0)
    }
}

impl LogisticRegressionValidParams {
    /// Strength of the regularisation.
    pub fn l2(&self) -> f64 {
        self.l2
    }

    /// Limit of the solver.
    pub fn max_iterations(&self) -> u64 {
        self.max_iterations
    }

    /// Which rows are kept.
    pub fn sampling(&self) -> Sampling {
        self.sampling
    }
}
