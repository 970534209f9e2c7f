//! Finding the weights.

use linfa::DatasetBase;
use linfa::traits::Fit;
use ndarray::{Array1, ArrayView2};

use super::error::FitError;
use super::hyperparams::LogisticRegressionValidParams;
use super::score::logistic;
use super::{LogisticRegression, MOST_WEIGHT};
use crate::detectors::scaler::Scaler;

/// The solver stops where no component of the gradient of the summed losses is larger.
const SOLVED: f64 = 1e-6;
/// A solution in which that of the mean loss is larger is none: scikit-learn's default tolerance.
const CONVERGED: f64 = 1e-4;

impl LogisticRegressionValidParams {
    /// Fits on rows, NaN where missing, and a label per row, of which some are true and some not.
    pub fn fit(
        &self,
        records: ArrayView2<'_, f64>,
        labels: &[bool],
    ) -> Result<LogisticRegression, FitError> {
        if records.ncols() == 0 || records.nrows() != labels.len() {
            return Err(FitError::Shape { labels: labels.len() });
        }
        let scaler = Scaler::standard(records);
        let scaled = scaler.transform(records);
        let targets: Array1<bool> = labels.iter().copied().collect();
        let fitted = linfa_logistic::LogisticRegression::default()
            .alpha(self.l2())
            .max_iterations(self.max_iterations())
            .gradient_tolerance(SOLVED)
            .fit(&DatasetBase::new(scaled.view(), targets))?;
        // linfa models the probability of the class that it likes to.
        let sign = if fitted.labels().pos.class { 1.0 } else { -1.0 };
        let model = LogisticRegression {
            params: self.clone(),
            scaler,
            intercept: sign * fitted.intercept(),
            weights: fitted.params().iter().map(|weight| sign * weight).collect(),
        };
        match model.is_solution(scaled.view(), labels) {
            true => Ok(model),
            false => Err(FitError::Convergence(self.max_iterations())),
        }
    }
}

impl LogisticRegression {
    /// Whether the gradient of the mean loss is next to zero at its weights.
    fn is_solution(&self, scaled: ArrayView2<'_, f64>, labels: &[bool]) -> bool {
        let mut gradient: Vec<f64> =
            self.weights.iter().map(|weight| self.params.l2() * weight).collect();
        let mut of_intercept = 0.0;
        for (row, label) in scaled.rows().into_iter().zip(labels) {
            let log_odds = self.log_odds(row.iter().copied());
            let error = logistic(log_odds) - f64::from(u8::from(*label));
            of_intercept += error;
            for (sum, value) in gradient.iter_mut().zip(row) {
                *sum += error * value;
            }
        }
        let bounded = |weight: &f64| weight.abs() <= MOST_WEIGHT;
        let tolerance = CONVERGED * labels.len() as f64;
        let flat = |slope: &f64| slope.abs() <= tolerance;
        bounded(&self.intercept)
            && self.weights.iter().all(bounded)
            && flat(&of_intercept)
            && gradient.iter().all(flat)
    }
}
