//! Anomaly detectors: pure algorithms over ndarray, in the manner of linfa.
//!
//! * [`isolation_forest`] and its neighbours: the algorithms, each with its hyperparameters, fit,
//!   score, encoding.
//! * [`sample`], [`categories`]: the mergeable states that rows are gathered in.
//! * [`training`]: from a sample to a model.
//! * [`model`]: what every trained model is: [`signature`] of features, [`statistics`] of what
//!   training saw, [`calibration`] of scores, bytes; [`json`]: the same as text.
//! * [`onnx`]: a model for other programs.
//!
//! A value of a feature is an `f64`; NaN means missing. Nothing here does I/O or draws entropy.

pub mod calibration;
pub mod categories;
mod correlation;
pub mod drift;
pub mod extended_isolation_forest;
pub mod gaussian_mixture;
pub mod hbos;
pub mod isolation_forest;
pub mod json;
pub mod k_means;
#[cfg(test)]
mod laws;
pub mod logistic_regression;
pub mod mahalanobis;
mod memo;
pub mod model;
pub mod nearest_neighbors;
pub mod one_class_svm;
pub mod onnx;
pub mod pca;
mod preorder;
mod random;
pub mod random_forest;
pub mod robust_z_score;
mod rows;
pub mod sample;
pub mod sampling;
pub mod scaler;
pub mod signature;
pub mod statistics;
pub mod tails;
pub mod training;
mod wire;

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use ndarray::{Array2, ArrayView2};

use wire::{Reader, WireError};

/// A fitted algorithm. Rows have the columns that it was fitted on, NaN where a value is missing.
///
/// Its serialised form is the part `detector` of a [model as JSON](model::Model::to_json).
pub trait Detector: Any + fmt::Debug + Send + Sync + erased_serde::Serialize {
    /// Its algorithm.
    fn algorithm(&self) -> Algorithm;

    /// Its hyperparameters as the options of its training function, in the order of their names.
    fn options(&self) -> Vec<(&'static str, String)>;

    /// Anomaly scores, one per row; larger is more anomalous, never NaN.
    fn scores(&self, records: ArrayView2<'_, f64>) -> Vec<f64>;

    /// What each column adds to the scores.
    fn attribute(&self, records: ArrayView2<'_, f64>) -> Attribution;

    /// Appends the canonical encoding.
    fn encode(&self, out: &mut Vec<u8>);
}

erased_serde::serialize_trait_object!(Detector);

/// Scores taken apart: the base and the contributions of a row add up to its score.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribution {
    /// The score that a row has before anything is known of it, per row.
    pub bases: Vec<f64>,
    /// What each column adds, per row.
    pub contributions: Array2<f64>,
}

/// The algorithms. The number is that of the encoding and never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Algorithm {
    /// Isolation forest.
    IsolationForest = 1,
    /// Extended isolation forest.
    ExtendedIsolationForest = 2,
    /// ECOD: empirical tails of each column.
    Ecod = 3,
    /// HBOS: histograms of each column.
    Hbos = 4,
    /// COPOD: empirical tails of an empirical copula.
    Copod = 5,
    /// Principal component analysis.
    Pca = 6,
    /// Gaussian mixture.
    GaussianMixture = 7,
    /// K-means.
    KMeans = 8,
    /// One-class support vector machine.
    OneClassSvm = 9,
    /// Nearest neighbours.
    NearestNeighbors = 10,
    /// Squared Mahalanobis distance.
    Mahalanobis = 11,
    /// Logistic regression.
    LogisticRegression = 12,
    /// Random forest.
    RandomForest = 13,
    /// Sum of squared robust z-scores.
    RobustZScore = 14,
}

impl Algorithm {
    const ALL: [Self; 14] = [
        Self::IsolationForest,
        Self::ExtendedIsolationForest,
        Self::Ecod,
        Self::Hbos,
        Self::Copod,
        Self::Pca,
        Self::GaussianMixture,
        Self::KMeans,
        Self::OneClassSvm,
        Self::NearestNeighbors,
        Self::Mahalanobis,
        Self::LogisticRegression,
        Self::RandomForest,
        Self::RobustZScore,
    ];

    /// Its name: `isolation_forest`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IsolationForest => "isolation_forest",
            Self::ExtendedIsolationForest => "extended_isolation_forest",
            Self::Ecod => "ecod",
            Self::Hbos => "hbos",
            Self::Copod => "copod",
            Self::Pca => "pca",
            Self::GaussianMixture => "gaussian_mixture",
            Self::KMeans => "k_means",
            Self::OneClassSvm => "one_class_svm",
            Self::NearestNeighbors => "nearest_neighbors",
            Self::Mahalanobis => "mahalanobis",
            Self::LogisticRegression => "logistic_regression",
            Self::RandomForest => "random_forest",
            Self::RobustZScore => "robust_z_score",
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| *algorithm as u8 == code)
    }

    /// Reads a detector over `columns` columns, to the end of the bytes. Never allocates more than
    /// a small multiple of them.
    fn decode(self, reader: Reader<'_>, columns: usize) -> Result<Arc<dyn Detector>, WireError> {
        Ok(match self {
            Self::IsolationForest => Arc::new(isolation_forest::decode(reader, columns)?),
            Self::ExtendedIsolationForest => {
                Arc::new(extended_isolation_forest::decode(reader, columns)?)
            }
            Self::Ecod => Arc::new(tails::decode(reader, tails::Rule::Ecod, columns)?),
            Self::Hbos => Arc::new(hbos::decode(reader, columns)?),
            Self::Copod => Arc::new(tails::decode(reader, tails::Rule::Copod, columns)?),
            Self::Pca => Arc::new(pca::decode(reader, columns)?),
            Self::GaussianMixture => Arc::new(gaussian_mixture::decode(reader, columns)?),
            Self::KMeans => Arc::new(k_means::decode(reader, columns)?),
            Self::OneClassSvm => Arc::new(one_class_svm::decode(reader, columns)?),
            Self::NearestNeighbors => Arc::new(nearest_neighbors::decode(reader, columns)?),
            Self::Mahalanobis => Arc::new(mahalanobis::decode(reader, columns)?),
            Self::LogisticRegression => Arc::new(logistic_regression::decode(reader, columns)?),
            Self::RandomForest => Arc::new(random_forest::decode(reader, columns)?),
            Self::RobustZScore => Arc::new(robust_z_score::decode(reader, columns)?),
        })
    }
}

/// The one representation of a feature value: one NaN for every missing value, one zero, and
/// infinities clamped to the largest finite numbers, which keep their place in the order.
fn canonical(value: f64) -> f64 {
    if value.is_nan() {
        f64::NAN
    } else {
        // Adding zero turns -0.0 into 0.0.
        value.clamp(f64::MIN, f64::MAX) + 0.0
    }
}
