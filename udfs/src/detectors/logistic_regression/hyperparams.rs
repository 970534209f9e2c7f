//! What the user may choose.

use super::error::ParamError;

/// Weakest regularisation: with none, weights of classes that a plane separates have no end.
pub const MIN_L2: f64 = 1e-6;
/// Strongest regularisation.
pub const MAX_L2: f64 = 1e6;
/// Most iterations of the solver.
pub const MAX_ITERATIONS: u64 = 100_000;
/// Most rows kept for training.
pub const MAX_SAMPLES: u64 = 1 << 20;

/// Hyperparameters not checked yet. Starts with the defaults; see [`Self::check`].
#[derive(Debug, Clone, PartialEq)]
pub struct LogisticRegressionParams(LogisticRegressionValidParams);

/// Hyperparameters within their ranges.
#[derive(Debug, Clone, PartialEq)]
pub struct LogisticRegressionValidParams {
    l2: f64,
    max_iterations: u64,
    max_samples: u64,
    seed: u64,
}

impl Default for LogisticRegressionParams {
    fn default() -> Self {
        Self(LogisticRegressionValidParams {
            l2: 1.0,
            max_iterations: 1000,
            max_samples: 65_536,
            seed: 42,
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

    /// Rows kept for training, 2 to [`MAX_SAMPLES`]. Default 65536.
    pub fn max_samples(mut self, rows: u64) -> Self {
        self.0.max_samples = rows;
        self
    }

    /// Seed of the sample. Default 42.
    pub fn seed(mut self, seed: u64) -> Self {
        self.0.seed = seed;
        self
    }

    /// Checks the ranges.
    pub fn check(self) -> Result<LogisticRegressionValidParams, ParamError> {
        let params = self.0;
        if !(MIN_L2..=MAX_L2).contains(&params.l2) {
            return Err(ParamError::L2(params.l2));
        }
        if !(1..=MAX_ITERATIONS).contains(&params.max_iterations) {
            return Err(ParamError::Iterations(params.max_iterations));
        }
        if !(2..=MAX_SAMPLES).contains(&params.max_samples) {
            return Err(ParamError::Samples(params.max_samples));
        }
        Ok(params)
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

    /// Most rows kept for training.
    pub fn max_samples(&self) -> u64 {
        self.max_samples
    }

    /// Seed of the sample.
    pub fn seed(&self) -> u64 {
        self.seed
    }
}
