//! The squared Mahalanobis distance to the mean (Mahalanobis 1936): how many standard deviations
//! away a row is, along the directions in which the training rows spread.
//!
//! Columns are standardised, and the score is z'P z with P the inverse of their correlation matrix
//! shrunk towards the identity, (1 - `shrinkage`) R + `shrinkage` I (Ledoit, Wolf 2004, with a fixed
//! weight). It has an inverse also where columns depend on each other; smaller weights make rows
//! that break such a dependency more anomalous. Rows of a normal distribution have scores of a
//! chi-squared distribution with as many degrees of freedom as columns.
//!
//! A column without a spread counts the square of its difference. Fitting costs O((rows + columns) x
//! columns^2), scoring O(columns^2) per row, at most [`MAX_COLUMNS`] of them. A model holds 4
//! bytes x columns^2.
//!
//! # Missing values
//! A missing value counts as the mean, in training and in scoring. Scaled values end 1e6 standard
//! deviations from the mean, infinities too.

mod codec;
mod fit;

#[cfg(test)]
mod tests;

use linfa::ParamGuard;
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::json::{checked, lower_triangle};
use super::sampling::{Sampling, SamplingError};
use super::scaler::Scaler;
use super::{Algorithm, Attribution, Detector};

pub(super) use codec::decode;

/// Most rows kept for training.
pub const MAX_SAMPLE_ROWS: u64 = 1 << 20;
/// Most columns, after text features have become numbers.
pub const MAX_COLUMNS: usize = 512;
/// Least weight of the identity, which bounds the inverse.
pub const LEAST_SHRINKAGE: f64 = 1e-6;

/// Hyperparameters not checked yet; see [`Self::check`](ParamGuard).
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct MahalanobisParams(MahalanobisValidParams);

/// Hyperparameters within their ranges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MahalanobisValidParams {
    shrinkage: f64,
    #[serde(flatten)]
    sampling: Sampling,
}

/// A hyperparameter out of its range.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ParamError {
    /// Weight of the identity.
    #[error("`shrinkage` must be between {LEAST_SHRINKAGE} and 1, got {0}")]
    Shrinkage(f64),
    /// Rows kept for training.
    #[error(transparent)]
    Sampling(#[from] SamplingError),
}

/// Why nothing was fitted.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum FitError {
    /// Too many columns.
    #[error(
        "distances are taken over at most {MAX_COLUMNS} columns, got {0}; hint: leave features out, \
         or count categories by `frequency`"
    )]
    Columns(usize),
    /// No inverse, which the shrinkage prevents.
    #[error("the correlations have no inverse; hint: raise `shrinkage`")]
    Singular,
}

impl MahalanobisParams {
    /// Weight of the identity, [`LEAST_SHRINKAGE`] to 1. Default 0.001.
    pub fn shrinkage(mut self, weight: f64) -> Self {
        self.0.shrinkage = weight;
        self
    }

    /// Rows that are kept: 2 to [`MAX_SAMPLE_ROWS`], default 65536.
    pub fn sampling(mut self, sampling: Sampling) -> Self {
        self.0.sampling = sampling;
        self
    }
}

impl ParamGuard for MahalanobisParams {
    type Checked = MahalanobisValidParams;
    type Error = ParamError;

    fn check_ref(&self) -> Result<&Self::Checked, ParamError> {
        if !(LEAST_SHRINKAGE..=1.0).contains(&self.0.shrinkage) {
            return Err(ParamError::Shrinkage(self.0.shrinkage));
        }
        self.0.sampling.check(MAX_SAMPLE_ROWS)?;
        Ok(&self.0)
    }

    fn check(self) -> Result<Self::Checked, ParamError> {
        self.check_ref()?;
        Ok(self.0)
    }
}

/// Means, scales and the inverse of the correlations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mahalanobis {
    #[serde(rename = "options", deserialize_with = "checked::<_, MahalanobisParams>")]
    params: MahalanobisValidParams,
    scaler: Scaler,
    /// Symmetric.
    #[serde(with = "lower_triangle")]
    precision: Array2<f64>,
}

impl Mahalanobis {
    /// Where rows are kept by default.
    pub const DEFAULT_SAMPLING: Sampling = Sampling::of(65_536);

    /// Hyperparameters to start from.
    pub fn params() -> MahalanobisParams {
        let sampling = Self::DEFAULT_SAMPLING;
        MahalanobisParams(MahalanobisValidParams { shrinkage: 0.001, sampling })
    }
}

impl Detector for Mahalanobis {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Mahalanobis
    }

    fn options(&self) -> Vec<(&'static str, String)> {
        let [max_samples, seed] = self.params.sampling.options();
        vec![max_samples, seed, ("shrinkage", self.params.shrinkage.to_string())]
    }

    fn scores(&self, records: ArrayView2<'_, f64>) -> Vec<f64> {
        let contributions = self.attribute(records).contributions;
        // Not below 0 by rounding.
        contributions.rows().into_iter().map(|row| row.sum().max(0.0)).collect()
    }

    /// `z_j (P z)_j`, beside a base of 0. Negative where a value makes the others more usual.
    fn attribute(&self, records: ArrayView2<'_, f64>) -> Attribution {
        let scaled = self.scaler.transform(records);
        let mut contributions = Array2::zeros(records.dim());
        for (mut target, z) in contributions.rows_mut().into_iter().zip(scaled.rows()) {
            for ((target, value), row) in target.iter_mut().zip(z).zip(self.precision.rows()) {
                // Not `dot`, whose rounding depends on the processor.
                let product = row.iter().zip(z).fold(0.0, |sum, (p, z)| sum + p * z);
                *target = value * product;
            }
        }
        Attribution { bases: vec![0.0; records.nrows()], contributions }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        self.encode(out);
    }
}
