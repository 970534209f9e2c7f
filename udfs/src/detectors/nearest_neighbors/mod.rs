//! Distance to the nearest neighbours (Ramaswamy, Rastogi, Shim 2000; Angiulli, Pizzuti 2002): a
//! row is anomalous where few training rows are near.
//!
//! The score is the Euclidean distance to the `n_neighbors`-th nearest training row, or the mean
//! over as many, found in a k-d tree of linfa. The training rows are in the model, 8 bytes for each
//! of their values; the tree is grown anew for each batch of rows to score, so that small batches
//! are dear. Few columns make the tree fast; with many, every row is looked at.
//!
//! Equal training rows are as many neighbours. A training row is its own neighbour when it is
//! scored, as in PyOD's `decision_function`. Fewer training rows than neighbours are all
//! neighbours.
//!
//! Columns are standardised. A missing value counts as the mean of its column.

mod hyperparams;
#[cfg(test)]
mod tests;

use linfa_nn::distance::L2Dist;
use linfa_nn::{KdTree, NearestNeighbour};
use ndarray::{Array2, ArrayView1, ArrayView2};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use hyperparams::{
    MAX_NEIGHBORS, MAX_SAMPLE_ROWS, Method, NearestNeighborsParams, NearestNeighborsValidParams,
    ParamError,
};

use super::json::checked;
use super::rows::{Rows, share_out, squared};
use super::sampling::Sampling;
use super::scaler::{MOST_SCALED, Scaler};
use super::training::Hyperparameters;
use super::wire::{Reader, WireError, put_numbers};
use super::{Algorithm, Attribution, Detector};

/// Why there are no neighbours.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("neighbours need at least one row of one column, got {rows} rows of {columns}")]
pub struct ShapeError {
    /// Rows given.
    pub rows: usize,
    /// Columns given.
    pub columns: usize,
}

/// Training rows, and how far a row is from them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NearestNeighbors {
    #[serde(rename = "options", deserialize_with = "checked::<_, NearestNeighborsParams>")]
    params: NearestNeighborsValidParams,
    scaler: Scaler,
    rows: Rows,
}

impl NearestNeighborsValidParams {
    /// Keeps rows, NaN where a value is missing.
    pub fn fit_rows(&self, records: ArrayView2<'_, f64>) -> Result<NearestNeighbors, ShapeError> {
        let (rows, columns) = records.dim();
        if rows == 0 || columns == 0 {
            return Err(ShapeError { rows, columns });
        }
        let scaler = Scaler::standard(records);
        let rows = Rows::scaled(&scaler, records);
        Ok(NearestNeighbors { params: self.clone(), scaler, rows })
    }
}

impl NearestNeighbors {
    /// Where rows are kept by default.
    pub const DEFAULT_SAMPLING: Sampling = Sampling::of(4096);

    /// Hyperparameters to start from.
    pub fn params() -> NearestNeighborsParams {
        NearestNeighborsParams::default()
    }

    /// Calls `visit` with the position of each scaled row, the row, and its neighbours with their
    /// parts of the score.
    fn visit<'a>(&'a self, rows: &Rows, mut visit: impl FnMut(usize, &[f64], &[(f64, &'a [f64])])) {
        let count = usize::try_from(self.params.n_neighbors()).unwrap_or(usize::MAX);
        let count = count.min(self.rows.len());
        // Neither fails: there are columns, as many in both, and their values are finite.
        let Ok(training) = self.rows.view() else { return };
        let Ok(tree) = KdTree::new().from_batch(&training, L2Dist) else { return };
        for (at, row) in rows.iter().enumerate() {
            let Ok(found) = tree.k_nearest(ArrayView1::from(row), count) else { return };
            let mut parts: Vec<(f64, &[f64])> = found
                .iter()
                .map(|(_, position)| self.rows.row(*position))
                .map(|neighbour| (libm::sqrt(squared(row, neighbour)), neighbour))
                .collect();
            parts.sort_by(|(a, _), (b, _)| a.total_cmp(b));
            match self.params.method() {
                Method::Largest => parts = parts.split_off(count - 1),
                Method::Mean => {
                    parts.iter_mut().for_each(|(distance, _)| *distance /= count as f64);
                }
            }
            visit(at, row, &parts);
        }
    }
}

impl Detector for NearestNeighbors {
    fn algorithm(&self) -> Algorithm {
        Algorithm::NearestNeighbors
    }

    fn options(&self) -> Vec<(&'static str, String)> {
        self.params.options()
    }

    fn scores(&self, records: ArrayView2<'_, f64>) -> Vec<f64> {
        let mut scores = vec![0.0; records.nrows()];
        self.visit(&Rows::scaled(&self.scaler, records), |at, _, parts| {
            scores[at] = parts.iter().map(|(part, _)| part).sum();
        });
        scores
    }

    /// A distance is shared out in proportion to the squared differences.
    fn attribute(&self, records: ArrayView2<'_, f64>) -> Attribution {
        let mut contributions = Array2::zeros((records.nrows(), self.scaler.columns()));
        self.visit(&Rows::scaled(&self.scaler, records), |at, row, parts| {
            // A new array is in standard order.
            if let Some(shares) = contributions.row_mut(at).as_slice_mut() {
                parts.iter().for_each(|(part, other)| share_out(*part, row, other, shares));
            }
        });
        Attribution { bases: vec![0.0; records.nrows()], contributions }
    }

    /// ```text
    /// hyperparameters | scaler | rows u32 x scaled row
    /// ```
    fn encode(&self, out: &mut Vec<u8>) {
        self.params.encode(out);
        self.scaler.encode(out);
        out.extend_from_slice(&(self.rows.len() as u32).to_le_bytes());
        put_numbers(out, self.rows.values());
    }
}

/// Reads one over `columns` columns.
pub(in crate::detectors) fn decode(
    mut reader: Reader<'_>,
    columns: usize,
) -> Result<NearestNeighbors, WireError> {
    let params = NearestNeighborsValidParams::decode(&mut reader)?;
    let scaler = Scaler::decode(&mut reader, columns)?;
    let count = reader.u32()?;
    if count == 0 || u64::from(count) > params.sample_rows() || columns == 0 {
        return Err(WireError::Invalid("it has no rows, or too many"));
    }
    let values = reader.numbers_within(count as usize * columns, MOST_SCALED)?;
    reader.finish()?;
    Ok(NearestNeighbors { params, scaler, rows: Rows::new(values, columns) })
}
