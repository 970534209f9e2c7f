//! Gaussian mixture: rows come from a few normal distributions with covariances of their own; the
//! score of a row is its negative log density, in nats, on standardised columns.
//!
//! Fitted by expectation maximisation (Dempster, Laird, Rubin 1977) from k-means clusters. linfa's
//! mixture is not used: it adds up densities instead of their logarithms, so that one far row, of
//! density 0, turns all of its parameters into NaN. `reg_covar` is added to every variance, which
//! also is the least variance of any direction. Components that lose their rows are dropped.
//!
//! A missing value counts as the mean of its column.
//!
//! # Explanation
//! A column adds its part of half the squared Mahalanobis distance, `(x - m)_j (P (x - m))_j / 2`
//! with the precision `P`, weighted with the probability of each component. Parts of correlated
//! columns may be negative. The base is what is left: the score at the centre.

mod fit;
mod hyperparams;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

pub use fit::FitError;
pub use hyperparams::{
    GaussianMixtureParams, GaussianMixtureValidParams, MAX_COMPONENTS, MAX_SAMPLE_ROWS, ParamError,
};

use super::json::checked;
use super::rows::Rows;
use super::sampling::Sampling;
use super::scaler::{MOST_SCALED, Scaler};
use super::training::Hyperparameters;
use super::wire::{Reader, WireError, put_numbers};
use super::{Algorithm, Attribution, Detector};

/// The largest number in a whitening matrix: a standard deviation of 1e-9.
const MOST_PRECISE: f64 = 1e9;

/// A fitted mixture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GaussianMixture {
    #[serde(rename = "options", deserialize_with = "checked::<_, GaussianMixtureParams>")]
    params: GaussianMixtureValidParams,
    scaler: Scaler,
    components: Vec<Component>,
}

/// A normal distribution. A model has them by weight, the largest first, then by mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Component {
    weight: f64,
    mean: Vec<f64>,
    /// The inverse of the Cholesky factor of the covariance, whose product with `x - mean` has
    /// independent columns of variance 1: the rows of its lower triangle.
    whitening: Vec<f64>,
}

impl Component {
    fn order(&self, other: &Self) -> Ordering {
        let means = self.mean.iter().zip(&other.mean);
        let by_mean = means.map(|(a, b)| a.total_cmp(b)).find(|order| order.is_ne());
        other.weight.total_cmp(&self.weight).then(by_mean.unwrap_or(Ordering::Equal))
    }

    /// The row from the mean, whitened.
    fn whiten(&self, row: &[f64]) -> Vec<f64> {
        let from_mean: Vec<f64> = row.iter().zip(&self.mean).map(|(x, mean)| x - mean).collect();
        triangle(&self.whitening, from_mean.len())
            .map(|weights| weights.iter().zip(&from_mean).map(|(w, x)| w * x).sum())
            .collect()
    }

    /// What does not depend on the row: `ln weight + ln |whitening| - columns / 2 ln 2 pi`.
    fn log_height(&self) -> f64 {
        const LN_2_PI: f64 = 1.837_877_066_409_345_3;
        let columns = self.mean.len();
        let diagonal = triangle(&self.whitening, columns).filter_map(<[f64]>::last);
        let log_determinant: f64 = diagonal.map(|value| libm::log(*value)).sum();
        libm::log(self.weight) + log_determinant - 0.5 * columns as f64 * LN_2_PI
    }
}

/// The rows of a lower triangle: one number, two, up to `columns`.
fn triangle(numbers: &[f64], columns: usize) -> impl Iterator<Item = &[f64]> {
    (0..columns).map(move |row| &numbers[row * (row + 1) / 2..(row + 1) * (row + 2) / 2])
}

/// Log densities of the components of a mixture.
struct Densities<'a> {
    components: &'a [Component],
    heights: Vec<f64>,
}

impl<'a> Densities<'a> {
    fn new(components: &'a [Component]) -> Self {
        Self { components, heights: components.iter().map(Component::log_height).collect() }
    }

    /// The log density of a row, and the probability that it is from each component.
    fn of(&self, row: &[f64]) -> (f64, Vec<f64>) {
        let components = self.components.iter().zip(&self.heights);
        let logs: Vec<f64> = components
            .map(|(component, height)| {
                let whitened = component.whiten(row);
                height - 0.5 * whitened.iter().map(|value| value * value).sum::<f64>()
            })
            .collect();
        let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut shares: Vec<f64> = logs.iter().map(|log| libm::exp(log - largest)).collect();
        let whole: f64 = shares.iter().sum();
        shares.iter_mut().for_each(|share| *share /= whole);
        (largest + libm::log(whole), shares)
    }
}

impl GaussianMixture {
    /// Where rows are kept by default.
    pub const DEFAULT_SAMPLING: Sampling = Sampling::of(16_384);

    /// Hyperparameters to start from.
    pub fn params() -> GaussianMixtureParams {
        GaussianMixtureParams::default()
    }

    /// Adds the parts of the columns in the squared distance of a row from one component.
    fn share_out(component: &Component, amount: f64, row: &[f64], shares: &mut [f64]) {
        let whitened = component.whiten(row);
        let mut precise = vec![0.0; row.len()];
        for (weights, value) in triangle(&component.whitening, row.len()).zip(&whitened) {
            for (sum, weight) in precise.iter_mut().zip(weights) {
                *sum += weight * value;
            }
        }
        let columns = row.iter().zip(&component.mean).zip(&precise);
        for (((x, mean), precise), share) in columns.zip(shares) {
            *share += amount * (x - mean) * precise;
        }
    }
}

impl Detector for GaussianMixture {
    fn algorithm(&self) -> Algorithm {
        Algorithm::GaussianMixture
    }

    fn options(&self) -> Vec<(&'static str, String)> {
        self.params.options()
    }

    fn scores(&self, records: ArrayView2<'_, f64>) -> Vec<f64> {
        let densities = Densities::new(&self.components);
        let rows = Rows::scaled(&self.scaler, records);
        rows.iter().map(|row| -densities.of(row).0).collect()
    }

    fn attribute(&self, records: ArrayView2<'_, f64>) -> Attribution {
        let densities = Densities::new(&self.components);
        let rows = Rows::scaled(&self.scaler, records);
        let mut contributions = Array2::zeros((records.nrows(), self.scaler.columns()));
        let mut bases = vec![];
        for (row, mut parts) in rows.iter().zip(contributions.rows_mut()) {
            let (log_density, shares) = densities.of(row);
            // A new array is in standard order.
            if let Some(parts) = parts.as_slice_mut() {
                for (component, share) in self.components.iter().zip(shares) {
                    Self::share_out(component, 0.5 * share, row, parts);
                }
            }
            bases.push(-log_density - parts.sum());
        }
        Attribution { bases, contributions }
    }

    /// ```text
    /// hyperparameters | scaler | components u32 x (weight f64, mean, whitening)
    /// ```
    fn encode(&self, out: &mut Vec<u8>) {
        self.params.encode(out);
        self.scaler.encode(out);
        out.extend_from_slice(&(self.components.len() as u32).to_le_bytes());
        for Component { weight, mean, whitening } in &self.components {
            put_numbers(out, std::iter::once(weight).chain(mean).chain(whitening));
        }
    }
}

/// Reads one over `columns` columns.
pub(in crate::detectors) fn decode(
    mut reader: Reader<'_>,
    columns: usize,
) -> Result<GaussianMixture, WireError> {
    let params = GaussianMixtureValidParams::decode(&mut reader)?;
    let scaler = Scaler::decode(&mut reader, columns)?;
    let count = reader.u32()?;
    if count == 0 || u64::from(count) > params.n_components() {
        return Err(WireError::Invalid("it has no components, or too many"));
    }
    let mut components: Vec<Component> = vec![];
    for _ in 0..count {
        let weight = reader.finite()?;
        let mean = reader.numbers_within(columns, MOST_SCALED)?;
        let whitening = reader.numbers_within(columns * (columns + 1) / 2, MOST_PRECISE)?;
        let component = Component { weight, mean, whitening };
        let positive = triangle(&component.whitening, columns)
            .all(|row| row.last().is_some_and(|diagonal| *diagonal > 0.0));
        if !(weight > 0.0 && weight <= 1.0 && positive) {
            return Err(WireError::Invalid("a component of it is no distribution"));
        }
        if components.last().is_some_and(|last| last.order(&component).is_gt()) {
            return Err(WireError::Invalid("its components are out of order"));
        }
        components.push(component);
    }
    reader.finish()?;
    Ok(GaussianMixture { params, scaler, components })
}
