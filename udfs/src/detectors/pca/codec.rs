//! Components as bytes, little endian:
//!
//! ```text
//! 0 and n_components u32, or 1 and variance f64 | max_samples u32 | seed u64
//! | means and deviations f64 | components u32 x (a number per column f64)
//! ```

use linfa::ParamGuard;

use super::{Components, MAX_COLUMNS, Pca, PcaValidParams};
use crate::detectors::rows::Rows;
use crate::detectors::sampling::Sampling;
use crate::detectors::scaler::Scaler;
use crate::detectors::wire::{Reader, WireError, put_numbers};

/// How far the products of components may be from those of orthogonal ones of length 1.
const ROUNDING: f64 = 1e-9;

impl PcaValidParams {
    /// Appends the canonical encoding.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        match &self.components {
            Components::Number(number) => {
                out.push(0);
                // Fits: it has been checked.
                out.extend_from_slice(&(*number as u32).to_le_bytes());
            }
            Components::Variance(share) => {
                out.push(1);
                put_numbers(out, [share]);
            }
        }
        self.sampling.encode(out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let components = match reader.u8()? {
            0 => Components::Number(reader.u32()?.into()),
            1 => Components::Variance(reader.finite()?),
            _ => return Err(WireError::Invalid("its components are kept for an unknown reason")),
        };
        let params = Pca::params().components(components).sampling(Sampling::decode(reader)?);
        params.check().map_err(|_| WireError::Invalid("a hyperparameter is out of range"))
    }
}

impl Pca {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        self.params.encode(out);
        self.scaler.encode(out);
        out.extend_from_slice(&(self.components.len() as u32).to_le_bytes());
        put_numbers(out, self.components.iter().flatten());
    }
}

/// Reads components of `columns` columns. Never allocates more than a small multiple of the bytes
/// given.
pub(in crate::detectors) fn decode(
    mut reader: Reader<'_>,
    columns: usize,
) -> Result<Pca, WireError> {
    if columns > MAX_COLUMNS {
        return Err(WireError::Invalid("it has too many columns"));
    }
    let params = PcaValidParams::decode(&mut reader)?;
    let scaler = Scaler::decode(&mut reader, columns)?;
    let count = reader.u32()?;
    let most = match params.components {
        Components::Number(number) => number,
        Components::Variance(_) => columns.saturating_sub(1) as u64,
    };
    if u64::from(count) > most || count as usize >= columns.max(1) {
        return Err(WireError::Invalid("it has too many components"));
    }
    let numbers = reader.numbers_within(count as usize * columns, 1.0 + ROUNDING)?;
    reader.finish()?;
    let components = Rows::new(numbers, columns);
    match are_orthonormal(&components) {
        true => Ok(Pca { params, scaler, components }),
        false => Err(WireError::Invalid("its components are not orthogonal")),
    }
}

fn are_orthonormal(rows: &Rows) -> bool {
    let product = |a: usize, b: usize| {
        let products = rows.row(a).iter().zip(rows.row(b)).map(|(a, b)| a * b);
        products.sum::<f64>()
    };
    (0..rows.len()).all(|a| (0..=a).all(|b| (product(a, b) - f64::from(a == b)).abs() <= ROUNDING))
}
