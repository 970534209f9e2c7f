//! What the user may choose.

use std::error::Error;
use std::sync::Arc;

use linfa::ParamGuard;
use ndarray::ArrayView2;
use thiserror::Error;

use super::GaussianMixture;
use crate::detectors::Detector;
use crate::detectors::training::{Hyperparameters, Threshold};
use crate::detectors::wire::{Reader, WireError};

/// Most components.
pub const MAX_COMPONENTS: u64 = 64;
/// Most rows kept for training.
const MAX_SAMPLE_ROWS: u64 = 1 << 17;

/// A hyperparameter out of its range.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ParamError {
    /// Number of components.
    #[error("`n_components` must be between 1 and {MAX_COMPONENTS}, got {0}")]
    Components(u64),
    /// Rows kept for training.
    #[error("`max_samples` must be between 2 and {MAX_SAMPLE_ROWS}, got {0}")]
    Samples(u64),
    /// What is added to variances.
    #[error("`reg_covar` must be between 1e-9 and 1, got {0}")]
    Regularisation(f64),
}

/// Hyperparameters not checked yet. Starts with the defaults; see [`Self::check`](ParamGuard).
#[derive(Debug, Clone, PartialEq)]
pub struct GaussianMixtureParams(GaussianMixtureValidParams);

/// Hyperparameters within their ranges.
#[derive(Debug, Clone, PartialEq)]
pub struct GaussianMixtureValidParams {
    n_components: u64,
    reg_covar: f64,
    max_samples: u64,
    seed: u64,
}

impl Default for GaussianMixtureParams {
    fn default() -> Self {
        Self(GaussianMixtureValidParams {
            n_components: 4,
            reg_covar: 1e-6,
            max_samples: 1 << 14,
            seed: 42,
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

    /// Rows kept for training, 2 to 131072. Default 16384.
    pub fn max_samples(mut self, rows: u64) -> Self {
        self.0.max_samples = rows;
        self
    }

    /// Seed of every random choice. Default 42.
    pub fn seed(mut self, seed: u64) -> Self {
        self.0.seed = seed;
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
        if !(2..=MAX_SAMPLE_ROWS).contains(&params.max_samples) {
            return Err(ParamError::Samples(params.max_samples));
        }
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
        vec![
            ("max_samples", self.max_samples.to_string()),
            ("n_components", self.n_components.to_string()),
            ("reg_covar", self.reg_covar.to_string()),
            ("seed", self.seed.to_string()),
        ]
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let params = GaussianMixture::params()
            .n_components(reader.u64()?)
            .max_samples(reader.u64()?)
            .seed(reader.u64()?)
            .reg_covar(reader.finite()?);
        params.check().map_err(|_| WireError::Invalid("a hyperparameter is out of range"))
    }
}

impl Hyperparameters for GaussianMixtureValidParams {
    fn sample_rows(&self) -> u64 {
        self.max_samples
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    /// ```text
    /// n_components u64 | max_samples u64 | seed u64 | reg_covar f64
    /// ```
    fn encode(&self, out: &mut Vec<u8>) {
        for number in [self.n_components, self.max_samples, self.seed] {
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
