//! Scaled rows, their Euclidean distances, and what each column adds to them.

use ndarray::{ArrayView2, ShapeError};
use serde::{Deserialize, Serialize, Serializer};

use super::scaler::Scaler;

/// Rows one after the other, each of at least one column.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Vec<Vec<f64>>")]
pub(super) struct Rows {
    values: Vec<f64>,
    columns: usize,
}

/// As a list of rows.
impl Serialize for Rows {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl TryFrom<Vec<Vec<f64>>> for Rows {
    type Error = &'static str;

    fn try_from(rows: Vec<Vec<f64>>) -> Result<Self, Self::Error> {
        let columns = rows.first().map_or(1, Vec::len);
        match columns > 0 && rows.iter().all(|row| row.len() == columns) {
            true => Ok(Self::new(rows.concat(), columns)),
            false => Err("all rows must have as many numbers as the first one, and at least one"),
        }
    }
}

impl Rows {
    pub(super) fn new(values: Vec<f64>, columns: usize) -> Self {
        Self { values, columns: columns.max(1) }
    }

    /// Records as a scaler sees them.
    pub(super) fn scaled(scaler: &Scaler, records: ArrayView2<'_, f64>) -> Self {
        // Iterates row by row, whatever the layout.
        Self::new(scaler.transform(records).iter().copied().collect(), records.ncols())
    }

    pub(super) fn len(&self) -> usize {
        self.values.len() / self.columns
    }

    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.values.chunks_exact(self.columns)
    }

    pub(super) fn row(&self, at: usize) -> &[f64] {
        &self.values[at * self.columns..(at + 1) * self.columns]
    }

    pub(super) fn values(&self) -> &[f64] {
        &self.values
    }

    pub(super) fn view(&self) -> Result<ArrayView2<'_, f64>, ShapeError> {
        ArrayView2::from_shape((self.len(), self.columns), &self.values)
    }
}

/// The squared distance of two rows.
pub(super) fn squared(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// The row nearest to `row`, the first of equally near ones, and its squared distance.
pub(super) fn nearest<'a>(row: &[f64], rows: impl Iterator<Item = &'a [f64]>) -> (usize, f64) {
    let mut best = (0, f64::INFINITY);
    for (at, other) in rows.enumerate() {
        let distance = squared(row, other);
        if distance < best.1 {
            best = (at, distance);
        }
    }
    best
}

/// Shares out `amount` to the columns in proportion to the squared differences of two rows.
/// Nothing is shared out between equal rows.
pub(super) fn share_out(amount: f64, a: &[f64], b: &[f64], shares: &mut [f64]) {
    let whole = squared(a, b);
    if whole > 0.0 {
        for ((a, b), share) in a.iter().zip(b).zip(shares) {
            *share += amount * ((a - b) * (a - b) / whole);
        }
    }
}
