//! Distances as bytes, little endian:
//!
//! ```text
//! shrinkage f64 | max_samples u32 | seed u64 | means and deviations f64
//! | lower triangle of the inverse f64, row by row
//! ```

use linfa::ParamGuard;
use ndarray::Array2;

use super::{LEAST_SHRINKAGE, MAX_COLUMNS, Mahalanobis, MahalanobisValidParams};
use crate::detectors::sampling::Sampling;
use crate::detectors::scaler::Scaler;
use crate::detectors::wire::{Reader, WireError, put_numbers};

/// No number of the inverse is larger, but for rounding.
const LARGEST: f64 = 2.0 / LEAST_SHRINKAGE;

impl MahalanobisValidParams {
    /// Appends the canonical encoding.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_numbers(out, &[self.shrinkage]);
        self.sampling.encode(out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let params = Mahalanobis::params().shrinkage(reader.finite()?);
        let params = params.sampling(Sampling::decode(reader)?).check();
        params.map_err(|_| WireError::Invalid("a hyperparameter is out of range"))
    }
}

impl Mahalanobis {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        self.params.encode(out);
        self.scaler.encode(out);
        for (at, row) in self.precision.rows().into_iter().enumerate() {
            put_numbers(out, row.iter().take(at + 1));
        }
    }
}

/// Reads distances of `columns` columns. Never allocates more than a small multiple of the bytes
/// given.
pub(in crate::detectors) fn decode(
    mut reader: Reader<'_>,
    columns: usize,
) -> Result<Mahalanobis, WireError> {
    if columns > MAX_COLUMNS {
        return Err(WireError::Invalid("it has too many columns"));
    }
    let params = MahalanobisValidParams::decode(&mut reader)?;
    let scaler = Scaler::decode(&mut reader, columns)?;
    let lower = reader.numbers(columns * (columns + 1) / 2)?;
    reader.finish()?;
    if lower.iter().any(|number| number.abs() > LARGEST) {
        return Err(WireError::Invalid("a number of the inverse is too large"));
    }
    let precision = Array2::from_shape_fn((columns, columns), |(i, j)| {
        let (i, j) = (i.max(j), i.min(j));
        lower[i * (i + 1) / 2 + j]
    });
    // A squared distance is that of a positive definite matrix.
    match super::fit::inverse(precision.clone()) {
        Some(_) => Ok(Mahalanobis { params, scaler, precision }),
        None => Err(WireError::Invalid("its distances are not positive")),
    }
}
