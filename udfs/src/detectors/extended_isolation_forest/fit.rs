//! Growing the trees.

use linfa::DatasetBase;
use linfa::traits::Fit;
use ndarray::{Array2, ArrayBase, Data, Ix2};

use super::error::FitError;
use super::hyperparams::{ExtendedIsolationForestValidParams, MAX_TERMS};
use super::{ExtendedIsolationForest, Node, Term, Tree, is_left};
use crate::detectors::isolation_forest::MAX_SAMPLE_ROWS;
use crate::detectors::isolation_forest::fit::{draw, partition};
use crate::detectors::memo::Memo;
use crate::detectors::random::SplitMix64;
use crate::detectors::scaler::Scaler;
use crate::detectors::signature::MAX_FEATURES;

impl<D: Data<Elem = f64>, T> Fit<ArrayBase<D, Ix2>, T, FitError>
    for ExtendedIsolationForestValidParams
{
    type Object = ExtendedIsolationForest;

    /// Fits on rows of `f64`, NaN where missing. The order of the rows matters, as for every
    /// seeded algorithm; targets are not looked at.
    fn fit(
        &self,
        dataset: &DatasetBase<ArrayBase<D, Ix2>, T>,
    ) -> Result<ExtendedIsolationForest, FitError> {
        let (rows, features) = dataset.records.dim();
        let too_many = rows as u64 > MAX_SAMPLE_ROWS || features > MAX_FEATURES;
        if rows == 0 || features == 0 || too_many {
            return Err(FitError::Shape { rows, features });
        }
        let level = self.level(features);
        if level >= features as u64 {
            return Err(FitError::Level { level, columns: features });
        }
        let subsample = self.forest().max_samples().min(rows as u64);
        // Cannot overflow: the product of the first two has been bounded.
        let terms = self.forest().n_estimators() * subsample * (level + 1);
        if terms > MAX_TERMS {
            return Err(FitError::Terms(terms));
        }
        let scaler = Scaler::standard(dataset.records.view());
        let scaled = scaler.transform(dataset.records.view());
        let max_depth = self.forest().height_limit(subsample);
        let trees = (0..self.forest().n_estimators())
            .map(|tree| {
                let mut rng = SplitMix64::new(self.forest().seed(), tree);
                let mut drawn = draw(rows as u32, subsample as u32, &mut rng);
                let mut grower = Grower {
                    records: &scaled,
                    columns: level as usize + 1,
                    subsample,
                    max_depth,
                    rng,
                    tree: Tree::default(),
                };
                grower.grow(&mut drawn, 0);
                grower.tree
            })
            .collect();
        Ok(ExtendedIsolationForest {
            params: self.clone(),
            sample_rows: rows as u64,
            scaler,
            trees,
            changes: Memo::default(),
        })
    }
}

struct Grower<'a> {
    records: &'a Array2<f64>,
    /// Columns of a cut.
    columns: usize,
    subsample: u64,
    max_depth: u64,
    rng: SplitMix64,
    tree: Tree,
}

impl Grower<'_> {
    /// Appends the tree over `rows`, in preorder. Recursion is bounded by the height limit.
    fn grow(&mut self, rows: &mut [u32], depth: u64) {
        let terms = if depth < self.max_depth { self.draw_cut(rows) } else { vec![] };
        if terms.is_empty() {
            self.tree.nodes.push(Node::leaf(rows.len() as u32, depth, self.subsample));
            return;
        }
        let records = self.records;
        let middle = partition(rows, |row| {
            // The scaler makes arrays in standard order.
            records.row(row as usize).to_slice().is_some_and(|row| is_left(&terms, row))
        });
        let (left, right) = rows.split_at_mut(middle);
        let split = self.tree.nodes.len();
        let first = self.tree.terms.len() as u32;
        self.tree.terms.extend(terms);
        let end = self.tree.terms.len() as u32;
        self.tree.nodes.push(Node::Split { first, end, right: 0 });
        self.grow(left, depth + 1);
        let end_of_left = self.tree.nodes.len() as u32;
        if let Node::Split { right, .. } = &mut self.tree.nodes[split] {
            *right = end_of_left;
        }
        self.grow(right, depth + 1);
    }

    /// Columns without order among those in which `rows` differ, a normal slope in each, and a
    /// point uniform in the box around the rows; nothing where no column can cut them.
    fn draw_cut(&mut self, rows: &[u32]) -> Vec<Term> {
        let mut extents: Vec<(u16, f64, f64)> = (0..self.records.ncols())
            .map(|column| {
                let values = self.records.column(column);
                let (mut min, mut max) = (f64::INFINITY, f64::NEG_INFINITY);
                for row in rows {
                    let value = values[*row as usize];
                    (min, max) = (min.min(value), max.max(value));
                }
                (column as u16, min, max)
            })
            .filter(|(_, min, max)| min < max)
            .collect();
        if extents.len() > self.columns {
            let mut kept = draw(extents.len() as u32, self.columns as u32, &mut self.rng);
            kept.sort_unstable();
            extents = kept.iter().map(|at| extents[*at as usize]).collect();
        }
        let mut term = |(column, min, max)| Term {
            column,
            normal: self.rng.normal() as f32,
            point: (min + (max - min) * self.rng.open_unit()) as f32,
        };
        extents.into_iter().map(&mut term).collect()
    }
}
