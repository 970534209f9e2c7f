//! Scoring rows.

use linfa::traits::PredictInplace;
use ndarray::{Array1, ArrayBase, ArrayView2, Axis, Data, Ix2};

use super::{IsolationForest, Node, Tree};
use crate::detectors::canonical;

/// Rows scored together: few enough for their values to stay in the cache while one tree after
/// the other, which is read once per block, passes over them.
pub(in crate::detectors) const BLOCK: usize = 256;

/// c(n): the average path length of an unsuccessful search in a binary search tree over `rows`
/// rows (equation 1 of the paper).
pub(in crate::detectors) fn average_path_length(rows: u64) -> f64 {
    const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;
    match rows {
        0 | 1 => 0.0,
        2 => 1.0,
        _ => {
            let n = rows as f64;
            2.0 * (libm::log(n - 1.0) + EULER_GAMMA) - 2.0 * (n - 1.0) / n
        }
    }
}

/// h(x) / c(n) where cutting stopped at `depth` with `rows` rows left: the cuts on the way and
/// those expected to separate the rows, relative to the average over `subsample` rows.
pub(in crate::detectors) fn relative_path_length(rows: u64, depth: u64, subsample: u64) -> f64 {
    let average = average_path_length(subsample);
    let length = depth as f64 + average_path_length(rows);
    // A single row has no average to compare with.
    if average > 0.0 { length / average } else { 1.0 }
}

impl Tree {
    /// h(x) / c(n) of one row of canonical values; `visit` gets the feature of each cut on its way
    /// and the node behind it.
    pub(super) fn walk(&self, row: &[f64], mut visit: impl FnMut(usize, usize)) -> f64 {
        let mut at = 0;
        loop {
            match self.0[at] {
                Node::Leaf { path_length, .. } => return path_length,
                Node::Split { feature, threshold, missing_left, right } => {
                    let feature = usize::from(feature);
                    let left = row[feature] < threshold || (row[feature].is_nan() && missing_left);
                    at = if left { at + 1 } else { right as usize };
                    visit(feature, at);
                }
            }
        }
    }
}

impl IsolationForest {
    /// Anomaly scores, one per row: `2^(-E[h(x)] / c(n))` (equation 2 of the paper), in (0, 1];
    /// larger is more anomalous. scikit-learn's `score_samples` is its negative. `records` has
    /// one column per feature, in the order of the training data, NaN where missing.
    ///
    /// # Panics
    /// With fewer columns than the forest has features.
    pub fn scores(&self, records: ArrayView2<'_, f64>) -> Vec<f64> {
        let trees = self.trees.len() as f64;
        let mut scores = Vec::with_capacity(records.nrows());
        for block in records.axis_chunks_iter(Axis(0), BLOCK) {
            let values: Vec<f64> = block.iter().copied().map(canonical).collect();
            let mut path_lengths = vec![0.0; block.nrows()];
            for tree in &self.trees {
                for (sum, row) in path_lengths.iter_mut().zip(values.chunks_exact(block.ncols())) {
                    *sum += tree.walk(row, |_, _| {});
                }
            }
            // Means of ratios, not ratios of means: where nothing can be cut all ratios are one, the
            // mean is one without rounding, and the score is the default threshold exactly.
            scores.extend(path_lengths.iter().map(|sum| libm::exp2(-sum / trees)));
        }
        scores
    }
}

impl<D: Data<Elem = f64>> PredictInplace<ArrayBase<D, Ix2>, Array1<f64>> for IsolationForest {
    fn predict_inplace<'a>(&'a self, records: &'a ArrayBase<D, Ix2>, scores: &mut Array1<f64>) {
        *scores = self.scores(records.view()).into();
    }

    fn default_target(&self, records: &ArrayBase<D, Ix2>) -> Array1<f64> {
        Array1::zeros(records.nrows())
    }
}
