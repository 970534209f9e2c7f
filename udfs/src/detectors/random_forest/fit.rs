//! Growing the trees.

use ndarray::ArrayView2;

use super::error::FitError;
use super::hyperparams::{MAX_SAMPLES, RandomForestValidParams};
use super::{Node, RandomForest, Tree};
use crate::detectors::canonical;
use crate::detectors::isolation_forest::fit::partition;
use crate::detectors::memo::Memo;
use crate::detectors::random::SplitMix64;
use crate::detectors::signature::MAX_FEATURES;

/// Rank of a missing value.
const MISSING: u32 = u32::MAX;

impl RandomForestValidParams {
    /// Fits on rows, NaN where missing, and a label per row. The order of the rows matters, as for
    /// every seeded algorithm.
    pub fn fit(
        &self,
        records: ArrayView2<'_, f64>,
        labels: &[bool],
    ) -> Result<RandomForest, FitError> {
        let (rows, features) = records.dim();
        let too_many = rows as u64 > MAX_SAMPLES || features > MAX_FEATURES;
        if rows == 0 || features == 0 || too_many || labels.len() != rows {
            return Err(FitError::Shape { rows, features, labels: labels.len() });
        }
        let columns: Vec<_> = records.columns().into_iter().map(Column::of).collect();
        let trees = (0..self.n_estimators())
            .map(|tree| {
                let mut rng = SplitMix64::new(self.sampling().seed, tree);
                let mut drawn: Vec<u32> = (0..rows).map(|_| rng.below(rows as u32)).collect();
                let mut grower = Grower {
                    params: self,
                    columns: &columns,
                    labels,
                    rng,
                    order: (0..features as u16).collect(),
                    keys: vec![],
                    nodes: vec![],
                };
                grower.grow(&mut drawn, 0);
                Tree(grower.nodes)
            })
            .collect();
        Ok(RandomForest {
            params: self.clone(),
            features,
            sample_rows: rows as u64,
            trees,
            changes: Memo::default(),
        })
    }
}

/// A column by the ranks of its values: what decides a cut, and integers sort fast.
struct Column {
    /// Of each row: the position of its value, or [`MISSING`].
    ranks: Vec<u32>,
    /// Distinct values, ascending.
    values: Vec<f64>,
}

impl Column {
    fn of(column: ndarray::ArrayView1<'_, f64>) -> Self {
        let present = column.iter().copied().filter(|value| !value.is_nan()).map(canonical);
        let mut values: Vec<f64> = present.collect();
        values.sort_unstable_by(f64::total_cmp);
        values.dedup();
        let rank = |value: &f64| match value.is_nan() {
            true => MISSING,
            false => values.partition_point(|other| *other < canonical(*value)) as u32,
        };
        let ranks = column.iter().map(rank).collect();
        Self { ranks, values }
    }

    /// A number above the value of this rank and not above the next: half way, as in scikit-learn.
    fn threshold(&self, rank: u32, next: u32) -> f64 {
        let (low, high) = (self.values[rank as usize], self.values[next as usize]);
        // This form cannot overflow. Rounding may reach the lower value, which must stay left.
        (low / 2.0 + high / 2.0).clamp(low.next_up(), high)
    }
}

/// Rows, and how many of them are anomalies.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Counts {
    rows: u32,
    anomalies: u32,
}

impl Counts {
    fn plus(self, other: Self) -> Self {
        Self { rows: self.rows + other.rows, anomalies: self.anomalies + other.anomalies }
    }

    fn minus(self, other: Self) -> Self {
        Self { rows: self.rows - other.rows, anomalies: self.anomalies - other.anomalies }
    }

    fn add(&mut self, anomalies: u32) {
        self.rows += 1;
        self.anomalies += anomalies;
    }

    /// Rows less rows x Gini impurity: the larger, the purer.
    fn purity(self) -> f64 {
        let (anomalies, others) =
            (f64::from(self.anomalies), f64::from(self.rows - self.anomalies));
        (anomalies * anomalies + others * others) / f64::from(self.rows)
    }
}

/// A cut of a node: what goes left has at most this rank, or misses the value.
#[derive(Debug, Clone, Copy)]
struct Cut {
    purity: f64,
    feature: u16,
    rank: u32,
    threshold: f64,
    missing_left: bool,
}

struct Grower<'a> {
    params: &'a RandomForestValidParams,
    columns: &'a [Column],
    labels: &'a [bool],
    rng: SplitMix64,
    /// The columns, the first of them in the order last drawn.
    order: Vec<u16>,
    /// Rank and label of the rows of a node, rank first.
    keys: Vec<u32>,
    nodes: Vec<Node>,
}

impl Grower<'_> {
    /// Appends the tree over `rows`, in preorder. Recursion is bounded by the height limit.
    fn grow(&mut self, rows: &mut [u32], depth: u64) {
        let mut counts = Counts::default();
        for row in &*rows {
            counts.add(u32::from(self.labels[*row as usize]));
        }
        let pure = counts.anomalies == 0 || counts.anomalies == counts.rows;
        let cut = match pure || depth == self.params.max_depth() {
            true => None,
            false => self.best_cut(rows, counts),
        };
        let Some(Cut { feature, rank, threshold, missing_left, .. }) = cut else {
            self.nodes.push(Node::Leaf { rows: counts.rows, anomalies: counts.anomalies });
            return;
        };
        let ranks = &self.columns[usize::from(feature)].ranks;
        let middle = partition(rows, |row| match ranks[row as usize] {
            MISSING => missing_left,
            found => found <= rank,
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

    /// The purest cut in columns drawn one after the other, until enough of them can cut the node.
    /// Of equal cuts, the first.
    fn best_cut(&mut self, rows: &[u32], counts: Counts) -> Option<Cut> {
        let mut wanted = self.params.cut_features(self.columns.len());
        let mut best: Option<Cut> = None;
        for drawn in 0..self.order.len() {
            let left = (self.order.len() - drawn) as u32;
            let other = drawn + self.rng.below(left) as usize;
            self.order.swap(drawn, other);
            let Some(cut) = self.best_cut_of(self.order[drawn], rows, counts) else {
                continue;
            };
            if best.is_none_or(|best| cut.purity > best.purity) {
                best = Some(cut);
            }
            wanted -= 1;
            if wanted == 0 {
                break;
            }
        }
        best
    }

    /// The purest cut in one column, where it can cut the rows.
    fn best_cut_of(&mut self, feature: u16, rows: &[u32], counts: Counts) -> Option<Cut> {
        let column = &self.columns[usize::from(feature)];
        let mut missing = Counts::default();
        self.keys.clear();
        for row in rows {
            let anomaly = u32::from(self.labels[*row as usize]);
            match column.ranks[*row as usize] {
                MISSING => missing.add(anomaly),
                // At most 2^20 ranks.
                rank => self.keys.push(rank << 1 | anomaly),
            }
        }
        self.keys.sort_unstable();
        let fewest = self.params.min_samples_leaf();
        let mut best: Option<Cut> = None;
        let mut offer = |left: Counts, rank, threshold: f64, missing_left| {
            let right = counts.minus(left);
            if u64::from(left.rows.min(right.rows)) < fewest {
                return;
            }
            let purity = left.purity() + right.purity();
            if best.is_none_or(|best| purity > best.purity) {
                best = Some(Cut { purity, feature, rank, threshold, missing_left });
            }
        };
        let mut below = Counts::default();
        for pair in self.keys.windows(2) {
            let [(rank, anomaly), (next, _)] = [pair[0], pair[1]].map(|key| (key >> 1, key & 1));
            below.add(anomaly);
            if rank == next {
                continue;
            }
            let threshold = column.threshold(rank, next);
            if missing.rows == 0 {
                offer(below, rank, threshold, 2 * below.rows > counts.rows);
            } else {
                offer(below, rank, threshold, false);
                offer(below.plus(missing), rank, threshold, true);
            }
        }
        if missing.rows > 0 {
            offer(counts.minus(missing), MISSING - 1, f64::INFINITY, false);
        }
        best
    }
}
