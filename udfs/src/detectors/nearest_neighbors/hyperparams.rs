//! What the user may choose.

use std::error::Error;
use std::sync::Arc;

use linfa::ParamGuard;
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::NearestNeighbors;
use crate::detectors::Detector;
use crate::detectors::sampling::{Sampling, SamplingError};
use crate::detectors::training::{Hyperparameters, Threshold};
use crate::detectors::wire::{Reader, WireError};

/// Most neighbours.
pub const MAX_NEIGHBORS: u64 = 1024;
/// Most rows kept: they travel in the model.
pub const MAX_SAMPLE_ROWS: u64 = 1 << 16;

/// A hyperparameter out of its range.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParamError {
    /// Number of neighbours.
    #[error("`n_neighbors` must be between 1 and {MAX_NEIGHBORS}, got {0}")]
    Neighbors(u64),
    /// Rows kept.
    #[error(transparent)]
    Sampling(#[from] SamplingError),
}

/// Which distances make the score.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Method {
    /// The largest one.
    #[default]
    Largest = 1,
    /// Their mean.
    Mean = 2,
}

impl Method {
    const ALL: [Self; 2] = [Self::Largest, Self::Mean];

    /// Its name: `largest`, `mean`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Largest => "largest",
            Self::Mean => "mean",
        }
    }

    /// The method of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == name)
    }
}

/// Hyperparameters not checked yet. Starts with the defaults; see [`Self::check`](ParamGuard).
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct NearestNeighborsParams(NearestNeighborsValidParams);

/// Hyperparameters within their ranges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NearestNeighborsValidParams {
    n_neighbors: u64,
    method: Method,
    #[serde(flatten)]
    sampling: Sampling,
}

impl Default for NearestNeighborsParams {
    fn default() -> Self {
        Self(NearestNeighborsValidParams {
            n_neighbors: 5,
            method: Method::default(),
            sampling: NearestNeighbors::DEFAULT_SAMPLING,
        })
    }
}

impl NearestNeighborsParams {
    /// Number of neighbours, 1 to [`MAX_NEIGHBORS`]. Default 5.
    pub fn n_neighbors(mut self, neighbors: u64) -> Self {
        self.0.n_neighbors = neighbors;
        self
    }

    /// Which distances make the score. Default: the largest one.
    pub fn method(mut self, method: Method) -> Self {
        self.0.method = method;
        self
    }

    /// Rows that are kept: 2 to [`MAX_SAMPLE_ROWS`], default 4096.
    pub fn sampling(mut self, sampling: Sampling) -> Self {
        self.0.sampling = sampling;
        self
    }
}

impl ParamGuard for NearestNeighborsParams {
    type Checked = NearestNeighborsValidParams;
    type Error = ParamError;

    fn check_ref(&self) -> Result<&Self::Checked, ParamError> {
        let params = &self.0;
        if !(1..=MAX_NEIGHBORS).contains(&params.n_neighbors) {
            return Err(ParamError::Neighbors(params.n_neighbors));
        }
        params.sampling.check(MAX_SAMPLE_ROWS)?;
        Ok(params)
    }

    fn check(self) -> Result<Self::Checked, ParamError> {
        self.check_ref()?;
        Ok(self.0)
    }
}

impl NearestNeighborsValidParams {
    /// Number of neighbours.
    pub fn n_neighbors(&self) -> u64 {
        self.n_neighbors
    }

    /// Which distances make the score.
    pub fn method(&self) -> Method {
        self.method
    }

    pub(super) fn options(&self) -> Vec<(&'static str, String)> {
        let [max_samples, seed] = self.sampling.options();
        vec![
            max_samples,
            ("method", self.method.as_str().to_owned()),
            ("n_neighbors", self.n_neighbors.to_string()),
            seed,
        ]
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let params = NearestNeighbors::params()
            .n_neighbors(reader.u64()?)
            .sampling(Sampling { max_samples: reader.u64()?, seed: reader.u64()? });
        let method = reader.u8()?;
        let method = Method::ALL.into_iter().find(|known| *known as u8 == method);
        let params = params.method(method.ok_or(WireError::Invalid("its method is unknown"))?);
        params.check().map_err(|_| WireError::Invalid("a hyperparameter is out of range"))
    }
}

impl Hyperparameters for NearestNeighborsValidParams {
    fn sample_rows(&self) -> u64 {
        self.sampling.max_samples
    }

    fn seed(&self) -> u64 {
        self.sampling.seed
    }

    /// ```text
    /// n_neighbors u64 | max_samples u64 | seed u64 | method u8
    /// ```
    fn encode(&self, out: &mut Vec<u8>) {
        for number in [self.n_neighbors, self.sampling.max_samples, self.sampling.seed] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.push(self.method as u8);
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
