//! Scoring rows, and what each column adds to a score.
//!
//! The path of a row is taken apart as that of an [isolation
//! forest](crate::detectors::isolation_forest), but the change at a cut is shared out over the
//! columns of its hyperplane, in proportion to how far they move the row away from its point.

use ndarray::{ArrayView2, Axis};

use super::{ExtendedIsolationForest, Node, Term, Tree, is_left};
use crate::detectors::Attribution;
use crate::detectors::isolation_forest::explain::attribute;
use crate::detectors::isolation_forest::score::BLOCK;

impl Tree {
    /// Training rows below each node.
    pub(super) fn rows(&self) -> Vec<f64> {
        let mut rows = vec![0.0; self.nodes.len()];
        // Children come after their parents.
        for (at, node) in self.nodes.iter().enumerate().rev() {
            rows[at] = match *node {
                Node::Leaf { rows: here, .. } => f64::from(here),
                Node::Split { right, .. } => rows[at + 1] + rows[right as usize],
            };
        }
        rows
    }

    /// What a row learns of its h(x) / c(n) where it arrives at each node: at the root, the mean of
    /// the training rows; below, by how much the mean of those there differs from the one before.
    fn changes(&self) -> Vec<f64> {
        let rows = self.rows();
        let mut means = vec![0.0; self.nodes.len()];
        for (at, node) in self.nodes.iter().enumerate().rev() {
            match *node {
                Node::Leaf { path_length, .. } => means[at] = path_length,
                Node::Split { right, .. } => {
                    let (left, right) = (at + 1, right as usize);
                    means[at] = (means[left] * rows[left] + means[right] * rows[right]) / rows[at];
                    // Nothing else looks at the means of the children.
                    means[left] -= means[at];
                    means[right] -= means[at];
                }
            }
        }
        means
    }

    /// h(x) / c(n) of one scaled row; `visit` gets the terms of each cut on its way and the node
    /// behind it.
    fn walk(&self, row: &[f64], mut visit: impl FnMut(&[Term], usize)) -> f64 {
        let mut at = 0;
        loop {
            match self.nodes[at] {
                Node::Leaf { path_length, .. } => return path_length,
                Node::Split { first, end, right } => {
                    let terms = &self.terms[first as usize..end as usize];
                    at = if is_left(terms, row) { at + 1 } else { right as usize };
                    visit(terms, at);
                }
            }
        }
    }

    /// h(x) / c(n) of one scaled row; adds what each column adds to it.
    fn attribute(&self, changes: &[f64], row: &[f64], contributions: &mut [f64]) -> f64 {
        self.walk(row, |terms, next| {
            let moved: f64 = terms.iter().map(|term| term.of(row).abs()).sum();
            for term in terms {
                // A row on the point itself moves nowhere: all columns keep it there.
                let share = match moved > 0.0 {
                    true => term.of(row).abs() / moved,
                    false => 1.0 / terms.len() as f64,
                };
                contributions[usize::from(term.column)] += changes[next] * share;
            }
        })
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
                    *sum += row.to_slice().map_or(0.0, |row| tree.walk(row, |_, _| {}));
                }
            }
            scores.extend(path_lengths.iter().map(|sum| libm::exp2(-sum / trees)));
        }
        scores
    }

    /// What each column adds to the scores of rows, beside the score of the mean path.
    pub fn attribute(&self, records: ArrayView2<'_, f64>) -> Attribution {
        let changes = self.changes.get(|| self.trees.iter().map(Tree::changes).collect());
        // Iterates row by row, whatever the layout.
        let values =
            |block: ArrayView2<'_, f64>| self.scaler.transform(block).iter().copied().collect();
        attribute(&self.trees, changes, records, values, Tree::attribute)
    }
}
