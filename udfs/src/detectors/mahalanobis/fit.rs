//! The inverse of the shrunk correlations, through their Cholesky factor.

use std::error::Error;
use std::sync::Arc;

use ndarray::{Array2, ArrayView2};

use super::{FitError, MAX_COLUMNS, Mahalanobis, MahalanobisValidParams};
use crate::detectors::Detector;
use crate::detectors::correlation::correlations;
use crate::detectors::scaler::Scaler;
use crate::detectors::training::{Hyperparameters, Threshold};

/// Share of the sample above the threshold, where contamination is not given.
const DEFAULT_SHARE: f64 = 0.01;

impl Hyperparameters for MahalanobisValidParams {
    fn sample_rows(&self) -> u64 {
        self.sampling.max_samples
    }

    fn seed(&self) -> u64 {
        self.sampling.seed
    }

    fn encode(&self, out: &mut Vec<u8>) {
        self.encode(out);
    }

    fn threshold(&self) -> Threshold {
        Threshold::Share(DEFAULT_SHARE)
    }

    fn fit(
        &self,
        records: ArrayView2<'_, f64>,
        _: Option<&[bool]>,
    ) -> Result<Arc<dyn Detector>, Box<dyn Error + Send + Sync>> {
        if records.ncols() > MAX_COLUMNS {
            return Err(FitError::Columns(records.ncols()).into());
        }
        let scaler = Scaler::standard(records);
        let mut correlations = correlations(scaler.transform(records).view());
        // A column without a spread is measured as it is.
        correlations.diag_mut().fill(1.0);
        let mut shrunk = correlations * (1.0 - self.shrinkage);
        shrunk.diag_mut().mapv_inplace(|one| one + self.shrinkage);
        let precision = inverse(shrunk).ok_or(FitError::Singular)?;
        Ok(Arc::new(Mahalanobis { params: self.clone(), scaler, precision }))
    }
}

/// The inverse of a symmetric positive definite matrix; none of another one.
pub(super) fn inverse(mut matrix: Array2<f64>) -> Option<Array2<f64>> {
    let size = matrix.nrows();
    // L with matrix = L L', below the diagonal.
    for j in 0..size {
        for i in j..size {
            let sum = (0..j).fold(matrix[[i, j]], |sum, k| sum - matrix[[i, k]] * matrix[[j, k]]);
            matrix[[i, j]] = match i == j {
                true if sum > 0.0 => libm::sqrt(sum),
                true => return None,
                false => sum / matrix[[j, j]],
            };
        }
    }
    // M = L^-1, column by column; the inverse is M'M.
    let mut lower = Array2::<f64>::zeros((size, size));
    for j in 0..size {
        for i in j..size {
            let one = if i == j { 1.0 } else { 0.0 };
            let sum = (j..i).fold(one, |sum, k| sum - matrix[[i, k]] * lower[[k, j]]);
            lower[[i, j]] = sum / matrix[[i, i]];
        }
    }
    Some(Array2::from_shape_fn((size, size), |(i, j)| {
        (i.max(j)..size).fold(0.0, |sum, k| sum + lower[[k, i]] * lower[[k, j]])
    }))
}
