//! Logistic regression: the probability that a row is an anomaly, from labelled rows.
//!
//! linfa's (L-BFGS) fits it: the sum of the losses of all rows plus `l2` / 2 times the squared
//! weights is least, as scikit-learn's `LogisticRegression(C=1/l2)` has it; the intercept is free.
//! The fit costs O(rows x columns) per iteration, a score O(columns); a model has three numbers
//! per column. linfa multiplies matrices with the instructions that the processor has, so models
//! have the same bits on one kind of machine, and weights equal to about 1e-6 elsewhere.
//!
//! # Scaling and missing values
//! Columns are standardised, so that `l2` treats them alike and weights can be compared; the scale
//! is part of the model. NaN means missing and becomes the mean of training. Infinities count as
//! the largest finite numbers, and scaled values are cut at a million standard deviations.
//!
//! # Explanation
//! On the scale of log odds, every column adds its weight times its scaled value to the intercept.
//! The secant of the logistic function between the intercept and the log odds of the row brings
//! these terms to the scale of probability in the same proportions. The base is the score of a row
//! whose values are the means of training.
//!
//! # Example
//! ```
//! use linfa::ParamGuard;
//! use ndarray::{Array2, array};
//! use udfs::detectors::Detector;
//! use udfs::detectors::logistic_regression::LogisticRegression;
//!
//! let rows = Array2::from_shape_fn((100, 1), |(row, _)| row as f64);
//! let labels: Vec<bool> = (0..100).map(|row| row >= 80).collect();
//! let model = LogisticRegression::params().check()?.fit(rows.view(), &labels)?;
//!
//! let scores = model.scores(array![[10.0], [95.0]].view());
//! assert!(scores[0] < 0.1 && scores[1] > 0.8);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod codec;
mod error;
mod fit;
mod hyperparams;
mod score;

#[cfg(test)]
mod tests;

use std::error::Error;
use std::sync::Arc;

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::json::checked;
use super::sampling::Sampling;
use super::scaler::Scaler;
use super::training::{Hyperparameters, Threshold, both_classes};
use super::{Algorithm, Attribution, Detector};

pub(super) use codec::decode;
pub use error::{FitError, ParamError};
pub use hyperparams::{
    LogisticRegressionParams, LogisticRegressionValidParams, MAX_ITERATIONS, MAX_L2, MAX_SAMPLES,
    MIN_L2,
};

/// The largest weight: far beyond what `l2` permits, and far from overflow with any scaled row.
const MOST_WEIGHT: f64 = 1e12;

/// A fitted logistic regression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogisticRegression {
    #[serde(rename = "options", deserialize_with = "checked::<_, LogisticRegressionParams>")]
    params: LogisticRegressionValidParams,
    scaler: Scaler,
    intercept: f64,
    /// Of each scaled column.
    weights: Vec<f64>,
}

impl LogisticRegression {
    /// Where rows are kept by default.
    pub const DEFAULT_SAMPLING: Sampling = Sampling::of(65_536);

    /// Hyperparameters to start from.
    pub fn params() -> LogisticRegressionParams {
        LogisticRegressionParams::default()
    }

    /// Log odds of an anomaly where every column has its mean.
    pub fn intercept(&self) -> f64 {
        self.intercept
    }

    /// What a standard deviation of each column adds to the log odds.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }
}

impl Hyperparameters for LogisticRegressionValidParams {
    fn sample_rows(&self) -> u64 {
        self.sampling().max_samples
    }

    fn seed(&self) -> u64 {
        self.sampling().seed
    }

    fn encode(&self, out: &mut Vec<u8>) {
        self.encode(out);
    }

    fn threshold(&self) -> Threshold {
        Threshold::Score(0.5)
    }

    fn fit(
        &self,
        records: ArrayView2<'_, f64>,
        labels: Option<&[bool]>,
    ) -> Result<Arc<dyn Detector>, Box<dyn Error + Send + Sync>> {
        Ok(Arc::new(self.fit(records, both_classes(labels)?)?))
    }
}

impl Detector for LogisticRegression {
    fn algorithm(&self) -> Algorithm {
        Algorithm::LogisticRegression
    }

    fn options(&self) -> Vec<(&'static str, String)> {
        let [max_samples, seed] = self.params.sampling().options();
        vec![
            ("l2", self.params.l2().to_string()),
            ("max_iterations", self.params.max_iterations().to_string()),
            max_samples,
            seed,
        ]
    }

    fn scores(&self, records: ArrayView2<'_, f64>) -> Vec<f64> {
        self.scores(records)
    }

    fn attribute(&self, records: ArrayView2<'_, f64>) -> Attribution {
        self.attribute(records)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        self.encode(out);
    }
}
