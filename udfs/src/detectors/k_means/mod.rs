//! K-means (Lloyd 1982): rows gather in clusters; the score of a row is its distance to the
//! nearest centroid, of the large clusters alone with CBLOF (He, Xu, Deng 2003).
//!
//! The centroids are seeded by greedy k-means++ (Arthur, Vassilvitskii 2007) with a generator of
//! our own and moved by linfa, four times, of which the best counts. linfa's k-means|| is not
//! used: what it draws depends on threads. One step of ours follows, because linfa counts the old
//! centroid as a row of its cluster: in the end a centroid is the mean of its rows.
//!
//! Columns are standardised. A missing value counts as the mean of its column, and as no distance
//! from any row that misses it too. Fewer distinct rows than clusters give as many clusters as
//! there are distinct rows.
//!
//! # CBLOF
//! The first clusters by size are large: as many as cover the share `alpha` of the rows, where the
//! next one is `beta` times smaller; where both do not happen together, as many as cover `alpha`.
//! A row of a large cluster scores its distance to the centroid, a row of a small one that to the
//! nearest large one, which both are the distance to the nearest large centroid. This is PyOD's
//! CBLOF without weights. Weights, the factor of the cluster's size in the paper, make the rows of
//! large clusters the anomalies.

mod fit;
mod hyperparams;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

pub use fit::FitError;
pub(super) use fit::cluster;
pub use hyperparams::{
    Cblof, KMeansParams, KMeansValidParams, MAX_CLUSTERS, MAX_SAMPLE_ROWS, ParamError,
};

use super::json::checked;
use super::rows::{Rows, nearest, share_out};
use super::sampling::Sampling;
use super::scaler::{MOST_SCALED, Scaler};
use super::training::Hyperparameters;
use super::wire::{Reader, WireError, put_numbers};
use super::{Algorithm, Attribution, Detector};

/// Fitted k-means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KMeans {
    #[serde(rename = "options", deserialize_with = "checked::<_, KMeansParams>")]
    params: KMeansValidParams,
    scaler: Scaler,
    clusters: Vec<Cluster>,
    /// The clusters that score: the first ones.
    #[serde(skip)]
    large: usize,
}

/// A cluster. A model has them by size, the largest first, then by centroid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cluster {
    /// Training rows that are nearest to it.
    pub(super) size: u32,
    pub(super) centroid: Vec<f64>,
}

impl Cluster {
    fn order(&self, other: &Self) -> Ordering {
        let centroids = self.centroid.iter().zip(&other.centroid);
        let by_centroid = centroids.map(|(a, b)| a.total_cmp(b)).find(|order| order.is_ne());
        other.size.cmp(&self.size).then(by_centroid.unwrap_or(Ordering::Equal))
    }
}

impl KMeans {
    /// Where rows are kept by default.
    pub const DEFAULT_SAMPLING: Sampling = Sampling::of(65_536);

    /// Hyperparameters to start from.
    pub fn params() -> KMeansParams {
        KMeansParams::default()
    }

    fn new(params: KMeansValidParams, scaler: Scaler, clusters: Vec<Cluster>) -> Self {
        let large = match params.cblof() {
            Some(cblof) => cblof.large(&clusters),
            None => clusters.len(),
        };
        Self { params, scaler, clusters, large }
    }

    /// The centroid that a scaled row is measured from, and the squared distance to it.
    fn nearest(&self, row: &[f64]) -> (&[f64], f64) {
        let large = &self.clusters[..self.large];
        let (at, distance) = nearest(row, large.iter().map(|cluster| cluster.centroid.as_slice()));
        (&large[at].centroid, distance)
    }
}

impl Detector for KMeans {
    fn algorithm(&self) -> Algorithm {
        Algorithm::KMeans
    }

    fn options(&self) -> Vec<(&'static str, String)> {
        self.params.options()
    }

    fn scores(&self, records: ArrayView2<'_, f64>) -> Vec<f64> {
        let rows = Rows::scaled(&self.scaler, records);
        rows.iter().map(|row| libm::sqrt(self.nearest(row).1)).collect()
    }

    /// A distance is shared out in proportion to the squared differences.
    fn attribute(&self, records: ArrayView2<'_, f64>) -> Attribution {
        let mut contributions = Array2::zeros((records.nrows(), self.scaler.columns()));
        let rows = Rows::scaled(&self.scaler, records);
        for (row, mut shares) in rows.iter().zip(contributions.rows_mut()) {
            let (centroid, squared) = self.nearest(row);
            // A new array is in standard order.
            if let Some(shares) = shares.as_slice_mut() {
                share_out(libm::sqrt(squared), row, centroid, shares);
            }
        }
        Attribution { bases: vec![0.0; records.nrows()], contributions }
    }

    /// ```text
    /// hyperparameters | scaler | clusters u32 x (size u32, centroid)
    /// ```
    fn encode(&self, out: &mut Vec<u8>) {
        self.params.encode(out);
        self.scaler.encode(out);
        out.extend_from_slice(&(self.clusters.len() as u32).to_le_bytes());
        for Cluster { size, centroid } in &self.clusters {
            out.extend_from_slice(&size.to_le_bytes());
            put_numbers(out, centroid);
        }
    }
}

/// Reads one over `columns` columns.
pub(in crate::detectors) fn decode(
    mut reader: Reader<'_>,
    columns: usize,
) -> Result<KMeans, WireError> {
    let params = KMeansValidParams::decode(&mut reader)?;
    let scaler = Scaler::decode(&mut reader, columns)?;
    let count = reader.u32()?;
    if count == 0 || u64::from(count) > params.n_clusters() {
        return Err(WireError::Invalid("it has no clusters, or too many"));
    }
    let mut clusters: Vec<Cluster> = vec![];
    for _ in 0..count {
        let size = reader.u32()?;
        let cluster = Cluster { size, centroid: reader.numbers_within(columns, MOST_SCALED)? };
        if size == 0 || clusters.last().is_some_and(|last| last.order(&cluster).is_ge()) {
            return Err(WireError::Invalid("its clusters are out of order"));
        }
        clusters.push(cluster);
    }
    reader.finish()?;
    Ok(KMeans::new(params, scaler, clusters))
}
