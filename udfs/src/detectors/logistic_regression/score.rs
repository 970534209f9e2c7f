//! Scoring rows, and what each column adds to a score.

use ndarray::{Array2, ArrayView2};

use super::LogisticRegression;
use crate::detectors::Attribution;

/// The probability of these log odds.
pub(super) fn logistic(log_odds: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-log_odds))
}

impl LogisticRegression {
    /// Of a scaled row.
    pub(super) fn log_odds(&self, row: impl IntoIterator<Item = f64>) -> f64 {
        let terms = self.weights.iter().zip(row).map(|(weight, value)| weight * value);
        self.intercept + terms.sum::<f64>()
    }

    /// The probability that each row is an anomaly, from 0 to 1. `records` has the columns of the
    /// training data, NaN where missing.
    pub fn scores(&self, records: ArrayView2<'_, f64>) -> Vec<f64> {
        let scaled = self.scaler.transform(records);
        scaled.rows().into_iter().map(|row| logistic(self.log_odds(row.iter().copied()))).collect()
    }

    /// What each column adds to the probabilities, beside that of a row of means.
    pub fn attribute(&self, records: ArrayView2<'_, f64>) -> Attribution {
        let base = logistic(self.intercept);
        let scaled = self.scaler.transform(records);
        let mut contributions = Array2::zeros(records.dim());
        for (row, mut parts) in scaled.rows().into_iter().zip(contributions.rows_mut()) {
            let log_odds = self.log_odds(row.iter().copied());
            let secant = match log_odds - self.intercept {
                difference if difference.abs() < 1e-6 => base * (1.0 - base),
                difference => (logistic(log_odds) - base) / difference,
            };
            for ((part, weight), value) in parts.iter_mut().zip(&self.weights).zip(row) {
                *part = secant * weight * value;
            }
        }
        Attribution { bases: vec![base; records.nrows()], contributions }
    }
}
