//! What the user may choose.

use std::error::Error;
use std::sync::Arc;

use linfa::ParamGuard;
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::OneClassSvm;
use crate::detectors::Detector;
use crate::detectors::sampling::{Sampling, SamplingError};
use crate::detectors::training::{Hyperparameters, Threshold};
use crate::detectors::wire::{Reader, WireError};

/// Most rows kept for training: the fit holds a number for each pair of them.
pub const MAX_SAMPLE_ROWS: u64 = 1 << 12;

/// A hyperparameter out of its range.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ParamError {
    /// Share of the rows outside.
    #[error("`nu` must be greater than 0 and less than 1, got {0}")]
    Nu(f64),
    /// Rows kept for training.
    #[error(transparent)]
    Sampling(#[from] SamplingError),
    /// Width of the kernel.
    #[error("`gamma` must be between 1e-9 and 1e9, got {0}")]
    Gamma(f64),
}

/// Hyperparameters not checked yet. Starts with the defaults; see [`Self::check`](ParamGuard).
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct OneClassSvmParams(OneClassSvmValidParams);

/// Hyperparameters within their ranges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneClassSvmValidParams {
    nu: f64,
    #[serde(deserialize_with = "Option::deserialize")]
    gamma: Option<f64>,
    #[serde(flatten)]
    sampling: Sampling,
}

impl Default for OneClassSvmParams {
    fn default() -> Self {
        let sampling = OneClassSvm::DEFAULT_SAMPLING;
        Self(OneClassSvmValidParams { nu: 0.1, gamma: None, sampling })
    }
}

impl OneClassSvmParams {
    /// At most this share of the training rows is outside, and at least this share are support
    /// vectors; in (0, 1). Default 0.1.
    pub fn nu(mut self, nu: f64) -> Self {
        self.0.nu = nu;
        self
    }

    /// How fast the kernel falls with the squared distance, 1e-9 to 1e9. Default: 1 / (columns x
    /// variance) of the standardised rows.
    pub fn gamma(mut self, gamma: Option<f64>) -> Self {
        self.0.gamma = gamma;
        self
    }

    /// Rows that are kept: 2 to [`MAX_SAMPLE_ROWS`], default 2048.
    pub fn sampling(mut self, sampling: Sampling) -> Self {
        self.0.sampling = sampling;
        self
    }
}

impl ParamGuard for OneClassSvmParams {
    type Checked = OneClassSvmValidParams;
    type Error = ParamError;

    fn check_ref(&self) -> Result<&Self::Checked, ParamError> {
        let params = &self.0;
        if !(params.nu > 0.0 && params.nu < 1.0) {
            return Err(ParamError::Nu(params.nu));
        }
        params.sampling.check(MAX_SAMPLE_ROWS)?;
        if let Some(gamma) = params.gamma
            && !(1e-9..=1e9).contains(&gamma)
        {
            return Err(ParamError::Gamma(gamma));
        }
        Ok(params)
    }

    fn check(self) -> Result<Self::Checked, ParamError> {
        self.check_ref()?;
        Ok(self.0)
    }
}

impl OneClassSvmValidParams {
    /// The share of the rows outside.
    pub fn nu(&self) -> f64 {
        self.nu
    }

    /// The width of the kernel, where the user chose one.
    pub fn gamma(&self) -> Option<f64> {
        self.gamma
    }

    pub(super) fn options(&self, gamma: f64) -> Vec<(&'static str, String)> {
        let [max_samples, seed] = self.sampling.options();
        vec![("gamma", gamma.to_string()), max_samples, ("nu", self.nu.to_string()), seed]
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let params = OneClassSvm::params()
            .sampling(Sampling { max_samples: reader.u64()?, seed: reader.u64()? })
            .nu(reader.finite()?)
            .gamma(Some(reader.finite()?).filter(|gamma| *gamma != 0.0));
        params.check().map_err(|_| WireError::Invalid("a hyperparameter is out of range"))
    }
}

impl Hyperparameters for OneClassSvmValidParams {
    fn sample_rows(&self) -> u64 {
        self.sampling.max_samples
    }

    fn seed(&self) -> u64 {
        self.sampling.seed
    }

    /// ```text
    /// max_samples u64 | seed u64 | nu f64 | gamma f64 (0: default)
    /// ```
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.sampling.max_samples.to_le_bytes());
        out.extend_from_slice(&self.sampling.seed.to_le_bytes());
        out.extend_from_slice(&self.nu.to_le_bytes());
        out.extend_from_slice(&self.gamma.unwrap_or(0.0).to_le_bytes());
    }

    /// The edge of the region.
    fn threshold(&self) -> Threshold {
        Threshold::Score(0.0)
    }

    fn fit(
        &self,
        records: ArrayView2<'_, f64>,
        _: Option<&[bool]>,
    ) -> Result<Arc<dyn Detector>, Box<dyn Error + Send + Sync>> {
        Ok(Arc::new(self.fit_rows(records)?))
    }
}
