//! From a sample of rows to a model, whatever the algorithm.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use ndarray::ArrayView2;
use thiserror::Error;

use super::Detector;
use super::calibration::{Calibration, quantile};
use super::categories::{CategoryEncoding, Encoder};
use super::model::{FORMAT_VERSION, Model};
use super::signature::Signature;
use super::statistics::FeatureStatistics;

/// Checked hyperparameters of an algorithm: what a training function needs of it.
pub trait Hyperparameters: fmt::Debug + Send + Sync {
    /// Most rows that are kept to be fitted on, at least 1.
    fn sample_rows(&self) -> u64;

    /// Seed of the sample, and of every random choice.
    fn seed(&self) -> u64;

    /// Appends a canonical encoding: states of other hyperparameters are not merged.
    fn encode(&self, out: &mut Vec<u8>);

    /// Where a row is an anomaly, without a contamination.
    fn threshold(&self) -> Threshold;

    /// Fits on at least one row, NaN where a value is missing. A supervised algorithm gets a label
    /// per row, in which true is an anomaly.
    fn fit(
        &self,
        records: ArrayView2<'_, f64>,
        labels: Option<&[bool]>,
    ) -> Result<Arc<dyn Detector>, Box<dyn Error + Send + Sync>>;
}

/// Where a row is an anomaly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Threshold {
    /// Above this score.
    Score(f64),
    /// Above the scores of all but this share of the sample.
    Share(f64),
}

/// What the training of every algorithm may be told.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TrainingOptions {
    contamination: Option<f64>,
    encoding: CategoryEncoding,
}

/// The share of anomalies is out of its range.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("`contamination` must be greater than 0 and at most 0.5, got {0}")]
pub struct ContaminationError(f64);

impl TrainingOptions {
    /// `contamination` is the expected share of anomalies, in (0, 0.5]: the threshold is such that
    /// this share of the sample lies above.
    pub fn new(
        contamination: Option<f64>,
        encoding: CategoryEncoding,
    ) -> Result<Self, ContaminationError> {
        match contamination {
            Some(share) if !(share > 0.0 && share <= 0.5) => Err(ContaminationError(share)),
            _ => Ok(Self { contamination, encoding }),
        }
    }

    /// How categories are seen.
    pub fn encoding(&self) -> CategoryEncoding {
        self.encoding
    }

    /// Appends a canonical encoding.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.contamination.unwrap_or(0.0).to_le_bytes());
        out.push(self.encoding as u8);
    }
}

/// Why no model was made.
#[derive(Debug, Error)]
pub enum TrainingError {
    /// The algorithm could not be fitted.
    #[error(transparent)]
    Fit(Box<dyn Error + Send + Sync>),
    /// The algorithm gave a score that is none.
    #[error(
        "training gave scores that are not numbers; hint: scale the features, for example with ln"
    )]
    Scores,
}

/// Why labels cannot be learned from.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum LabelError {
    /// A supervised algorithm without labels: an error of the caller.
    #[error("a classifier needs labels")]
    None,
    /// Nothing to tell apart.
    #[error(
        "the labels of all {0} rows of the sample are {1}; hint: a classifier needs both classes: \
         raise `max_samples`, or select more of the rare class"
    )]
    OneClass(usize, bool),
}

/// The labels of a supervised algorithm, if both classes are among them.
pub(super) fn both_classes(labels: Option<&[bool]>) -> Result<&[bool], LabelError> {
    let labels = labels.ok_or(LabelError::None)?;
    let (anomalies, others) = (labels.contains(&true), labels.contains(&false));
    match anomalies && others {
        true => Ok(labels),
        false => Err(LabelError::OneClass(labels.len(), anomalies)),
    }
}

/// Fits on `sample`, which has a value per feature as [`Model::scores`] wants it, and describes it.
pub fn train(
    hyperparameters: &dyn Hyperparameters,
    options: &TrainingOptions,
    signature: Signature,
    encoder: Encoder,
    training_rows: u64,
    sample: ArrayView2<'_, f64>,
    labels: Option<&[bool]>,
) -> Result<Model, TrainingError> {
    let encoded = encoder.encode_rows(sample);
    let detector = hyperparameters.fit(encoded.view(), labels).map_err(TrainingError::Fit)?;
    let scores = detector.scores(encoded.view());
    if !scores.iter().all(|score| score.is_finite()) {
        return Err(TrainingError::Scores);
    }
    let threshold = match (options.contamination, hyperparameters.threshold()) {
        (Some(share), _) | (None, Threshold::Share(share)) => quantile(scores.clone(), 1.0 - share),
        (None, Threshold::Score(score)) => score,
    };
    Ok(Model {
        version: FORMAT_VERSION,
        signature,
        training_rows,
        sample_rows: sample.nrows() as u64,
        contamination: options.contamination,
        threshold,
        statistics: FeatureStatistics::of(sample),
        calibration: Calibration::of(scores),
        encoder,
        detector,
    })
}
