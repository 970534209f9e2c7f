//! What each feature adds to a score.
//!
//! On its way through a tree, a row learns cut by cut how long its path will be: at every cut, the
//! mean path length of the training rows on its side takes the place of that of all rows at the
//! cut, and the feature that is cut gets the difference (Saabas 2014). Over all trees, the mean
//! path of all rows and the differences add up to the path of the row. The score is a function of
//! that path, and the secant of this function between the two paths shares out their difference
//! in score in the same proportions.

use ndarray::{Array2, ArrayView2, Axis};

use super::score::BLOCK;
use super::{IsolationForest, Node, Tree};
use crate::detectors::{Attribution, canonical};

/// Attributes the scores of rows, in one walk through each tree. `changes` has what a
/// row learns at the nodes of each tree, `values` prepares a block of rows, and `walk(tree, changes,
/// row, sums)` gives h(x) / c(n) and adds what each column adds to it.
pub(in crate::detectors) fn attribute<T>(
    trees: &[T],
    changes: &[Vec<f64>],
    records: ArrayView2<'_, f64>,
    values: impl Fn(ArrayView2<'_, f64>) -> Vec<f64>,
    walk: impl Fn(&T, &[f64], &[f64], &mut [f64]) -> f64,
) -> Attribution {
    let (count, columns) = (trees.len() as f64, records.ncols());
    let base_path = changes.iter().filter_map(|nodes| nodes.first()).sum::<f64>() / count;
    let base = libm::exp2(-base_path);
    let mut contributions = Array2::zeros(records.dim());
    let blocks = records.axis_chunks_iter(Axis(0), BLOCK);
    for (block, mut sums) in blocks.zip(contributions.axis_chunks_iter_mut(Axis(0), BLOCK)) {
        let values = values(block);
        let mut path_lengths = vec![0.0; block.nrows()];
        // A new array is in standard order.
        let Some(sums) = sums.as_slice_mut() else { continue };
        for (tree, changes) in trees.iter().zip(changes) {
            let rows = values.chunks_exact(columns).zip(sums.chunks_exact_mut(columns));
            for (path_length, (row, sums)) in path_lengths.iter_mut().zip(rows) {
                *path_length += walk(tree, changes, row, sums);
            }
        }
        for (sums, path_length) in sums.chunks_exact_mut(columns).zip(path_lengths) {
            let path = path_length / count;
            let secant = match path - base_path {
                difference if difference.abs() < 1e-9 => -std::f64::consts::LN_2 * base,
                difference => (libm::exp2(-path) - base) / difference,
            };
            sums.iter_mut().for_each(|sum| *sum *= secant / count);
        }
    }
    Attribution { bases: vec![base; records.nrows()], contributions }
}

impl Tree {
    /// What a row learns of its h(x) / c(n) where it arrives at each node: at the root, the mean of
    /// the training rows; below, by how much the mean of those there differs from the one before.
    fn changes(&self) -> Vec<f64> {
        let mut means = vec![0.0; self.0.len()];
        let mut rows = vec![0.0; self.0.len()];
        // Children come after their parents.
        for (at, node) in self.0.iter().enumerate().rev() {
            match *node {
                Node::Leaf { rows: here, path_length } => {
                    (means[at], rows[at]) = (path_length, f64::from(here));
                }
                Node::Split { right, .. } => {
                    let (left, right) = (at + 1, right as usize);
                    rows[at] = rows[left] + rows[right];
                    means[at] = (means[left] * rows[left] + means[right] * rows[right]) / rows[at];
                    // Nothing else looks at the means of the children.
                    means[left] -= means[at];
                    means[right] -= means[at];
                }
            }
        }
        means
    }
}

impl IsolationForest {
    /// What each feature adds to the scores of rows, beside the score of the mean path. Costs little
    /// more than the scores.
    ///
    /// # Panics
    /// With fewer columns than the forest has features.
    pub fn attribute(&self, records: ArrayView2<'_, f64>) -> Attribution {
        let changes = self.changes.get(|| self.trees.iter().map(Tree::changes).collect());
        let values = |block: ArrayView2<'_, f64>| block.iter().copied().map(canonical).collect();
        attribute(&self.trees, changes, records, values, |tree, changes, row, sums| {
            tree.walk(row, |feature, next| sums[feature] += changes[next])
        })
    }
}
