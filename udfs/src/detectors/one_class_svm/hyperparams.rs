//! What the user may choose.

use std::error::Error;
use std::sync::Arc;

use linfa::ParamGuard;
use ndarray::ArrayView2;
use thiserror::Error;

use super::OneClassSvm;
use crate::detectors::Detector;
use crate::detectors::training::{Hyperparameters, Threshold};
use crate::detectors::wire::{Reader, WireError};

/// Most rows kept for training: the fit holds a number for each pair of them.
const MAX_SAMPLE_ROWS: u64 = 1 << 12;

/// A hyperparameter out of its range.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ParamError {
    /// Share of the rows outside.
    #[error("`nu` must be greater than 0 and less than 1, got {0}")]
    Nu(f64),
    /// Rows kept for training.
    #[error("`max_samples` must be between 2 and {MAX_SAMPLE_ROWS}, got {0}")]
    Samples(u64),
    /// Width of the kernel.
    #[error("`gamma` must be between 1e-9 and 1e9, got {0}")]
    Gamma(f64),
}

/// Hyperparameters not checked yet. Starts with the defaults; see [`Self::check`](ParamGuard).
#[derive(Debug, Clone, PartialEq)]
pub struct OneClassSvmParams(OneClassSvmValidParams);

/// Hyperparameters within their ranges.
#[derive(Debug, Clone, PartialEq)]
pub struct OneClassSvmValidParams {
    nu: f64,
    gamma: Option<f64>,
    max_samples: u64,
    seed: u64,
}

impl Default for OneClassSvmParams {
    fn default() -> Self {
        Self(OneClassSvmValidParams { nu: 0.1, gamma: None, max_samples: 1 << 11, seed: 42 })
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

    /// Rows kept for training, 2 to 4096. Default 2048.
    pub fn max_samples(mut self, rows: u64) -> Self {
        self.0.max_samples = rows;
        self
    }

    /// Seed of the sample. Default 42.
    pub fn seed(mut self, seed: u64) -> Self {
        self.0.seed = seed;
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
        if !(2..=MAX_SAMPLE_ROWS).contains(&params.max_samples) {
            return Err(ParamError::Samples(params.max_samples));
        }
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
        vec![
            ("gamma", gamma.to_string()),
            ("max_samples", self.max_samples.to_string()),
            ("nu", self.nu.to_string()),
            ("seed", self.seed.to_string()),
        ]
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let params = OneClassSvm::params()
            .max_samples(reader.u64()?)
            .seed(reader.u64()?)
            .nu(reader.finite()?)
            .gamma(Some(reader.finite()?).filter(|gamma| *gamma != 0.0));
        params.check().map_err(|_| WireError::Invalid("a hyperparameter is out of range"))
    }
}

impl Hyperparameters for OneClassSvmValidParams {
    fn sample_rows(&self) -> u64 {
        self.max_samples
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    /// ```text
    /// max_samples u64 | seed u64 | nu f64 | gamma f64 (0: default)
    /// ```
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.max_samples.to_le_bytes());
        out.extend_from_slice(&self.seed.to_le_bytes());
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
