//! A regression as bytes, little endian:
//!
//! ```text
//! l2 f64 | max_iterations u32 | max_samples u32 | seed u64 | scaler | intercept f64 | weights f64
//! ```

use linfa::ParamGuard;

use super::hyperparams::LogisticRegressionValidParams;
use super::{LogisticRegression, MOST_WEIGHT};
use crate::detectors::sampling::Sampling;
use crate::detectors::scaler::Scaler;
use crate::detectors::wire::{Reader, WireError, put_numbers};

impl LogisticRegressionValidParams {
    /// Appends the canonical encoding. All values fit: they have been checked.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_numbers(out, [&self.l2()]);
        out.extend_from_slice(&(self.max_iterations() as u32).to_le_bytes());
        self.sampling().encode(out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        LogisticRegression::params()
            .l2(reader.finite()?)
            .max_iterations(reader.u32()?.into())
            .sampling(Sampling::decode(reader)?)
            .check()
            .map_err(|_| WireError::Invalid("a hyperparameter is out of range"))
    }
}

impl LogisticRegression {
    /// Appends the canonical encoding.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        self.params.encode(out);
        self.scaler.encode(out);
        put_numbers(out, [&self.intercept].into_iter().chain(&self.weights));
    }
}

/// Reads a regression over `columns` columns.
pub(in crate::detectors) fn decode(
    mut reader: Reader<'_>,
    columns: usize,
) -> Result<LogisticRegression, WireError> {
    let params = LogisticRegressionValidParams::decode(&mut reader)?;
    let scaler = Scaler::decode(&mut reader, columns)?;
    let intercept = reader.finite()?;
    let weights = reader.numbers(columns)?;
    reader.finish()?;
    if !weights.iter().chain([&intercept]).all(|weight| weight.abs() <= MOST_WEIGHT) {
        return Err(WireError::Invalid("a weight is out of range"));
    }
    Ok(LogisticRegression { params, scaler, intercept, weights })
}
