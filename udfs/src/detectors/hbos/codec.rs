//! Histograms as bytes, little endian:
//!
//! ```text
//! n_bins u32 | alpha f64 | tol f64 | max_samples u32 | seed u64 | columns
//! column: 0 (no values), or 1 | low f64 | high f64 | n_bins x rows u32
//! ```
//! The edges and scores follow from it.

use linfa::ParamGuard;

use super::histogram::Histogram;
use super::{Hbos, HbosValidParams};
use crate::detectors::sampling::Sampling;
use crate::detectors::wire::{Reader, WireError, put_numbers};

impl HbosValidParams {
    /// Appends the canonical encoding. All values fit: they have been checked.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.n_bins as u32).to_le_bytes());
        put_numbers(out, &[self.alpha, self.tol]);
        self.sampling.encode(out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let params = Hbos::params().n_bins(reader.u32()?.into());
        let params = params.alpha(reader.finite()?).tol(reader.finite()?);
        let params = params.sampling(Sampling::decode(reader)?).check();
        params.map_err(|_| WireError::Invalid("a hyperparameter is out of range"))
    }
}

impl Hbos {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        self.params.encode(out);
        for column in &self.columns {
            out.push(u8::from(column.is_some()));
            let Some(histogram) = column else { continue };
            put_numbers(out, &histogram.extent());
            for rows in histogram.counts() {
                out.extend_from_slice(&rows.to_le_bytes());
            }
        }
    }
}

/// Reads histograms of `columns` columns. Never allocates more than a small multiple of the bytes
/// given.
pub(in crate::detectors) fn decode(
    mut reader: Reader<'_>,
    columns: usize,
) -> Result<Hbos, WireError> {
    let params = HbosValidParams::decode(&mut reader)?;
    let mut hbos = Hbos { params, columns: vec![] };
    for _ in 0..columns {
        let column = match reader.u8()? {
            0 => None,
            1 => Some(histogram(&mut reader, &hbos.params)?),
            _ => return Err(WireError::Invalid("a column is of unknown kind")),
        };
        hbos.columns.push(column);
    }
    reader.finish()?;
    Ok(hbos)
}

fn histogram(reader: &mut Reader<'_>, params: &HbosValidParams) -> Result<Histogram, WireError> {
    let (low, high) = (reader.finite()?, reader.finite()?);
    let mut counts = vec![];
    for _ in 0..params.n_bins {
        counts.push(reader.u32()?);
    }
    let histogram = Histogram::of(low, high, counts, params);
    histogram.ok_or(WireError::Invalid("the bins of a column have no width or no rows"))
}
