//! What each feature adds to a score.
//!
//! On its way through a tree, a row learns cut by cut how long its path will be: at every cut, the
//! mean path length of the training rows on its side takes the place of that of all rows at the
//! cut, and the feature that is cut gets the difference (Saabas 2014). Over all trees, the mean
//! path of all rows and the differences add up to the path of the row. The score is a function of
//! that path, and the secant of this function between the two paths shares out their difference
//! in score in the same proportions.

use ndarray::{Array2, ArrayView2, ArrayViewMut1, Axis};

use super::score::BLOCK;
use super::{IsolationForest, Node, Tree};
use crate::detectors::{Attribution, canonical};

/// Turns what each feature adds to the path of a row with this score into what it adds to the
/// score; `base` is the score of the mean path.
pub(in crate::detectors) fn share_out(mut row: ArrayViewMut1<'_, f64>, score: f64, base: f64) {
    let path_difference = libm::log2(base) - libm::log2(score);
    let secant = match path_difference {
        difference if difference.abs() < 1e-9 => -std::f64::consts::LN_2 * base,
        difference => (score - base) / difference,
    };
    row *= secant;
}

impl Tree {
    /// The mean h(x) / c(n) of the training rows below each node.
    fn expected_path_lengths(&self) -> Vec<f64> {
        let mut expected = vec![0.0; self.0.len()];
        let mut rows = vec![0.0; self.0.len()];
        // Children come after their parents.
        for (at, node) in self.0.iter().enumerate().rev() {
            match *node {
                Node::Leaf { rows: here, path_length } => {
                    (expected[at], rows[at]) = (path_length, f64::from(here));
                }
                Node::Split { right, .. } => {
                    let (left, right) = (at + 1, right as usize);
                    rows[at] = rows[left] + rows[right];
                    let sum = expected[left] * rows[left] + expected[right] * rows[right];
                    expected[at] = sum / rows[at];
                }
            }
        }
        expected
    }

    /// Adds what each cut on the way of a row adds to its path.
    fn attribute(&self, expected: &[f64], row: &[f64], contributions: &mut [f64]) {
        let mut at = 0;
        while let Node::Split { feature, threshold, missing_left, right } = self.0[at] {
            let feature = usize::from(feature);
            let value = row[feature];
            let left = value < threshold || (value.is_nan() && missing_left);
            let next = if left { at + 1 } else { right as usize };
            contributions[feature] += expected[next] - expected[at];
            at = next;
        }
    }
}

impl IsolationForest {
    /// What each feature adds to the scores of rows, beside the score of the mean path. Costs little
    /// more than the scores themselves.
    pub fn attribute(&self, records: ArrayView2<'_, f64>) -> Attribution {
        let trees = self.trees.len() as f64;
        let expected: Vec<_> = self.trees.iter().map(Tree::expected_path_lengths).collect();
        let base_path = expected.iter().filter_map(|nodes| nodes.first()).sum::<f64>() / trees;
        let base = libm::exp2(-base_path);
        let scores = self.scores(records);
        let mut contributions = Array2::zeros((records.nrows(), self.features));
        let blocks = records.axis_chunks_iter(Axis(0), BLOCK);
        for (block, mut sums) in blocks.zip(contributions.axis_chunks_iter_mut(Axis(0), BLOCK)) {
            let values: Vec<f64> = block.iter().copied().map(canonical).collect();
            for (tree, expected) in self.trees.iter().zip(&expected) {
                let rows = values.chunks_exact(block.ncols());
                for (row, mut sums) in rows.zip(sums.rows_mut()) {
                    // A new array is in standard order.
                    if let Some(sums) = sums.as_slice_mut() {
                        tree.attribute(expected, row, sums);
                    }
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
