//! Scoring rows, and what each feature adds to a score.

use ndarray::{Array2, ArrayView2, Axis};

use super::{Node, RandomForest, Tree};
use crate::detectors::isolation_forest::score::BLOCK;
use crate::detectors::{Attribution, canonical};

impl Tree {
    /// What a row learns of its share of anomalies where it arrives at each node: at the root, that
    /// of the training rows; below, by how much that of those there differs from the one before.
    fn changes(&self) -> Vec<f64> {
        let mut shares = vec![0.0; self.0.len()];
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
            shares[at] = counts[at].1 / counts[at].0;
            if let Node::Split { right, .. } = *node {
                // Nothing else looks at the shares of the children.
                shares[at + 1] -= shares[at];
                shares[right as usize] -= shares[at];
            }
        }
        shares
    }

    /// Walks down with a row of canonical values to the share in its leaf; `visit` gets the feature
    /// of each cut and the node behind it.
    fn walk(&self, row: &[f64], mut visit: impl FnMut(usize, usize)) -> f64 {
        let mut at = 0;
        loop {
            match self.0[at] {
                Node::Leaf { rows, anomalies } => return f64::from(anomalies) / f64::from(rows),
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
                    *sum += tree.walk(row, |_, _| {});
                }
            }
            scores.extend(sums.iter().map(|sum| sum / trees));
        }
        scores
    }

    /// What each feature adds to the scores of rows, beside the mean share of anomalies.
    pub fn attribute(&self, records: ArrayView2<'_, f64>) -> Attribution {
        let trees = self.trees.len() as f64;
        let changes = self.changes.get(|| self.trees.iter().map(Tree::changes).collect());
        let base = changes.iter().filter_map(|nodes| nodes.first()).sum::<f64>() / trees;
        let mut contributions = Array2::zeros((records.nrows(), self.features));
        let blocks = records.axis_chunks_iter(Axis(0), BLOCK);
        for (block, mut sums) in blocks.zip(contributions.axis_chunks_iter_mut(Axis(0), BLOCK)) {
            let values: Vec<f64> = block.iter().copied().map(canonical).collect();
            // A new array is in standard order.
            let Some(sums) = sums.as_slice_mut() else { continue };
            for (tree, changes) in self.trees.iter().zip(changes) {
                let rows = values.chunks_exact(block.ncols());
                for (row, sums) in rows.zip(sums.chunks_exact_mut(self.features)) {
                    tree.walk(row, |feature, next| sums[feature] += changes[next]);
                }
            }
        }
        contributions /= trees;
        Attribution { bases: vec![base; records.nrows()], contributions }
    }
}
