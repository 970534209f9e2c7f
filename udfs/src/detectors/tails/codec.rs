//! Tails as bytes, little endian:
//!
//! ```text
//! max_samples u32 | seed u64 | columns
//! column: skew u8 (0: neither, 1: left, 2: right) | distinct values u32 x (value f64, rows with at most it u32)
//! ```

use linfa::ParamGuard;

use super::{Column, Rule, Skew, Tails};
use crate::detectors::sampling::Sampling;
use crate::detectors::wire::{Reader, WireError};

impl Tails {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        self.params.sampling.encode(out);
        for column in &self.columns {
            out.push(column.skew as u8);
            // Fits: there are at most as many as rows.
            out.extend_from_slice(&(column.values.len() as u32).to_le_bytes());
            for (value, rows) in column.values.iter().zip(&column.at_most) {
                out.extend_from_slice(&value.to_le_bytes());
                out.extend_from_slice(&rows.to_le_bytes());
            }
        }
    }
}

impl Column {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let skew = match reader.u8()? {
            0 => Skew::Neither,
            1 => Skew::Left,
            2 => Skew::Right,
            _ => return Err(WireError::Invalid("a column has a skew of unknown kind")),
        };
        let mut column = Self { values: vec![], at_most: vec![], skew };
        for _ in 0..reader.u32()? {
            let (value, rows) = (reader.finite()?, reader.u32()?);
            let more = rows > column.rows(column.values.len());
            if !more || column.values.last().is_some_and(|last| *last >= value) {
                return Err(WireError::Invalid("the values of a column do not ascend"));
            }
            column.values.push(value);
            column.at_most.push(rows);
        }
        Ok(column)
    }
}

/// Reads tails of `columns` columns. Never allocates more than a small multiple of the bytes given.
pub(in crate::detectors) fn decode(
    mut reader: Reader<'_>,
    rule: Rule,
    columns: usize,
) -> Result<Tails, WireError> {
    let params = Tails::params(rule).sampling(Sampling::decode(&mut reader)?).check();
    let params = params.map_err(|_| WireError::Invalid("a hyperparameter is out of range"))?;
    let mut tails = Tails { params, columns: vec![] };
    for _ in 0..columns {
        tails.columns.push(Column::decode(&mut reader)?);
    }
    reader.finish()?;
    Ok(tails)
}
