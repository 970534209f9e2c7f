//! Scoring rows, and what each feature adds to a score.

use ndarray::{Array2, ArrayView2, Axis};

use super::{Node, RandomForest, Tree};
use crate::detectors::isolation_forest::score::BLOCK;
use crate::detectors::{Attribution, canonical};

impl Tree {
    /// The share of anomalies among the training rows below each node.
    fn shares(&self) -> Vec<f64> {
        let mut counts = vec![(0.0, 0.0); self.0.len()];
        // Children come after their parents.
        for (at, node) in self.0.iter().enumerate().rev() {
            counts[at] = match *node {
                Node::Leaf { rows, anomalies } => (f64::from(rows), f64::from(anomalies)),
                Node::Split { right, .. } => {
                    let (left, right) = (counts[at + 1], counts[right as usize]);
                    (left.0 + right.0, left.1 + right.1)
                }
            };
        }
        counts.into_iter().map(|(rows, anomalies)| anomalies / rows).collect()
    }

    /// Walks down with a row of canonical values to the share in its leaf; `visit` gets the feature
    /// of each cut, the node that it stands in and the next one.
    fn walk(&self, row: &[f64], mut visit: impl FnMut(usize, usize, usize)) -> f64 {
        let mut at = 0;
        loop {
            match self.0[at] {
                Node::Leaf { rows, anomalies } => return f64::from(anomalies) / f64::from(rows),
                Node::Split { feature, threshold, missing_left, right } => {
                    let value = row[usize::from(feature)];
                    let left = value < threshold || (value.is_nan() && missing_left);
                    let next = if left { at + 1 } else { right as usize };
                    visit(usize::from(feature), at, next);
                    at = next;
                }
            }
        }
    }
}

impl RandomForest {
    /// The probability that each row is an anomaly, from 0 to 1. `records` has the columns of the
    /// training data, NaN where missing.
    ///
    /// # Panics
    /// With fewer columns than the forest has features.
    pub fn scores(&self, records: ArrayView2<'_, f64>) -> Vec<f64> {
        let trees = self.trees.len() as f64;
        let mut scores = Vec::with_capacity(records.nrows());
        for block in records.axis_chunks_iter(Axis(0), BLOCK) {
            let values: Vec<f64> = block.iter().copied().map(canonical).collect();
            let mut sums = vec![0.0; block.nrows()];
            for tree in &self.trees {
                for (sum, row) in sums.iter_mut().zip(values.chunks_exact(self.features)) {
                    *sum += tree.walk(row, |_, _, _| {});
                }
            }
            scores.extend(sums.iter().map(|sum| sum / trees));
        }
        scores
    }

    /// What each feature adds to the scores of rows, beside the mean share of anomalies.
    pub fn attribute(&self, records: ArrayView2<'_, f64>) -> Attribution {
        let trees = self.trees.len() as f64;
        let shares: Vec<_> = self.trees.iter().map(Tree::shares).collect();
        let base = shares.iter().filter_map(|nodes| nodes.first()).sum::<f64>() / trees;
        let mut contributions = Array2::zeros(records.dim());
        for (record, mut sums) in records.rows().into_iter().zip(contributions.rows_mut()) {
            let row: Vec<f64> = record.iter().copied().map(canonical).collect();
            for (tree, shares) in self.trees.iter().zip(&shares) {
                tree.walk(&row, |feature, at, next| sums[feature] += shares[next] - shares[at]);
            }
            sums /= trees;
        }
        Attribution { bases: vec![base; records.nrows()], contributions }
    }
}
