//! Expectation maximisation.

use ndarray::ArrayView2;
use thiserror::Error;

use super::{Component, Densities, GaussianMixture, GaussianMixtureValidParams, MOST_PRECISE};
use crate::detectors::k_means;
use crate::detectors::rows::{Rows, nearest};
use crate::detectors::scaler::Scaler;
use crate::detectors::training::Hyperparameters;

/// Steps at most.
const MAX_ITERATIONS: usize = 200;
/// The gain in mean log density of a step that is the last.
const TOLERANCE: f64 = 1e-8;
/// Rows below which a component is dropped.
const LEAST_ROWS: f64 = 1e-6;
/// Most numbers in the covariances of all components.
const MAX_NUMBERS: usize = 1 << 20;

/// Why no mixture can be fitted.
#[derive(Debug, Error)]
pub enum FitError {
    /// No rows, no columns, or too many.
    #[error(
        "a mixture needs at least one row of one column, and columns x columns x `n_components` \
         must not exceed {MAX_NUMBERS}, got {rows} rows of {columns}; hint: fewer components, or \
         texts by their frequency"
    )]
    Shape {
        /// Rows given.
        rows: usize,
        /// Columns given.
        columns: usize,
    },
    /// No clusters to start from.
    #[error(transparent)]
    Clusters(#[from] k_means::FitError),
    /// Numbers left their range.
    #[error("the covariances of the mixture cannot be inverted; hint: a larger `reg_covar`")]
    Singular,
}

impl GaussianMixtureValidParams {
    /// Fits on rows, NaN where a value is missing. The order of the rows matters, as for every
    /// seeded algorithm.
    pub fn fit_rows(&self, records: ArrayView2<'_, f64>) -> Result<GaussianMixture, FitError> {
        let (rows, columns) = records.dim();
        let count = self.n_components() as usize;
        let numbers = columns.checked_mul(columns).and_then(|square| square.checked_mul(count));
        if rows == 0 || columns == 0 || numbers.is_none_or(|numbers| numbers > MAX_NUMBERS) {
            return Err(FitError::Shape { rows, columns });
        }
        let scaler = Scaler::standard(records);
        let rows = Rows::scaled(&scaler, records);
        let clusters = k_means::cluster(&rows, count, self.seed())?;
        let centroids = || clusters.iter().map(|cluster| cluster.centroid.as_slice());
        let shares = rows.iter().map(|row| {
            let mut shares = vec![0.0; clusters.len()];
            shares[nearest(row, centroids()).0] = 1.0;
            shares
        });
        let mut components = self.maximise(&rows, &shares.collect::<Vec<_>>());
        let mut last = f64::NEG_INFINITY;
        for _ in 0..MAX_ITERATIONS {
            let densities = Densities::new(&components);
            let (logs, shares): (Vec<f64>, Vec<_>) =
                rows.iter().map(|row| densities.of(row)).unzip();
            let mean = logs.iter().sum::<f64>() / rows.len() as f64;
            if (mean - last).abs() < TOLERANCE {
                break;
            }
            last = mean;
            components = self.maximise(&rows, &shares);
        }
        components.sort_by(Component::order);
        let whitening = components.iter().flat_map(|component| &component.whitening);
        match whitening.into_iter().all(|value| value.abs() <= MOST_PRECISE) {
            true => Ok(GaussianMixture { params: self.clone(), scaler, components }),
            false => Err(FitError::Singular),
        }
    }

    /// The components of which rows have the given shares.
    fn maximise(&self, rows: &Rows, shares: &[Vec<f64>]) -> Vec<Component> {
        let count = shares.first().map_or(0, Vec::len);
        let of_component = |at: usize| {
            let total: f64 = shares.iter().map(|shares| shares[at]).sum();
            (total > LEAST_ROWS).then(|| self.component(rows, total, shares.iter().map(|s| s[at])))
        };
        (0..count).filter_map(of_component).collect()
    }

    /// Mean and covariance of weighted rows, whose weights add up to `total`.
    fn component(
        &self,
        rows: &Rows,
        total: f64,
        weights: impl Iterator<Item = f64> + Clone,
    ) -> Component {
        let columns = rows.columns();
        let mut mean = vec![0.0; columns];
        for (row, weight) in rows.iter().zip(weights.clone()) {
            mean.iter_mut().zip(row).for_each(|(sum, x)| *sum += weight * x);
        }
        mean.iter_mut().for_each(|sum| *sum /= total);
        let mut covariance = vec![0.0; columns * (columns + 1) / 2];
        for (row, weight) in rows.iter().zip(weights).filter(|(_, weight)| *weight > 0.0) {
            let from_mean: Vec<f64> = row.iter().zip(&mean).map(|(x, mean)| x - mean).collect();
            let mut sums = covariance.iter_mut();
            for (at, a) in from_mean.iter().enumerate() {
                for (b, sum) in from_mean[..=at].iter().zip(&mut sums) {
                    *sum += weight * a * b;
                }
            }
        }
        covariance.iter_mut().for_each(|sum| *sum /= total);
        for row in 0..columns {
            covariance[at(row, row)] += self.reg_covar();
        }
        let weight = (total / rows.len() as f64).min(1.0);
        Component { weight, mean, whitening: whitening(covariance, columns, self.reg_covar()) }
    }
}

/// The place of a row and a column in a lower triangle.
fn at(row: usize, column: usize) -> usize {
    row * (row + 1) / 2 + column
}

/// The inverse of the Cholesky factor of a covariance whose least eigenvalue is `least`, which
/// rounding may have taken from it.
fn whitening(mut factor: Vec<f64>, columns: usize, least: f64) -> Vec<f64> {
    for row in 0..columns {
        for column in 0..=row {
            let known: f64 = (0..column).map(|k| factor[at(row, k)] * factor[at(column, k)]).sum();
            let rest = factor[at(row, column)] - known;
            factor[at(row, column)] = match row == column {
                true => libm::sqrt(rest.max(least)),
                false => rest / factor[at(column, column)],
            };
        }
    }
    let mut inverse = vec![0.0; factor.len()];
    for column in 0..columns {
        inverse[at(column, column)] = 1.0 / factor[at(column, column)];
        for row in column + 1..columns {
            let known: f64 =
                (column..row).map(|k| factor[at(row, k)] * inverse[at(k, column)]).sum();
            inverse[at(row, column)] = -known / factor[at(row, row)];
        }
    }
    inverse
}
