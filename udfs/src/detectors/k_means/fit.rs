//! Finding the clusters.

use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_clustering::{KMeansError, KMeansInit};
use ndarray::{ArrayView2, ShapeError};
use thiserror::Error;

use super::{Cluster, KMeans, KMeansValidParams};
use crate::detectors::random::SplitMix64;
use crate::detectors::rows::{Rows, nearest, squared};
use crate::detectors::scaler::Scaler;
use crate::detectors::training::Hyperparameters;

/// Runs from other seeds.
const RUNS: u64 = 4;
/// Lloyd steps at most.
const MAX_ITERATIONS: u64 = 300;
/// How far all centroids together may still move when they have arrived.
const TOLERANCE: f64 = 1e-9;

/// Why no clusters can be found.
#[derive(Debug, Error)]
pub enum FitError {
    /// No rows or no columns.
    #[error("clusters need at least one row of one column, got {rows} rows of {columns}")]
    Empty {
        /// Rows given.
        rows: usize,
        /// Columns given.
        columns: usize,
    },
    /// Rows that are no matrix.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// linfa found none.
    #[error(transparent)]
    KMeans(#[from] KMeansError),
}

impl KMeansValidParams {
    /// Fits on rows, NaN where missing. The order of the rows matters, as for every seeded
    /// algorithm.
    pub fn fit_rows(&self, records: ArrayView2<'_, f64>) -> Result<KMeans, FitError> {
        let (rows, columns) = records.dim();
        if rows == 0 || columns == 0 {
            return Err(FitError::Empty { rows, columns });
        }
        let scaler = Scaler::standard(records);
        let rows = Rows::scaled(&scaler, records);
        let clusters = cluster(&rows, self.n_clusters() as usize, self.seed())?;
        Ok(KMeans::new(self.clone(), scaler, clusters))
    }
}

/// At most `count` clusters of at least one row, by size, the largest first, then by centroid: the
/// best of a few runs, by the sum of the squared distances.
pub(in crate::detectors) fn cluster(
    rows: &Rows,
    count: usize,
    seed: u64,
) -> Result<Vec<Cluster>, FitError> {
    let mut best: Option<(f64, Rows)> = None;
    for run in 0..RUNS {
        let means = means(rows, &lloyd(rows, seeds(rows, count, SplitMix64::new(seed, run)))?);
        let inertia = rows.iter().map(|row| nearest(row, means.iter()).1).sum();
        if best.as_ref().is_none_or(|(least, _)| inertia < *least) {
            best = Some((inertia, means));
        }
    }
    let means = best.map_or_else(|| Rows::new(vec![], rows.columns()), |(_, means)| means);
    let mut clusters: Vec<Cluster> =
        means.iter().map(|mean| Cluster { size: 0, centroid: mean.to_vec() }).collect();
    for row in rows.iter() {
        clusters[nearest(row, means.iter()).0].size += 1;
    }
    clusters.retain(|cluster| cluster.size > 0);
    clusters.sort_by(Cluster::order);
    Ok(clusters)
}

/// Moves centroids until they stay.
fn lloyd(rows: &Rows, seeds: Rows) -> Result<Rows, FitError> {
    let fitted = linfa_clustering::KMeans::params(seeds.len())
        .init_method(KMeansInit::Precomputed(seeds.view()?.to_owned()))
        .n_runs(1)
        .max_n_iterations(MAX_ITERATIONS)
        .tolerance(TOLERANCE)
        .fit(&DatasetBase::from(rows.view()?))?;
    Ok(Rows::new(fitted.centroids().iter().copied().collect(), rows.columns()))
}

/// The means of the rows nearest to each centroid; a centroid without rows stays.
fn means(rows: &Rows, centroids: &Rows) -> Rows {
    let columns = rows.columns();
    let mut sums = vec![0.0; centroids.values().len()];
    let mut sizes = vec![0.0; centroids.len()];
    for row in rows.iter() {
        let at = nearest(row, centroids.iter()).0;
        sizes[at] += 1.0;
        for (sum, value) in sums[at * columns..].iter_mut().zip(row) {
            *sum += value;
        }
    }
    let means = sums.iter().zip(centroids.values()).enumerate();
    let means = means.map(|(at, (sum, centroid))| match sizes[at / columns] {
        0.0 => *centroid,
        size => sum / size,
    });
    Rows::new(means.collect(), columns)
}

/// Greedy k-means++: each seed is the best of a few rows drawn in proportion to their squared
/// distance from the seeds before. Ends early where every row is a seed.
fn seeds(rows: &Rows, count: usize, mut rng: SplitMix64) -> Rows {
    let trials = 2 + libm::log(count as f64) as usize;
    let first = rows.row(rng.below(rows.len() as u32) as usize);
    let mut seeds = first.to_vec();
    let mut distances: Vec<f64> = rows.iter().map(|row| squared(row, first)).collect();
    for _ in 1..count {
        let total: f64 = distances.iter().sum();
        if total <= 0.0 {
            break;
        }
        let mut best: Option<(f64, Vec<f64>, &[f64])> = None;
        for _ in 0..trials {
            let candidate = rows.row(draw(&distances, rng.open_unit() * total));
            let closer: Vec<f64> = rows
                .iter()
                .zip(&distances)
                .map(|(row, distance)| squared(row, candidate).min(*distance))
                .collect();
            let left = closer.iter().sum();
            if best.as_ref().is_none_or(|(least, ..)| left < *least) {
                best = Some((left, closer, candidate));
            }
        }
        if let Some((_, closer, candidate)) = best {
            distances = closer;
            seeds.extend_from_slice(candidate);
        }
    }
    Rows::new(seeds, rows.columns())
}

/// The position at which the running sum of `weights` passes `target`, or the last one that weighs
/// anything.
fn draw(weights: &[f64], target: f64) -> usize {
    let mut sum = 0.0;
    let mut drawn = 0;
    for (at, weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
        sum += weight;
        drawn = at;
        if sum > target {
            break;
        }
    }
    drawn
}
