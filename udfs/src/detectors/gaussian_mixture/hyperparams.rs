//! What the user may choose.

use std::error::Error;
use std::sync::Arc;

use linfa::ParamGuard;
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::GaussianMixture;
use crate::detectors::Detector;
use crate::detectors::sampling::{Sampling, SamplingError};
use crate::detectors::training::{Hyperparameters, Threshold};
use crate::detectors::wire::{Reader, WireError};

/// Most components.
pub const MAX_COMPONENTS: u64 = 64;
/// Most rows kept for training.
pub const MAX_SAMPLE_ROWS: u64 = 1 << 17;

/// A hyperparameter out of its range.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ParamError {
    /// Number of components.
    #[error("`n_components` must be between 1 and {MAX_COMPONENTS}, got {0}")]
    Components(u64),
    /// Rows kept for training.
    #[error(transparent)]
    Sampling(#[from] SamplingError),
    /// What is added to variances.
    #[error("`reg_covar` must be between 1e-9 and 1, got {0}")]
    Regularisation(f64),
}

/// Hyperparameters not checked yet. Starts with the defaults; see [`Self::check`](ParamGuard).
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct GaussianMixtureParams(GaussianMixtureValidParams);

/// Hyperparameters within their ranges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GaussianMixtureValidParams {
    n_components: u64,
    reg_covar: f64,
    #[serde(flatten)]
    sampling: Sampling,
}

impl Default for GaussianMixtureParams {
    fn default() -> Self {
        Self(GaussianMixtureValidParams {
            n_components: 4,
            reg_covar: 1e-6,
            sampling: GaussianMixture::DEFAULT_SAMPLING,
        })
    }
}

impl GaussianMixtureParams {
    /// Number of components, 1 to [`MAX_COMPONENTS`]. Default 4.
    pub fn n_components(mut self, components: u64) -> Self {
        self.0.n_components = components;
        self
    }

    /// What is added to the variance of each standardised column, 1e-9 to 1. Default 1e-6.
    pub fn reg_covar(mut self, variance: f64) -> Self {
        self.0.reg_covar = variance;
        self
    }

    /// Rows that are kept, and the seed of every random choice: 2 to [`MAX_SAMPLE_ROWS`], default 16384.
    pub fn sampling(mut self, sampling: Sampling) -> Self {
        self.0.sampling = sampling;
        self
    }
}

impl ParamGuard for GaussianMixtureParams {
    type Checked = GaussianMixtureValidParams;
    type Error = ParamError;

    fn check_ref(&self) -> Result<&Self::Checked, ParamError> {
        let params = &self.0;
        if !(1..=MAX_COMPONENTS).contains(&params.n_components) {
            return Err(ParamError::Components(params.n_components));
        }
        params.sampling.check(MAX_SAMPLE_ROWS)?;
        if !(1e-9..=1.0).contains(&params.reg_covar) {
            return Err(ParamError::Regularisation(params.reg_covar));
        }
        Ok(params)
    }

    fn check(self) -> Result<Self::Checked, ParamError> {
        self.check_ref()?;
        Ok(self.0)
    }
}

impl GaussianMixtureValidParams {
    /// Number of components.
    pub fn n_components(&self) -> u64 {
        self.n_components
    }

    /// What is added to the variance of each column.
    pub fn reg_covar(&self) -> f64 {
        self.reg_covar
    }

    pub(super) fn options(&self) -> Vec<(&'static str, String)> {
        let [max_samples, seed] = self.sampling.options();
        vec![
            max_samples,
            ("n_components", self.n_components.to_string()),
            ("reg_covar", self.reg_covar.to_string()),
            seed,
        ]
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let params = GaussianMixture::params()
            .n_components(reader.u64()?)
            .sampling(Sampling { max_samples: reader.u64()?, seed: reader.u64()? })
            .reg_covar(reader.finite()?);
        params.check().map_err(|_| WireError::Invalid("a hyperparameter is out of range"))
    }
}

impl Hyperparameters for GaussianMixtureValidParams {
    fn sample_rows(&self) -> u64 {
        self.sampling.max_samples
    }

    fn seed(&self) -> u64 {
        self.sampling.seed
    }

    /// ```text
    /// n_components u64 | max_samples u64 | seed u64 | reg_covar f64
    /// ```
    fn encode(&self, out: &mut Vec<u8>) {
        for number in [self.n_components, self.sampling.max_samples, self.sampling.seed] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.reg_covar.to_le_bytes());
    }

    fn threshold(&self) -> Threshold {
        Threshold::Share(0.01)
    }

    fn fit(
        &self,
        records: ArrayView2<'_, f64>,
        _: Option<&[bool]>,
    ) -> Result<Arc<dyn Detector>, Box<dyn Error + Send + Sync>> {
        Ok(Arc::new(self.fit_rows(records)?))
    }
}
