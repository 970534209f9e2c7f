//! Growing the trees.

use std::collections::HashSet;

use linfa::DatasetBase;
use linfa::traits::Fit;
use ndarray::{Array2, ArrayBase, ArrayView2, Data, Ix2};

use super::error::FitError;
use super::hyperparams::{IsolationForestValidParams, MAX_SAMPLE_ROWS};
use super::{IsolationForest, Node, Tree};
use crate::detectors::canonical;
use crate::detectors::memo::Memo;
use crate::detectors::random::SplitMix64;
use crate::detectors::signature::MAX_FEATURES;

impl<D: Data<Elem = f64>, T> Fit<ArrayBase<D, Ix2>, T, FitError> for IsolationForestValidParams {
    type Object = IsolationForest;

    /// Fits on rows of `f64`, NaN where missing. The order of the rows matters, as for every
    /// seeded algorithm; targets are not looked at.
    fn fit(
        &self,
        dataset: &DatasetBase<ArrayBase<D, Ix2>, T>,
    ) -> Result<IsolationForest, FitError> {
        let (rows, features) = dataset.records.dim();
        let too_many = rows as u64 > MAX_SAMPLE_ROWS || features > MAX_FEATURES;
        if rows == 0 || features == 0 || too_many {
            return Err(FitError::Shape { rows, features });
        }
        let records: Array2<f64> = dataset.records.mapv(canonical);
        let subsample = self.max_samples().min(rows as u64);
        let max_depth = self.height_limit(subsample);
        let trees = (0..self.n_estimators())
            .map(|tree| {
                let mut rng = SplitMix64::new(self.seed(), tree);
                let mut drawn = draw(rows as u32, subsample as u32, &mut rng);
                let mut grower =
                    Grower { records: records.view(), subsample, max_depth, rng, nodes: vec![] };
                grower.grow(&mut drawn, 0);
                Tree(grower.nodes)
            })
            .collect();
        Ok(IsolationForest {
            params: self.clone(),
            features,
            sample_rows: rows as u64,
            trees,
            changes: Memo::default(),
        })
    }
}

/// Draws `count` of the numbers below `total` without replacement (Floyd's algorithm).
pub(in crate::detectors) fn draw(total: u32, count: u32, rng: &mut SplitMix64) -> Vec<u32> {
    let mut taken = HashSet::with_capacity(count as usize);
    let mut drawn = Vec::with_capacity(count as usize);
    for last in total - count..total {
        let row = rng.below(last + 1);
        let row = if taken.insert(row) { row } else { last };
        taken.insert(row);
        drawn.push(row);
    }
    drawn
}

struct Grower<'a> {
    records: ArrayView2<'a, f64>,
    subsample: u64,
    max_depth: u64,
    rng: SplitMix64,
    nodes: Vec<Node>,
}

impl Grower<'_> {
    /// Appends the tree over `rows`, in preorder. Recursion is bounded by the height limit.
    fn grow(&mut self, rows: &mut [u32], depth: u64) {
        let split = if depth < self.max_depth { self.draw_split(rows) } else { None };
        let Some((feature, threshold)) = split else {
            self.nodes.push(Node::leaf(rows.len() as u32, depth, self.subsample));
            return;
        };
        let missing_left = threshold.is_finite() && self.rng.coin();
        let column = self.records.column(usize::from(feature));
        let middle = partition(rows, |row| {
            let value = column[row as usize];
            value < threshold || (value.is_nan() && missing_left)
        });
        let (left, right) = rows.split_at_mut(middle);
        let split = self.nodes.len();
        self.nodes.push(Node::Split { feature, threshold, missing_left, right: 0 });
        self.grow(left, depth + 1);
        let end_of_left = self.nodes.len() as u32;
        if let Node::Split { right, .. } = &mut self.nodes[split] {
            *right = end_of_left;
        }
        self.grow(right, depth + 1);
    }

    /// A feature uniform among those that can cut `rows`, and a threshold uniform in its range.
    /// Both sides of the cut get a row.
    fn draw_split(&mut self, rows: &[u32]) -> Option<(u16, f64)> {
        let candidates: Vec<(u16, Extent)> = (0..self.records.ncols())
            .map(|feature| (feature as u16, self.extent(feature, rows)))
            .filter(|(_, extent)| extent.can_be_cut())
            .collect();
        if candidates.is_empty() {
            return None;
        }
        let (feature, extent) = candidates[self.rng.below(candidates.len() as u32) as usize];
        let threshold = if extent.min < extent.max {
            let unit = self.rng.open_unit();
            // This form cannot overflow. Rounding may reach the ends: `min` must stay left.
            (extent.min * (1.0 - unit) + extent.max * unit).clamp(extent.min.next_up(), extent.max)
        } else {
            f64::INFINITY
        };
        Some((feature, threshold))
    }

    fn extent(&self, feature: usize, rows: &[u32]) -> Extent {
        let column = self.records.column(feature);
        let mut extent = Extent { min: f64::INFINITY, max: f64::NEG_INFINITY, missing: false };
        for &row in rows {
            let value = column[row as usize];
            // Comparisons with NaN are false, so only present values move the ends.
            if value < extent.min {
                extent.min = value;
            }
            if value > extent.max {
                extent.max = value;
            }
            extent.missing |= value.is_nan();
        }
        extent
    }
}

/// What the rows of a node have in one feature.
#[derive(Clone, Copy)]
struct Extent {
    min: f64,
    max: f64,
    missing: bool,
}

impl Extent {
    fn can_be_cut(&self) -> bool {
        self.min < self.max || (self.min == self.max && self.missing)
    }
}

/// Moves the rows that go left to the front and returns their number.
pub(in crate::detectors) fn partition(rows: &mut [u32], goes_left: impl Fn(u32) -> bool) -> usize {
    let mut left = 0;
    for at in 0..rows.len() {
        if goes_left(rows[at]) {
            rows.swap(at, left);
            left += 1;
        }
    }
    left
}
