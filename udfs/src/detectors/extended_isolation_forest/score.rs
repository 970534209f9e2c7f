//! Scoring rows, and what each column adds to a score.
//!
//! The path of a row is taken apart as that of an [isolation
//! forest](crate::detectors::isolation_forest), but the change at a cut is shared out over the
//! columns of its hyperplane, in proportion to how far they move the row away from its point.

use ndarray::{Array2, ArrayView2, Axis};

use super::{ExtendedIsolationForest, Node, Tree, is_left};
use crate::detectors::Attribution;
use crate::detectors::isolation_forest::explain::share_out;
use crate::detectors::isolation_forest::score::BLOCK;

impl Tree {
    /// Training rows below each node, and the mean h(x) / c(n) of them.
    pub(super) fn expected_path_lengths(&self) -> Vec<(f64, f64)> {
        let mut expected = vec![(0.0, 0.0); self.nodes.len()];
        // Children come after their parents.
        for (at, node) in self.nodes.iter().enumerate().rev() {
            expected[at] = match *node {
                Node::Leaf { rows, path_length } => (f64::from(rows), path_length),
                Node::Split { right, .. } => {
                    let ((left_rows, left), (right_rows, right)) =
                        (expected[at + 1], expected[right as usize]);
                    let rows = left_rows + right_rows;
                    (rows, (left * left_rows + right * right_rows) / rows)
                }
            };
        }
        expected
    }

    /// h(x) / c(n) of one scaled row.
    fn path_length(&self, row: &[f64]) -> f64 {
        let mut at = 0;
        loop {
            match self.nodes[at] {
                Node::Leaf { path_length, .. } => return path_length,
                Node::Split { first, end, right } => {
                    let terms = &self.terms[first as usize..end as usize];
                    at = if is_left(terms, row) { at + 1 } else { right as usize };
                }
            }
        }
    }

    /// Adds what each cut on the way of a scaled row adds to its path.
    fn attribute(&self, expected: &[(f64, f64)], row: &[f64], contributions: &mut [f64]) {
        let mut at = 0;
        while let Node::Split { first, end, right } = self.nodes[at] {
            let terms = &self.terms[first as usize..end as usize];
            let next = if is_left(terms, row) { at + 1 } else { right as usize };
            let change = expected[next].1 - expected[at].1;
            let moved: f64 = terms.iter().map(|term| term.of(row).abs()).sum();
            for term in terms {
                // A row on the point itself moves nowhere: all columns keep it there.
                let share = match moved > 0.0 {
                    true => term.of(row).abs() / moved,
                    false => 1.0 / terms.len() as f64,
                };
                contributions[usize::from(term.column)] += change * share;
            }
            at = next;
        }
    }
}

impl ExtendedIsolationForest {
    /// Anomaly scores, one per row: `2^(-E[h(x)] / c(n))`, in (0, 1]; larger is more anomalous.
    /// `records` has the columns of the training data, NaN where missing.
    ///
    /// # Panics
    /// With fewer columns than the forest was fitted on.
    pub fn scores(&self, records: ArrayView2<'_, f64>) -> Vec<f64> {
        let trees = self.trees.len() as f64;
        let mut scores = Vec::with_capacity(records.nrows());
        for block in records.axis_chunks_iter(Axis(0), BLOCK) {
            let scaled = self.scaler.transform(block);
            let mut path_lengths = vec![0.0; block.nrows()];
            for tree in &self.trees {
                for (sum, row) in path_lengths.iter_mut().zip(scaled.rows()) {
                    *sum += row.to_slice().map_or(0.0, |row| tree.path_length(row));
                }
            }
            scores.extend(path_lengths.iter().map(|sum| libm::exp2(-sum / trees)));
        }
        scores
    }

    /// What each column adds to the scores of rows, beside the score of the mean path.
    pub fn attribute(&self, records: ArrayView2<'_, f64>) -> Attribution {
        let trees = self.trees.len() as f64;
        let expected: Vec<_> = self.trees.iter().map(Tree::expected_path_lengths).collect();
        let roots = expected.iter().filter_map(|nodes| nodes.first());
        let base = libm::exp2(-roots.map(|(_, path_length)| path_length).sum::<f64>() / trees);
        let scores = self.scores(records);
        let scaled = self.scaler.transform(records);
        let mut contributions = Array2::zeros(records.dim());
        for (tree, expected) in self.trees.iter().zip(&expected) {
            for (row, mut sums) in scaled.rows().into_iter().zip(contributions.rows_mut()) {
                // New arrays are in standard order.
                if let (Some(row), Some(sums)) = (row.to_slice(), sums.as_slice_mut()) {
                    tree.attribute(expected, row, sums);
                }
            }
        }
        for (mut row, score) in contributions.rows_mut().into_iter().zip(&scores) {
            row /= trees;
            share_out(row, *score, base);
        }
        Attribution { bases: vec![base; records.nrows()], contributions }
    }
}
