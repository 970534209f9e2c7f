//! The bins of one column.

use serde::{Deserialize, Serialize};

use super::HbosValidParams;

/// Bins of equal width and their scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Histogram {
    /// The lowest edge.
    low: f64,
    /// The highest edge.
    high: f64,
    /// Training rows in each bin.
    counts: Vec<u32>,
    /// Of the bins, ascending: one more than bins.
    #[serde(skip)]
    edges: Vec<f64>,
    /// -log2(density + alpha) of each bin.
    #[serde(skip)]
    scores: Vec<f64>,
    /// The largest score.
    #[serde(skip)]
    sparsest: f64,
    /// The mean score of the training rows.
    #[serde(skip)]
    mean: f64,
    /// How far beyond the edges values belong to the outermost bins.
    #[serde(skip)]
    tolerance: f64,
}

impl Histogram {
    /// Of the values of a column that are there; none of none.
    pub(super) fn fit(values: &[f64], params: &HbosValidParams) -> Option<Self> {
        // Keeps the distance of two edges finite.
        let values = || values.iter().map(|value| value.clamp(f64::MIN / 4.0, f64::MAX / 4.0));
        let low = values().reduce(f64::min)?;
        let high = values().reduce(f64::max)?;
        let bins = params.n_bins as usize;
        let edges = edges(low, high, bins).or_else(|| {
            // All values are equal, up to rounding.
            let around = (low.abs() * 1e-9).max(0.5);
            self::edges(low - around, high + around, bins)
        })?;
        let mut counts = vec![0; bins];
        for value in values() {
            let bin = edges.partition_point(|edge| *edge <= value);
            counts[bin.clamp(1, bins) - 1] += 1;
        }
        Self::new(edges, counts, params)
    }

    /// Between two edges; none where bins would have no width or no row.
    pub(super) fn of(
        low: f64,
        high: f64,
        counts: Vec<u32>,
        params: &HbosValidParams,
    ) -> Option<Self> {
        let extent = f64::MIN / 2.0..=f64::MAX / 2.0;
        if !(extent.contains(&low) && extent.contains(&high)) {
            return None;
        }
        Self::new(edges(low, high, counts.len())?, counts, params)
    }

    fn new(edges: Vec<f64>, counts: Vec<u32>, params: &HbosValidParams) -> Option<Self> {
        let rows: f64 = counts.iter().copied().map(f64::from).sum();
        if rows == 0.0 {
            return None;
        }
        let densities = edges
            .windows(2)
            .zip(&counts)
            .map(|(edge, count)| f64::from(*count) / rows / (edge[1] - edge[0]));
        let score = |density| -libm::log2(density + params.alpha);
        let scores: Vec<f64> = densities.map(score).collect();
        let weighted = scores.iter().zip(&counts).map(|(score, count)| score * f64::from(*count));
        Some(Self {
            low: edges[0],
            high: edges[counts.len()],
            sparsest: scores.iter().copied().reduce(f64::max)?,
            mean: weighted.sum::<f64>() / rows,
            tolerance: (edges[1] - edges[0]) * params.tol,
            edges,
            counts,
            scores,
        })
    }

    /// The lowest and the highest edge.
    pub(super) fn extent(&self) -> [f64; 2] {
        [self.low, self.high]
    }

    /// Training rows in each bin.
    pub(super) fn counts(&self) -> &[u32] {
        &self.counts
    }

    /// The mean score of the training rows.
    pub(super) fn mean(&self) -> f64 {
        self.mean
    }

    /// The score of a value, the mean where it is missing.
    pub(super) fn score(&self, value: f64) -> f64 {
        if value.is_nan() {
            return self.mean;
        }
        let [low, high] = self.extent();
        let bins = self.counts.len();
        match self.edges.partition_point(|edge| *edge < value) {
            0 if low - value <= self.tolerance => self.scores[0],
            0 => self.sparsest,
            bin if bin <= bins => self.scores[bin - 1],
            _ if value - high <= self.tolerance => self.scores[bins - 1],
            _ => self.sparsest,
        }
    }
}

/// Equally spaced edges as numpy's `linspace` has them; none where they would not ascend by normal
/// numbers, whose inverse is finite.
fn edges(low: f64, high: f64, bins: usize) -> Option<Vec<f64>> {
    let step = (high - low) / bins as f64;
    let mut edges: Vec<f64> = (0..bins).map(|bin| bin as f64 * step + low).collect();
    edges.push(high);
    let ascend = edges.windows(2).all(|edge| edge[1] - edge[0] >= f64::MIN_POSITIVE);
    ascend.then_some(edges)
}
