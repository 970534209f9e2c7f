//! Models for other programs: a model as a graph of [ONNX](https://onnx.ai), which gives the scores
//! of [`Model::scores`] in any runtime of it.
//!
//! * Inputs: one per feature, by its name, of shape (rows, 1). Numbers, truth values (0 or 1) and
//!   timestamps (seconds since 1970 in UTC) are DOUBLE, NaN where missing. Texts are STRING,
//!   [`MISSING_TEXT`] where missing; categories are encoded inside of the graph, unseen ones as in
//!   [`categories`](super::categories).
//! * Outputs: [`SCORE`], DOUBLE of shape (rows, 1), and [`IS_ANOMALY`], BOOL of that shape.
//! * Metadata: algorithm, digest, threshold and what else identifies the model, under
//!   `udfs.model.*`.
//!
//! # Exactness
//! All of it is computed in double precision (`TreeEnsemble` of `ai.onnx.ml` 5), so that every row
//! takes the ways through the trees that it takes here. A runtime may add up the trees in another
//! order and round its power otherwise: scores differ in their last bits. [`IS_ANOMALY`] leaves
//! [`ALERT_MARGIN`] for that.

mod graph;
pub(super) mod proto;

#[cfg(test)]
mod tests;

use std::any::Any;

use prost::Message;
use thiserror::Error;

use super::Algorithm;
use super::isolation_forest::IsolationForest;
use super::model::{Model, ModelError, digest};
use proto::{ModelProto, OperatorSetIdProto, StringStringEntryProto};

/// Output: the anomaly score.
pub const SCORE: &str = "score";

/// Output: whether the score is above the threshold of the model by more than [`ALERT_MARGIN`].
pub const IS_ANOMALY: &str = "is_anomaly";

/// How a missing text is spelled, as in PostgreSQL's `COPY`: the empty text is a text.
pub const MISSING_TEXT: &str = r"\N";

/// More than the rounding of a score, so that rows whose score is the threshold, as that of many
/// equal rows may be, are not anomalies in any runtime: they are none here.
pub const ALERT_MARGIN: f64 = 1e-12;

/// What protocol buffers can hold.
const MAX_BYTES: usize = i32::MAX as usize;

/// Why a model cannot be exported.
#[derive(Debug, Error)]
pub enum OnnxError {
    /// The bytes are not a usable model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// ONNX is written for isolation forests alone.
    #[error(
        "a model of algorithm `{}` cannot be written as ONNX, only one of `{}`; hint: train it with \
         `train_isolation_forest`, or score with `anomaly_score`",
        .0.as_str(),
        Algorithm::IsolationForest.as_str()
    )]
    Algorithm(Algorithm),
    /// A feature has no name, or that of an output.
    #[error(
        "feature `{0}` cannot be an input of ONNX: it must have a name, and `{SCORE}` and \
         `{IS_ANOMALY}` are the outputs; hint: train with another name"
    )]
    Name(String),
    /// A category is spelled as a missing text.
    #[error(
        "feature `{0}` has the category `{MISSING_TEXT}`, by which an input of ONNX says that a \
         text is missing; hint: replace it with NULL or another text, and train again"
    )]
    Category(String),
    /// ONNX cannot hold as much.
    #[error(
        "the model takes {0} bytes as ONNX, which holds at most {MAX_BYTES}; hint: train with a \
         lower `n_estimators` or `max_samples`"
    )]
    TooLarge(usize),
}

/// The bytes of a model, made by a `train_*` function, as those of an ONNX file. The same model gives
/// the same file. Memory: some 60 bytes per node of a tree.
///
/// # Errors
/// Where the bytes are not a model, or not one of an isolation forest; where a feature has a name
/// that an input cannot have, or a category [`MISSING_TEXT`]; where it takes more than 2 GiB.
pub fn to_onnx(bytes: &[u8]) -> Result<Vec<u8>, OnnxError> {
    let model = Model::decode(bytes)?;
    let detector: &dyn Any = &*model.detector;
    let Some(forest) = detector.downcast_ref::<IsolationForest>() else {
        return Err(OnnxError::Algorithm(model.detector.algorithm()));
    };
    let opset = |domain: &str, version| OperatorSetIdProto { domain: domain.to_owned(), version };
    let onnx = ModelProto {
        ir_version: proto::IR_VERSION,
        producer_name: env!("CARGO_PKG_NAME").to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        doc_string: format!(
            "Inputs: a column per feature; NaN, or the text `{MISSING_TEXT}`, where a value is \
             missing. Outputs: `{SCORE}`, larger is more anomalous, and `{IS_ANOMALY}`, whether it \
             is above the threshold."
        ),
        graph: Some(graph::isolation_forest(&model, forest)?),
        opset_import: vec![opset("", proto::OPSET), opset(proto::ML_DOMAIN, proto::ML_OPSET)],
        metadata_props: metadata(&model, digest(bytes).unwrap_or_default()),
    };
    match onnx.encoded_len() {
        length if length > MAX_BYTES => Err(OnnxError::TooLarge(length)),
        _ => Ok(onnx.encode_to_vec()),
    }
}

/// What identifies a model, as `model_info` shows it.
fn metadata(model: &Model, digest: u128) -> Vec<StringStringEntryProto> {
    let mut entries = vec![
        ("algorithm", model.detector.algorithm().as_str().to_owned()),
        ("categories", model.encoder.encoding().as_str().to_owned()),
        ("digest", format!("{digest:032x}")),
        ("features", model.signature.to_string()),
        ("missing_text", MISSING_TEXT.to_owned()),
        ("sample_rows", model.sample_rows.to_string()),
        ("threshold", format!("{:?}", model.threshold)),
        ("training_rows", model.training_rows.to_string()),
        ("version", model.version.to_string()),
    ];
    entries.extend(model.detector.options());
    entries.extend(model.contamination.map(|share| ("contamination", format!("{share:?}"))));
    entries.sort_unstable();
    let entry = |(name, value)| StringStringEntryProto { key: format!("udfs.model.{name}"), value };
    entries.into_iter().map(entry).collect()
}
