//! Principal component analysis (Pearson 1901): the few directions in which the training rows
//! spread most. A row that leaves them breaks with how the columns go together, and its squared
//! distance from them is the score (the squared prediction error of Jackson, Mudholkar 1979).
//!
//! Columns are standardised; the directions are eigenvectors of their correlation matrix. Kept are
//! a number of them, or as many as hold a share of the variance, and never all: of p columns, at
//! most p - 1, so of one column none, and its score is z^2. A direction in which the training rows
//! do not spread is not kept either, so that leaving it always counts: a column without a spread
//! adds the square of its difference. Which of several directions of equal variance are kept depends
//! on the order of the columns.
//!
//! Eigenvectors are computed here, by rotations (`eigen`). The principal component analysis of
//! linfa-reduction 0.8.1 searches for the directions (LOBPCG) from a random start and returns what
//! it has where it does not converge, without an error: on the rows of the test below, scores
//! without two and three components are wrong by 2.7 and 52, and the singular value 15.89 comes out
//! as 12.83. Its matrix products are rounded differently by different processors, and it wants the
//! number of components, where the variances decide it here.
//!
//! Fitting costs O(rows x columns^2 + 36 columns^3), scoring O(columns x components) per row, at
//! most [`MAX_COLUMNS`] columns. A model holds 8 bytes x columns x (components + 2).
//!
//! # Missing values
//! A missing value counts as the mean, in training and in scoring. Scaled values end 1e6 standard
//! deviations from the mean, infinities too.

mod codec;
mod eigen;
mod fit;

#[cfg(test)]
mod tests;

use linfa::ParamGuard;
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::json::checked;
use super::rows::Rows;
use super::sampling::{Sampling, SamplingError};
use super::scaler::Scaler;
use super::{Algorithm, Attribution, Detector};

pub(super) use codec::decode;

/// Most rows kept for training.
pub const MAX_SAMPLE_ROWS: u64 = 1 << 20;
/// Most columns, after text features have become numbers.
pub const MAX_COLUMNS: usize = 512;
/// Most components, which are fewer than columns.
pub const MAX_COMPONENTS: u64 = MAX_COLUMNS as u64 - 1;

/// How many components are kept.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(into = "ComponentOptions", try_from = "ComponentOptions")]
pub enum Components {
    /// This many, fewer than columns. Fewer where training rows spread in fewer directions.
    Number(u64),
    /// As many as hold this share of the variance, in (0, 1): at least 1, and fewer than columns.
    Variance(f64),
}

/// The same as options: one of them is there.
#[derive(Serialize, Deserialize)]
struct ComponentOptions {
    // Without this, a field that is missing would be null.
    #[serde(deserialize_with = "Option::deserialize")]
    n_components: Option<u64>,
    #[serde(deserialize_with = "Option::deserialize")]
    variance: Option<f64>,
}

impl From<Components> for ComponentOptions {
    fn from(components: Components) -> Self {
        match components {
            Components::Number(number) => Self { n_components: Some(number), variance: None },
            Components::Variance(share) => Self { n_components: None, variance: Some(share) },
        }
    }
}

impl TryFrom<ComponentOptions> for Components {
    type Error = &'static str;

    fn try_from(options: ComponentOptions) -> Result<Self, Self::Error> {
        match (options.n_components, options.variance) {
            (Some(number), None) => Ok(Self::Number(number)),
            (None, Some(share)) => Ok(Self::Variance(share)),
            _ => Err("either `n_components` or `variance` is a number, the other one is null"),
        }
    }
}

/// Hyperparameters not checked yet; see [`Self::check`](ParamGuard).
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct PcaParams(PcaValidParams);

/// Hyperparameters within their ranges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PcaValidParams {
    #[serde(flatten)]
    components: Components,
    #[serde(flatten)]
    sampling: Sampling,
}

/// A hyperparameter out of its range.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ParamError {
    /// Number of components.
    #[error("`n_components` must be between 0 and {MAX_COMPONENTS}, got {0}")]
    Number(u64),
    /// Share of the variance.
    #[error("`variance` must be greater than 0 and less than 1, got {0}")]
    Variance(f64),
    /// Rows kept for training.
    #[error(transparent)]
    Sampling(#[from] SamplingError),
}

/// Why nothing was fitted.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum FitError {
    /// Too many columns.
    #[error(
        "components are taken of at most {MAX_COLUMNS} columns, got {0}; hint: leave features out, \
         or count categories by `frequency`"
    )]
    Columns(usize),
    /// Nothing would be left to score.
    #[error(
        "`n_components` must be less than the number of columns, {columns}, got {number}; hint: \
         with all components kept every row scores 0"
    )]
    Components {
        /// Components to be kept.
        number: u64,
        /// Columns that there are.
        columns: usize,
    },
}

impl PcaParams {
    /// How many components are kept. Default as many as hold 0.9 of the variance.
    pub fn components(mut self, components: Components) -> Self {
        self.0.components = components;
        self
    }

    /// Rows that are kept: 2 to [`MAX_SAMPLE_ROWS`], default 65536.
    pub fn sampling(mut self, sampling: Sampling) -> Self {
        self.0.sampling = sampling;
        self
    }
}

impl ParamGuard for PcaParams {
    type Checked = PcaValidParams;
    type Error = ParamError;

    fn check_ref(&self) -> Result<&Self::Checked, ParamError> {
        match self.0.components {
            Components::Number(number) if number > MAX_COMPONENTS => {
                return Err(ParamError::Number(number));
            }
            Components::Variance(share) if !(share > 0.0 && share < 1.0) => {
                return Err(ParamError::Variance(share));
            }
            _ => {}
        }
        self.0.sampling.check(MAX_SAMPLE_ROWS)?;
        Ok(&self.0)
    }

    fn check(self) -> Result<Self::Checked, ParamError> {
        self.check_ref()?;
        Ok(self.0)
    }
}

/// Means, scales and the directions that are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pca {
    #[serde(rename = "options", deserialize_with = "checked::<_, PcaParams>")]
    params: PcaValidParams,
    scaler: Scaler,
    /// Of length 1 and orthogonal.
    components: Rows,
}

impl Pca {
    /// Where rows are kept by default.
    pub const DEFAULT_SAMPLING: Sampling = Sampling::of(65_536);

    /// Hyperparameters to start from.
    pub fn params() -> PcaParams {
        let (components, sampling) = (Components::Variance(0.9), Self::DEFAULT_SAMPLING);
        PcaParams(PcaValidParams { components, sampling })
    }

    /// The directions that are kept, those of most variance first: of length 1, orthogonal, over the
    /// standardised columns.
    pub fn components(&self) -> impl Iterator<Item = &[f64]> {
        self.components.iter()
    }

    /// What is left of scaled rows without the components.
    fn residuals(&self, records: ArrayView2<'_, f64>) -> Array2<f64> {
        let mut rows = self.scaler.transform(records);
        for mut row in rows.rows_mut() {
            // Not `dot`, whose rounding depends on the processor.
            let along = |component: &[f64]| {
                component.iter().zip(&row).fold(0.0, |sum, (part, z)| sum + part * z)
            };
            let lengths: Vec<f64> = self.components.iter().map(along).collect();
            for (component, length) in self.components.iter().zip(lengths) {
                row.iter_mut().zip(component).for_each(|(z, part)| *z -= length * part);
            }
        }
        rows
    }
}

impl Detector for Pca {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Pca
    }

    fn options(&self) -> Vec<(&'static str, String)> {
        let [max_samples, seed] = self.params.sampling.options();
        match self.params.components {
            Components::Number(number) => {
                vec![max_samples, ("n_components", number.to_string()), seed]
            }
            Components::Variance(share) => vec![max_samples, seed, ("variance", share.to_string())],
        }
    }

    fn scores(&self, records: ArrayView2<'_, f64>) -> Vec<f64> {
        self.attribute(records).contributions.rows().into_iter().map(|row| row.sum()).collect()
    }

    /// The square of what is left of each column, beside a base of 0.
    fn attribute(&self, records: ArrayView2<'_, f64>) -> Attribution {
        let contributions = self.residuals(records).mapv_into(|left| left * left);
        Attribution { bases: vec![0.0; records.nrows()], contributions }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        self.encode(out);
    }
}
