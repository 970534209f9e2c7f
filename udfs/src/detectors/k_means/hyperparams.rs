//! What the user may choose.

use std::error::Error;
use std::sync::Arc;

use linfa::ParamGuard;
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Cluster, KMeans};
use crate::detectors::Detector;
use crate::detectors::sampling::{Sampling, SamplingError};
use crate::detectors::training::{Hyperparameters, Threshold};
use crate::detectors::wire::{Reader, WireError};

/// Most clusters.
pub const MAX_CLUSTERS: u64 = 1024;
/// Most rows kept for training.
pub const MAX_SAMPLE_ROWS: u64 = 1 << 20;

/// A hyperparameter out of its range.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ParamError {
    /// Number of clusters.
    #[error("`n_clusters` must be between 1 and {MAX_CLUSTERS}, got {0}")]
    Clusters(u64),
    /// Rows kept for training.
    #[error(transparent)]
    Sampling(#[from] SamplingError),
    /// Share of the rows in large clusters.
    #[error("`alpha` must be between 0.5 and 1, got {0}")]
    Alpha(f64),
    /// Ratio of sizes.
    #[error("`beta` must be a number from 1, got {0}")]
    Beta(f64),
}

/// Which clusters are large.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cblof {
    /// Share of the rows that large clusters cover, 0.5 to 1.
    pub alpha: f64,
    /// How many times smaller the largest small cluster is, from 1.
    pub beta: f64,
}

impl Default for Cblof {
    /// Those of PyOD.
    fn default() -> Self {
        Self { alpha: 0.9, beta: 5.0 }
    }
}

impl Cblof {
    /// Of clusters by size, the largest first, how many are large (definition 2 of the paper, as
    /// PyOD reads it). All of them, where nothing tells them apart.
    pub(super) fn large(self, clusters: &[Cluster]) -> usize {
        let rows: f64 = clusters.iter().map(|cluster| f64::from(cluster.size)).sum();
        let mut covered = 0.0;
        let (mut by_share, mut by_jump) = (None, None);
        for (at, pair) in clusters.windows(2).enumerate() {
            let (size, next) = (f64::from(pair[0].size), f64::from(pair[1].size));
            covered += size;
            let (share, jump) = (covered >= rows * self.alpha, size / next >= self.beta);
            if share && jump {
                return at + 1;
            }
            by_share = by_share.or(share.then_some(at + 1));
            by_jump = by_jump.or(jump.then_some(at + 1));
        }
        by_share.or(by_jump).unwrap_or(clusters.len())
    }
}

/// Hyperparameters not checked yet. Starts with the defaults; see [`Self::check`](ParamGuard).
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct KMeansParams(KMeansValidParams);

/// Hyperparameters within their ranges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KMeansValidParams {
    n_clusters: u64,
    #[serde(deserialize_with = "Option::deserialize")]
    cblof: Option<Cblof>,
    #[serde(flatten)]
    sampling: Sampling,
}

impl Default for KMeansParams {
    fn default() -> Self {
        Self(KMeansValidParams { n_clusters: 8, cblof: None, sampling: KMeans::DEFAULT_SAMPLING })
    }
}

impl KMeansParams {
    /// Number of clusters, 1 to [`MAX_CLUSTERS`]. Default 8.
    pub fn n_clusters(mut self, clusters: u64) -> Self {
        self.0.n_clusters = clusters;
        self
    }

    /// Whether large clusters alone score. Default: all of them do.
    pub fn cblof(mut self, cblof: Option<Cblof>) -> Self {
        self.0.cblof = cblof;
        self
    }

    /// Rows that are kept, and the seed of every random choice: 2 to [`MAX_SAMPLE_ROWS`], default 65536.
    pub fn sampling(mut self, sampling: Sampling) -> Self {
        self.0.sampling = sampling;
        self
    }
}

impl ParamGuard for KMeansParams {
    type Checked = KMeansValidParams;
    type Error = ParamError;

    fn check_ref(&self) -> Result<&Self::Checked, ParamError> {
        let params = &self.0;
        if !(1..=MAX_CLUSTERS).contains(&params.n_clusters) {
            return Err(ParamError::Clusters(params.n_clusters));
        }
        params.sampling.check(MAX_SAMPLE_ROWS)?;
        match params.cblof {
            Some(Cblof { alpha, .. }) if !(0.5..=1.0).contains(&alpha) => {
                Err(ParamError::Alpha(alpha))
            }
            Some(Cblof { beta, .. }) if !(beta >= 1.0 && beta.is_finite()) => {
                Err(ParamError::Beta(beta))
            }
            _ => Ok(params),
        }
    }

    fn check(self) -> Result<Self::Checked, ParamError> {
        self.check_ref()?;
        Ok(self.0)
    }
}

impl KMeansValidParams {
    /// Number of clusters.
    pub fn n_clusters(&self) -> u64 {
        self.n_clusters
    }

    /// Whether large clusters alone score.
    pub fn cblof(&self) -> Option<Cblof> {
        self.cblof
    }

    pub(super) fn options(&self) -> Vec<(&'static str, String)> {
        let [max_samples, seed] = self.sampling.options();
        let mut options = vec![];
        if let Some(Cblof { alpha, beta }) = self.cblof {
            options = vec![("alpha", alpha.to_string()), ("beta", beta.to_string())];
        }
        options.extend([
            ("cblof", self.cblof.is_some().to_string()),
            max_samples,
            ("n_clusters", self.n_clusters.to_string()),
            seed,
        ]);
        options
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let params = KMeans::params().n_clusters(reader.u64()?);
        let sampling = Sampling { max_samples: reader.u64()?, seed: reader.u64()? };
        let cblof = match reader.u8()? {
            0 => None,
            1 => Some(Cblof { alpha: reader.finite()?, beta: reader.finite()? }),
            _ => return Err(WireError::Invalid("a truth value is neither")),
        };
        let params = params.sampling(sampling).cblof(cblof).check();
        params.map_err(|_| WireError::Invalid("a hyperparameter is out of range"))
    }
}

impl Hyperparameters for KMeansValidParams {
    fn sample_rows(&self) -> u64 {
        self.sampling.max_samples
    }

    fn seed(&self) -> u64 {
        self.sampling.seed
    }

    /// ```text
    /// n_clusters u64 | max_samples u64 | seed u64 | cblof u8 (1: alpha f64, beta f64)
    /// ```
    fn encode(&self, out: &mut Vec<u8>) {
        for number in [self.n_clusters, self.sampling.max_samples, self.sampling.seed] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.push(u8::from(self.cblof.is_some()));
        if let Some(Cblof { alpha, beta }) = self.cblof {
            out.extend_from_slice(&alpha.to_le_bytes());
            out.extend_from_slice(&beta.to_le_bytes());
        }
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
