//! HBOS, the histogram-based outlier score (Goldstein, Dengel 2012): the values of each column are
//! counted in bins of equal width, and a row in sparse bins is an anomaly. Columns are taken to be
//! independent, which makes it the fastest of the detectors.
//!
//! The score is the sum over the columns of -log2(density + `alpha`), in which the density of a bin
//! is its share of the rows over its width. A value outside the bins has the score of the nearest
//! one up to `tol` bin widths away, and of the sparsest one beyond. All as in PyOD, whose scores of
//! the training rows are the same: a value on the edge of two bins counts for the upper one in
//! training and for the lower one in scoring. Densities depend on the unit of a column, so scores
//! can be compared within one model only, and may be negative.
//!
//! Fitting takes one pass over the columns, scoring a binary search per value. A model holds 16
//! bytes and 4 per bin for each column.
//!
//! # Missing values
//! A missing value has the mean score of its column, and so adds nothing to the score of a usual
//! row. A column without values has the score 0. Infinities count as the largest finite numbers.

mod codec;
mod histogram;

#[cfg(test)]
mod tests;

use std::error::Error;
use std::sync::Arc;

use linfa::ParamGuard;
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use self::histogram::Histogram;
use super::json::checked;
use super::sampling::{Sampling, SamplingError};
use super::training::{Hyperparameters, Threshold};
use super::{Algorithm, Attribution, Detector, canonical};

pub(super) use codec::decode;

/// Most rows kept for training.
pub const MAX_SAMPLE_ROWS: u64 = 1 << 20;
/// Most bins of a column.
pub const MAX_BINS: u64 = 1024;

/// Share of the sample above the threshold, where contamination is not given.
const DEFAULT_SHARE: f64 = 0.01;

/// Hyperparameters not checked yet; see [`Self::check`](ParamGuard).
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct HbosParams(HbosValidParams);

/// Hyperparameters within their ranges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HbosValidParams {
    n_bins: u64,
    alpha: f64,
    tol: f64,
    #[serde(flatten)]
    sampling: Sampling,
}

/// A hyperparameter out of its range.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ParamError {
    /// Bins of a column.
    #[error("`n_bins` must be between 2 and {MAX_BINS}, got {0}")]
    Bins(u64),
    /// What is added to densities.
    #[error("`alpha` must be greater than 0 and at most 1, got {0}")]
    Alpha(f64),
    /// Tolerance around the bins.
    #[error("`tol` must be between 0 and 1, got {0}")]
    Tolerance(f64),
    /// Rows kept for training.
    #[error(transparent)]
    Sampling(#[from] SamplingError),
}

impl HbosParams {
    /// Bins of a column, 2 to [`MAX_BINS`]. Default 10.
    pub fn n_bins(mut self, bins: u64) -> Self {
        self.0.n_bins = bins;
        self
    }

    /// What is added to densities, so that an empty bin has a score: in (0, 1], default 0.1.
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.0.alpha = alpha;
        self
    }

    /// How many bin widths around the bins count as the outermost ones, 0 to 1. Default 0.5.
    pub fn tol(mut self, tol: f64) -> Self {
        self.0.tol = tol;
        self
    }

    /// Rows that are kept: 2 to [`MAX_SAMPLE_ROWS`], default 65536.
    pub fn sampling(mut self, sampling: Sampling) -> Self {
        self.0.sampling = sampling;
        self
    }
}

impl ParamGuard for HbosParams {
    type Checked = HbosValidParams;
    type Error = ParamError;

    fn check_ref(&self) -> Result<&Self::Checked, ParamError> {
        let params = &self.0;
        if !(2..=MAX_BINS).contains(&params.n_bins) {
            return Err(ParamError::Bins(params.n_bins));
        }
        if !(params.alpha > 0.0 && params.alpha <= 1.0) {
            return Err(ParamError::Alpha(params.alpha));
        }
        if !(0.0..=1.0).contains(&params.tol) {
            return Err(ParamError::Tolerance(params.tol));
        }
        params.sampling.check(MAX_SAMPLE_ROWS)?;
        Ok(params)
    }

    fn check(self) -> Result<Self::Checked, ParamError> {
        self.check_ref()?;
        Ok(self.0)
    }
}

/// The histogram of each column; none of a column without values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hbos {
    #[serde(rename = "options", deserialize_with = "checked::<_, HbosParams>")]
    params: HbosValidParams,
    columns: Vec<Option<Histogram>>,
}

impl Hbos {
    /// Where rows are kept by default.
    pub const DEFAULT_SAMPLING: Sampling = Sampling::of(65_536);

    /// Hyperparameters to start from.
    pub fn params() -> HbosParams {
        let sampling = Self::DEFAULT_SAMPLING;
        HbosParams(HbosValidParams { n_bins: 10, alpha: 0.1, tol: 0.5, sampling })
    }
}

impl Hyperparameters for HbosValidParams {
    fn sample_rows(&self) -> u64 {
        self.sampling.max_samples
    }

    fn seed(&self) -> u64 {
        self.sampling.seed
    }

    fn encode(&self, out: &mut Vec<u8>) {
        self.encode(out);
    }

    fn threshold(&self) -> Threshold {
        Threshold::Share(DEFAULT_SHARE)
    }

    fn fit(
        &self,
        records: ArrayView2<'_, f64>,
        _: Option<&[bool]>,
    ) -> Result<Arc<dyn Detector>, Box<dyn Error + Send + Sync>> {
        let columns = records.columns().into_iter().map(|column| {
            let present = column.iter().copied().filter(|value| !value.is_nan()).map(canonical);
            Histogram::fit(&present.collect::<Vec<_>>(), self)
        });
        Ok(Arc::new(Hbos { params: self.clone(), columns: columns.collect() }))
    }
}

impl Detector for Hbos {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Hbos
    }

    fn options(&self) -> Vec<(&'static str, String)> {
        let [max_samples, seed] = self.params.sampling.options();
        vec![
            ("alpha", self.params.alpha.to_string()),
            max_samples,
            ("n_bins", self.params.n_bins.to_string()),
            seed,
            ("tol", self.params.tol.to_string()),
        ]
    }

    fn scores(&self, records: ArrayView2<'_, f64>) -> Vec<f64> {
        let Attribution { bases, contributions } = self.attribute(records);
        let rows = contributions.rows().into_iter().zip(bases);
        rows.map(|(row, base)| base + row.sum()).collect()
    }

    /// The base is the mean score; a column adds how much its score differs from its mean.
    fn attribute(&self, records: ArrayView2<'_, f64>) -> Attribution {
        let mut contributions = Array2::zeros(records.dim());
        let targets = contributions.columns_mut().into_iter();
        for ((mut target, values), column) in targets.zip(records.columns()).zip(&self.columns) {
            let Some(histogram) = column else { continue };
            target.zip_mut_with(&values, |target, value| {
                *target = histogram.score(canonical(*value)) - histogram.mean();
            });
        }
        let means = self.columns.iter().flatten().map(Histogram::mean);
        let base = means.fold(0.0, |sum, mean| sum + mean);
        Attribution { bases: vec![base; records.nrows()], contributions }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        self.encode(out);
    }
}
