//! One-class support vector machine (Schoelkopf, Platt, Shawe-Taylor, Smola, Williamson 2001): the
//! smallest smooth region that holds most training rows. The score of a row is how far it is
//! outside: `rho - sum alpha_i exp(-gamma |x - s_i|^2)` over the support vectors `s_i`, above 0
//! outside; scikit-learn's `decision_function` is its negative.
//!
//! Fitted by linfa's sequential minimal optimisation, which gives the same decision function as
//! scikit-learn. It uses the exponential function of the platform, so that models have the same
//! bits on one kind of machine. The fit holds a number for each pair of rows.
//!
//! Columns are standardised. A missing value counts as the mean of its column.
//!
//! # Explanation
//! The base is `rho - sum alpha_i`, the score of a row that is every support vector at once. What
//! the distance to a support vector adds, `alpha_i (1 - exp(...))`, is shared out in proportion to
//! the squared differences.

mod hyperparams;
#[cfg(test)]
mod tests;

use linfa::DatasetBase;
use linfa::dataset::Pr;
use linfa::traits::Fit;
use linfa_svm::{Svm, SvmError};
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use hyperparams::{MAX_SAMPLE_ROWS, OneClassSvmParams, OneClassSvmValidParams, ParamError};

use super::json::checked;
use super::rows::{Rows, share_out, squared};
use super::sampling::Sampling;
use super::scaler::{MOST_SCALED, Scaler};
use super::training::Hyperparameters;
use super::wire::{Reader, WireError, put_numbers};
use super::{Algorithm, Attribution, Detector};

/// How far the conditions of the optimum may be missed.
const TOLERANCE: f64 = 1e-6;

/// Why no region can be found.
#[derive(Debug, Error)]
pub enum FitError {
    /// No rows or no columns.
    #[error("a region needs at least one row of one column, got {rows} rows of {columns}")]
    Empty {
        /// Rows given.
        rows: usize,
        /// Columns given.
        columns: usize,
    },
    /// Rows that are no matrix.
    #[error(transparent)]
    Shape(#[from] ndarray::ShapeError),
    /// linfa found none.
    #[error(transparent)]
    Svm(#[from] SvmError),
    /// linfa found something that is none.
    #[error("the support vectors are not numbers; hint: another `gamma`")]
    Numbers,
}

/// A fitted region.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneClassSvm {
    #[serde(rename = "options", deserialize_with = "checked::<_, OneClassSvmParams>")]
    params: OneClassSvmValidParams,
    scaler: Scaler,
    gamma: f64,
    rho: f64,
    /// In (0, 1], of each support vector.
    alphas: Vec<f64>,
    support: Rows,
}

impl OneClassSvmValidParams {
    /// Fits on rows, NaN where a value is missing.
    pub fn fit_rows(&self, records: ArrayView2<'_, f64>) -> Result<OneClassSvm, FitError> {
        let (rows, columns) = records.dim();
        if rows == 0 || columns == 0 {
            return Err(FitError::Empty { rows, columns });
        }
        let scaler = Scaler::standard(records);
        let rows = Rows::scaled(&scaler, records);
        let gamma = self.gamma().unwrap_or_else(|| default_gamma(&rows));
        let fitted = Svm::<f64, Pr>::params()
            .gaussian_kernel(1.0 / gamma)
            .nu_weight(self.nu())
            .eps(TOLERANCE)
            .shrinking(false)
            .fit(&DatasetBase::from(rows.view()?.to_owned()))?;
        let (mut alphas, mut support) = (vec![], vec![]);
        for (alpha, row) in fitted.alpha.iter().zip(rows.iter()).filter(|(a, _)| **a > 0.0) {
            alphas.push(alpha.min(1.0));
            support.extend_from_slice(row);
        }
        if alphas.is_empty() || !fitted.rho.is_finite() {
            return Err(FitError::Numbers);
        }
        let support = Rows::new(support, columns);
        Ok(OneClassSvm { params: self.clone(), scaler, gamma, rho: fitted.rho, alphas, support })
    }
}

/// 1 / (columns x variance), as scikit-learn's `gamma='scale'`.
fn default_gamma(rows: &Rows) -> f64 {
    let values = rows.values();
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / count;
    match variance > 0.0 {
        true => 1.0 / (rows.columns() as f64 * variance),
        false => 1.0,
    }
}

impl OneClassSvm {
    /// Where rows are kept by default.
    pub const DEFAULT_SAMPLING: Sampling = Sampling::of(2048);

    /// Hyperparameters to start from.
    pub fn params() -> OneClassSvmParams {
        OneClassSvmParams::default()
    }
}

impl Detector for OneClassSvm {
    fn algorithm(&self) -> Algorithm {
        Algorithm::OneClassSvm
    }

    fn options(&self) -> Vec<(&'static str, String)> {
        self.params.options(self.gamma)
    }

    fn scores(&self, records: ArrayView2<'_, f64>) -> Vec<f64> {
        let score = |row: &[f64]| {
            let kernels = self.alphas.iter().zip(self.support.iter());
            let kernels = kernels.map(|(a, s)| a * libm::exp(-self.gamma * squared(row, s)));
            self.rho - kernels.sum::<f64>()
        };
        Rows::scaled(&self.scaler, records).iter().map(score).collect()
    }

    fn attribute(&self, records: ArrayView2<'_, f64>) -> Attribution {
        let base = self.rho - self.alphas.iter().sum::<f64>();
        let mut contributions = Array2::zeros((records.nrows(), self.scaler.columns()));
        let rows = Rows::scaled(&self.scaler, records);
        for (row, mut shares) in rows.iter().zip(contributions.rows_mut()) {
            // A new array is in standard order.
            let Some(shares) = shares.as_slice_mut() else { continue };
            for (alpha, support) in self.alphas.iter().zip(self.support.iter()) {
                let missing = -libm::expm1(-self.gamma * squared(row, support));
                share_out(alpha * missing, row, support, shares);
            }
        }
        Attribution { bases: vec![base; records.nrows()], contributions }
    }

    /// ```text
    /// hyperparameters | scaler | gamma f64 | rho f64 | support vectors u32 x (alpha f64, row)
    /// ```
    fn encode(&self, out: &mut Vec<u8>) {
        self.params.encode(out);
        self.scaler.encode(out);
        put_numbers(out, [&self.gamma, &self.rho]);
        out.extend_from_slice(&(self.alphas.len() as u32).to_le_bytes());
        for (alpha, row) in self.alphas.iter().zip(self.support.iter()) {
            put_numbers(out, std::iter::once(alpha).chain(row));
        }
    }
}

/// Reads one over `columns` columns.
pub(in crate::detectors) fn decode(
    mut reader: Reader<'_>,
    columns: usize,
) -> Result<OneClassSvm, WireError> {
    let params = OneClassSvmValidParams::decode(&mut reader)?;
    let scaler = Scaler::decode(&mut reader, columns)?;
    let (gamma, rho) = (reader.finite()?, reader.finite()?);
    let count = reader.u32()?;
    if count == 0 || u64::from(count) > params.sample_rows() {
        return Err(WireError::Invalid("it has no support vectors, or too many"));
    }
    let (mut alphas, mut support) = (vec![], vec![]);
    for _ in 0..count {
        alphas.push(reader.finite()?);
        support.extend(reader.numbers_within(columns, MOST_SCALED)?);
    }
    reader.finish()?;
    if !(gamma > 0.0 && alphas.iter().all(|alpha| *alpha > 0.0 && *alpha <= 1.0)) {
        return Err(WireError::Invalid("its kernel is none"));
    }
    Ok(OneClassSvm { params, scaler, gamma, rho, alphas, support: Rows::new(support, columns) })
}
