//! Models as JSON: all that a model is, for eyes, editors and other programs.
//!
//! ```text
//! {"format": "udfs-model/2", "algorithm": name,
//!  "features": [{"name": text, "kind": "number" | "boolean" | "timestamp" | "text",
//!                "categories": [[text, training rows], ...] of a text alone, sorted}, ...],
//!  "categories": "frequency" | "one_hot",
//!  "training_rows": n, "sample_rows": n, "contamination": share or null, "threshold": score,
//!  "statistics": [{"missing": n, "present": null or {"mean", "stddev", "quantiles": [101 numbers]}}, ...],
//!  "calibration": null or [[rank, score], ...],
//!  "detector": {"options": hyperparameters by their names in SQL, null where a default depends on
//!               the data, and what the algorithm has learned}}
//! ```
//! What a detector has learned is named as in its structure. Trees are lists of nodes in preorder:
//! `{"leaf": {...}}` or `{"split": {...}}`, whose left side follows it. A `column` counts from 0: a
//! feature, or with `one_hot` a category, is one. What follows from the rest is left out. Of the
//! options, `cblof` holds those that belong to it: null or `{"alpha": share, "beta": ratio}`; of
//! `n_components` and `variance` one is null.
//!
//! Numbers are written with as many digits as their bits need. JSON has no infinity, so that the
//! threshold of a cut that separates present values from missing ones is `"Infinity"`.
//!
//! Reading trusts nothing: an unknown, missing or repeated field is an error; what was read is
//! encoded, decoded by [`Model::decode`], and written again, which must give what was read. Fields
//! may stand in any order. Memory is proportional to the text: beside it, about 2 bytes per
//! character for a model, and at most 40 for a text that is made to take more. Nesting is refused
//! where types have none. [`Model::from_json`] alone does all of this: a detector that was
//! deserialised by itself has not been checked.

use std::borrow::Cow;
use std::fmt::Display;
use std::sync::Arc;

use linfa::ParamGuard;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

use super::calibration::Calibration;
use super::categories::{Categories, CategoryEncoding, Encoder};
use super::extended_isolation_forest::ExtendedIsolationForest;
use super::gaussian_mixture::GaussianMixture;
use super::hbos::Hbos;
use super::isolation_forest::IsolationForest;
use super::k_means::KMeans;
use super::logistic_regression::LogisticRegression;
use super::mahalanobis::Mahalanobis;
use super::model::{FORMAT_VERSION, Model, ModelError};
use super::nearest_neighbors::NearestNeighbors;
use super::one_class_svm::OneClassSvm;
use super::pca::Pca;
use super::random_forest::RandomForest;
use super::robust_z_score::RobustZScore;
use super::signature::{Feature, FeatureKind, Signature, SignatureError};
use super::statistics::FeatureStatistics;
use super::tails::{Rule, Tails};
use super::wire::WireError;
use super::{Algorithm, Detector};

const FORMAT: &str = "udfs-model/2";

/// Longest text that is read: what it lists is counted in 32 bits.
const MAX_LEN: usize = u32::MAX as usize;

/// Characters around the place where what was read is not what would be written.
const EXCERPT: usize = 24;

/// Why JSON is not a model.
#[derive(Debug, Error)]
pub enum JsonError {
    /// It is not JSON, or does not have the fields of a model. Says where.
    #[error("{0}; hint: compare with what `model_to_json` gives for a model of this algorithm")]
    Syntax(#[from] serde_json::Error),
    /// Longer than any model.
    #[error("the text has {0} bytes, at most {MAX_LEN} are read")]
    TooLong(usize),
    /// Written by something else, or by a newer program.
    #[error("the format is `{0}`; hint: this program reads `{FORMAT}`")]
    Format(String),
    /// No such algorithm.
    #[error("the algorithm `{got}` is unknown; hint: known are {known}")]
    Algorithm {
        /// As written.
        got: String,
        /// All names.
        known: String,
    },
    /// No features, too many, or a name twice.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// A text without categories, or a number with them.
    #[error("feature `{name}` is of kind {kind}: `categories` must be {wanted}")]
    Categories {
        /// Of the feature.
        name: String,
        /// Of the feature.
        kind: FeatureKind,
        /// What should be there.
        wanted: &'static str,
    },
    /// Not a description per feature.
    #[error("`statistics` has {got} entries for {features} features; hint: one for each, or none")]
    Statistics {
        /// Entries.
        got: usize,
        /// Features.
        features: usize,
    },
    /// No training gives it.
    #[error("{0}; hint: undo the last change, or start again from `model_to_json`")]
    Invalid(String),
    /// Some list has another length than its neighbours need, or a number is too large.
    #[error(
        "the parts do not fit together: `{read}` would become `{written}`; hint: undo the last \
         change there, or start again from `model_to_json`"
    )]
    Inconsistent {
        /// As it was read.
        read: String,
        /// As the model has it.
        written: String,
    },
}

impl From<ModelError> for JsonError {
    fn from(error: ModelError) -> Self {
        Self::Invalid(match error {
            ModelError::Malformed(WireError::Truncated) => {
                "a list of it is too short, or a count of it too large".to_owned()
            }
            ModelError::Malformed(WireError::Trailing(_)) => {
                "a list of it is too long, or a count of it too small".to_owned()
            }
            ModelError::Malformed(WireError::Invalid(reason)) => reason.to_owned(),
            other => other.to_string(),
        })
    }
}

impl Model {
    /// The model as [JSON](self), on one line: equal for equal models. A model of version 1 becomes
    /// one of version 2 with nothing in place of what version 1 lacks.
    ///
    /// Costs a few passes over the model, whose text is 2 to 6 times as long as its bytes.
    pub fn to_json(&self) -> Result<String, JsonError> {
        // Its bytes are canonical, the signs of zeros in it are not.
        Self::decode(&self.encode())?.write_json()
    }

    fn write_json(&self) -> Result<String, JsonError> {
        Ok(serde_json::to_string(&Document::of(self))?)
    }

    /// Reads [JSON](self). Any text gives a model or an error; the text of a model of version 2
    /// gives the same model, byte for byte.
    ///
    /// Costs a few passes over the text.
    pub fn from_json(json: &str) -> Result<Self, JsonError> {
        if json.len() > MAX_LEN {
            return Err(JsonError::TooLong(json.len()));
        }
        let head: Head<'_> = serde_json::from_str(json)?;
        if head.format != FORMAT {
            return Err(JsonError::Format(head.format.into_owned()));
        }
        let known = Algorithm::ALL.into_iter().find(|known| known.as_str() == head.algorithm);
        let algorithm = known.ok_or_else(|| JsonError::Algorithm {
            got: head.algorithm.into_owned(),
            known: Algorithm::ALL.map(Algorithm::as_str).join(", "),
        })?;
        let read = algorithm.read_json(json)?;
        let model = Self::decode(&read.encode())?;
        let (read, written) = (read.write_json()?, model.write_json()?);
        match read == written {
            true => Ok(model),
            false => Err(inconsistent(&read, &written)),
        }
    }
}

impl Algorithm {
    /// Reads a document. Nothing but types, names and hyperparameters has been checked then: the
    /// model is good for encoding alone.
    fn read_json(self, json: &str) -> Result<Model, JsonError> {
        match self {
            Self::IsolationForest => read::<IsolationForest>(json),
            Self::ExtendedIsolationForest => read::<ExtendedIsolationForest>(json),
            Self::Ecod => read_as(json, |tails: Tails| tails.with_rule(Rule::Ecod)),
            Self::Hbos => read::<Hbos>(json),
            Self::Copod => read_as(json, |tails: Tails| tails.with_rule(Rule::Copod)),
            Self::Pca => read::<Pca>(json),
            Self::GaussianMixture => read::<GaussianMixture>(json),
            Self::KMeans => read::<KMeans>(json),
            Self::OneClassSvm => read::<OneClassSvm>(json),
            Self::NearestNeighbors => read::<NearestNeighbors>(json),
            Self::Mahalanobis => read::<Mahalanobis>(json),
            Self::LogisticRegression => read::<LogisticRegression>(json),
            Self::RandomForest => read::<RandomForest>(json),
            Self::RobustZScore => read::<RobustZScore>(json),
        }
    }
}

fn read<D: Detector + DeserializeOwned + 'static>(json: &str) -> Result<Model, JsonError> {
    read_as(json, |detector: D| detector)
}

fn read_as<D: Detector + DeserializeOwned + 'static>(
    json: &str,
    finish: impl FnOnce(D) -> D,
) -> Result<Model, JsonError> {
    serde_json::from_str::<Document<'_, D>>(json)?.into_model(finish)
}

/// What must be known to read the rest.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    format: Cow<'a, str>,
    #[serde(borrow)]
    algorithm: Cow<'a, str>,
}

/// A model as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<'a, D> {
    format: Cow<'a, str>,
    algorithm: Cow<'a, str>,
    features: Vec<DocumentFeature<'a>>,
    categories: CategoryEncoding,
    training_rows: u64,
    sample_rows: u64,
    // Without this, a field that is missing would be null.
    #[serde(deserialize_with = "Option::deserialize")]
    contamination: Option<f64>,
    threshold: f64,
    statistics: Cow<'a, [FeatureStatistics]>,
    #[serde(deserialize_with = "Option::deserialize")]
    calibration: Option<Cow<'a, Calibration>>,
    detector: D,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DocumentFeature<'a> {
    name: Cow<'a, str>,
    kind: FeatureKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    categories: Option<Cow<'a, Categories>>,
}

impl<'a> Document<'a, &'a dyn Detector> {
    fn of(model: &'a Model) -> Self {
        let features = model.signature.features().iter().enumerate();
        let features = features.map(|(at, feature)| DocumentFeature {
            name: Cow::Borrowed(&feature.name),
            kind: feature.kind,
            categories: model.encoder.categories(at).map(Cow::Borrowed),
        });
        Self {
            format: Cow::Borrowed(FORMAT),
            algorithm: Cow::Borrowed(model.detector.algorithm().as_str()),
            features: features.collect(),
            categories: model.encoder.encoding(),
            training_rows: model.training_rows,
            sample_rows: model.sample_rows,
            contamination: model.contamination,
            threshold: model.threshold,
            statistics: Cow::Borrowed(&model.statistics),
            calibration: model.calibration.as_ref().map(Cow::Borrowed),
            detector: &*model.detector,
        }
    }
}

impl<D: Detector> Document<'_, D> {
    fn into_model(self, finish: impl FnOnce(D) -> D) -> Result<Model, JsonError>
    where
        D: 'static,
    {
        let (signature, categories) = signature(self.features)?;
        let (got, features) = (self.statistics.len(), signature.features().len());
        if got != 0 && got != features {
            return Err(JsonError::Statistics { got, features });
        }
        Ok(Model {
            version: FORMAT_VERSION,
            encoder: Encoder::new(&signature, self.categories, categories),
            signature,
            training_rows: self.training_rows,
            sample_rows: self.sample_rows,
            contamination: self.contamination,
            threshold: self.threshold,
            statistics: self.statistics.into_owned(),
            calibration: self.calibration.map(Cow::into_owned),
            detector: Arc::new(finish(self.detector)),
        })
    }
}

/// The features, and the categories of those that are texts.
fn signature(read: Vec<DocumentFeature<'_>>) -> Result<(Signature, Vec<Categories>), JsonError> {
    let (mut features, mut categories) = (vec![], vec![]);
    for DocumentFeature { name, kind, categories: counted } in read {
        let name = name.into_owned();
        let wanted = match (kind, counted) {
            (FeatureKind::Text, None) => Some("a list of pairs of a text and its training rows"),
            (FeatureKind::Text, Some(counted)) => {
                categories.push(counted.into_owned());
                None
            }
            (_, Some(_)) => Some("left out"),
            (_, None) => None,
        };
        if let Some(wanted) = wanted {
            return Err(JsonError::Categories { name, kind, wanted });
        }
        features.push(Feature { name, kind });
    }
    Ok((Signature::new(features)?, categories))
}

/// Shows the first difference of two texts.
fn inconsistent(read: &str, written: &str) -> JsonError {
    let pairs = read.bytes().zip(written.bytes());
    let at = pairs.take_while(|(a, b)| a == b).count();
    let around = |text: &str| {
        let (start, end) = (at.saturating_sub(EXCERPT), at.saturating_add(EXCERPT).min(text.len()));
        text[text.floor_char_boundary(start)..text.ceil_char_boundary(end)].to_owned()
    };
    JsonError::Inconsistent { read: around(read), written: around(written) }
}

/// Reads hyperparameters and checks their ranges.
pub(super) fn checked<'de, D, P>(deserializer: D) -> Result<P::Checked, D::Error>
where
    D: Deserializer<'de>,
    P: ParamGuard<Error: Display> + Deserialize<'de>,
{
    P::deserialize(deserializer)?.check().map_err(D::Error::custom)
}

/// The threshold of a cut: a number, or `"Infinity"`.
pub(super) mod threshold {
    use std::fmt;

    use serde::de::{Error, Unexpected, Visitor};
    use serde::{Deserializer, Serializer};

    const INFINITY: &str = "Infinity";

    pub(in crate::detectors) fn serialize<S: Serializer>(
        threshold: &f64,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match *threshold == f64::INFINITY {
            true => serializer.serialize_str(INFINITY),
            false => serializer.serialize_f64(*threshold),
        }
    }

    pub(in crate::detectors) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<f64, D::Error> {
        deserializer.deserialize_any(Threshold)
    }

    struct Threshold;

    impl Visitor<'_> for Threshold {
        type Value = f64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a number or \"{INFINITY}\"")
        }

        fn visit_f64<E: Error>(self, number: f64) -> Result<f64, E> {
            Ok(number)
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<f64, E> {
            Ok(number as f64)
        }

        fn visit_i64<E: Error>(self, number: i64) -> Result<f64, E> {
            Ok(number as f64)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<f64, E> {
            match text {
                INFINITY => Ok(f64::INFINITY),
                other => Err(E::invalid_value(Unexpected::Str(other), &self)),
            }
        }
    }
}

/// A symmetric matrix as the rows of its lower triangle: one number, two, and so on.
pub(super) mod lower_triangle {
    use ndarray::Array2;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(in crate::detectors) fn serialize<S: Serializer>(
        matrix: &Array2<f64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let rows = matrix.rows().into_iter().enumerate();
        serializer
            .collect_seq(rows.map(|(at, row)| row.iter().take(at + 1).copied().collect::<Vec<_>>()))
    }

    pub(in crate::detectors) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Array2<f64>, D::Error> {
        let rows = Vec::<Vec<f64>>::deserialize(deserializer)?;
        match rows.iter().enumerate().find(|(at, row)| row.len() != at + 1) {
            Some((at, row)) => Err(D::Error::custom(format_args!(
                "row {at} of a lower triangle has {} numbers, not {}",
                row.len(),
                at + 1
            ))),
            None => Ok(Array2::from_shape_fn((rows.len(), rows.len()), |(i, j)| {
                rows[i.max(j)][i.min(j)]
            })),
        }
    }
}

#[cfg(test)]
pub(super) mod laws;
#[cfg(test)]
mod tests;
