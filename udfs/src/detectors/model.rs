//! What every trained model is, whatever its algorithm: named features, a detector, and bytes
//! that say what they are and notice when they were changed.
//!
//! ```text
//! "UDFMODEL" | format version u16 | algorithm u8 | features u16 x (kind u8, name: u32 length, UTF-8)
//! | training_rows u64 | detector | XXH3-128 of all bytes before it
//! ```
//! Little endian, one encoding per model. The digest finds damage, not forgery.

use std::collections::HashSet;
use std::fmt;

use ndarray::ArrayView2;
use thiserror::Error;
use twox_hash::XxHash3_128;

use super::isolation_forest::IsolationForest;
use super::wire::{Reader, WireError, put_block};

const MAGIC: &[u8; 8] = b"UDFMODEL";
const DIGEST_LEN: usize = 16;

/// Version of the format written, and the only one read.
pub const FORMAT_VERSION: u16 = 1;
/// Most features of a model.
pub const MAX_FEATURES: usize = u16::MAX as usize;

/// Why bytes are not a usable model.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ModelError {
    /// They were never a model.
    #[error("these bytes are not a model; hint: pass a value made by a `train_*` function")]
    NotAModel,
    /// Another version wrote them.
    #[error(
        "the model has format version {0} and this program reads version {FORMAT_VERSION}; hint: \
         train the model again, or use the program that trained it"
    )]
    Version(u16),
    /// They were cut or changed.
    #[error("the model is damaged: its digest does not match; hint: train it again")]
    Digest,
    /// The digest matches, but no writer of this program wrote them.
    #[error("the model is malformed: {0}; hint: train it again")]
    Malformed(#[from] WireError),
}

/// Why a list of features is not usable.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// No features.
    #[error("a model needs at least one feature")]
    Empty,
    /// More than a model can hold.
    #[error("a model has at most {MAX_FEATURES} features, got {0}")]
    TooMany(usize),
    /// Two features of one name.
    #[error("feature `{0}` is given twice")]
    Duplicate(String),
}

/// What values a feature takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeatureKind {
    /// Any number; compared as `f64`.
    Number,
    /// A truth value; false is 0, true is 1.
    Boolean,
}

impl FeatureKind {
    const ALL: [Self; 2] = [Self::Number, Self::Boolean];

    /// Its name: `number`, `boolean`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Boolean => "boolean",
        }
    }
}

impl fmt::Display for FeatureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A column of the training data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    /// Its name, by which scoring finds it.
    pub name: String,
    /// Its kind.
    pub kind: FeatureKind,
}

/// The features of a model in the order of its columns: at least one, names unique.
///
/// Its text form is `name:kind` separated by commas, where a backslash stands before each
/// backslash, colon and comma of a name: `ln_bytes:number,is_tcp:boolean`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature(Vec<Feature>);

impl Signature {
    /// Checks a list of features.
    pub fn new(features: Vec<Feature>) -> Result<Self, SignatureError> {
        if features.is_empty() {
            return Err(SignatureError::Empty);
        }
        if features.len() > MAX_FEATURES {
            return Err(SignatureError::TooMany(features.len()));
        }
        let mut names = HashSet::new();
        match features.iter().find(|feature| !names.insert(&feature.name)) {
            Some(feature) => Err(SignatureError::Duplicate(feature.name.clone())),
            None => Ok(Self(features)),
        }
    }

    /// The features in order.
    pub fn features(&self) -> &[Feature] {
        &self.0
    }

    /// Reads the text form; None where it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let mut features = vec![];
        let mut name = String::new();
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            match c {
                '\\' => name.push(rest.next()?),
                ':' => {
                    let kind: String = rest.by_ref().take_while(|c| *c != ',').collect();
                    let kind = FeatureKind::ALL.into_iter().find(|k| k.as_str() == kind)?;
                    features.push(Feature { name: std::mem::take(&mut name), kind });
                }
                ',' => return None,
                _ => name.push(c),
            }
        }
        if name.is_empty() { Self::new(features).ok() } else { None }
    }

    /// Appends the canonical encoding.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.0.len() as u16).to_le_bytes());
        for feature in &self.0 {
            out.push(feature.kind as u8);
            put_block(out, feature.name.as_bytes());
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let count = reader.u16()?;
        let mut features = vec![];
        for _ in 0..count {
            let kind = FeatureKind::ALL
                .get(usize::from(reader.u8()?))
                .copied()
                .ok_or(WireError::Invalid("a feature is of unknown kind"))?;
            let name = std::str::from_utf8(reader.block()?)
                .map_err(|_| WireError::Invalid("the name of a feature is not UTF-8"))?;
            features.push(Feature { name: name.to_owned(), kind });
        }
        Self::new(features).map_err(|_| WireError::Invalid("its features are none or repeated"))
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, feature) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            for c in feature.name.chars() {
                if matches!(c, '\\' | ':' | ',') {
                    f.write_str("\\")?;
                }
                write!(f, "{c}")?;
            }
            write!(f, ":{}", feature.kind)?;
        }
        Ok(())
    }
}

/// A fitted algorithm.
#[derive(Debug, Clone, PartialEq)]
pub enum Detector {
    /// Isolation forest.
    IsolationForest(IsolationForest),
}

impl Detector {
    const ISOLATION_FOREST: u8 = 1;

    /// Name of its algorithm: `isolation_forest`.
    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::IsolationForest(_) => "isolation_forest",
        }
    }

    /// Anomaly scores, one per row; larger is more anomalous. See the algorithm for their range.
    pub fn scores(&self, records: ArrayView2<'_, f64>) -> Vec<f64> {
        match self {
            Self::IsolationForest(forest) => forest.scores(records),
        }
    }

    /// A row is an anomaly where its score is greater.
    pub fn threshold(&self) -> f64 {
        match self {
            Self::IsolationForest(forest) => forest.threshold(),
        }
    }
}

/// A trained model.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Its features. The detector has as many.
    pub signature: Signature,
    /// Rows that training saw, of which it may have kept a sample.
    pub training_rows: u64,
    /// Its detector.
    pub detector: Detector,
}

impl Model {
    /// The model as bytes. Equal models have equal bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        out.push(match self.detector {
            Detector::IsolationForest(_) => Detector::ISOLATION_FOREST,
        });
        self.signature.encode(&mut out);
        out.extend_from_slice(&self.training_rows.to_le_bytes());
        match &self.detector {
            Detector::IsolationForest(forest) => forest.encode(&mut out),
        }
        let digest = XxHash3_128::oneshot(&out);
        out.extend_from_slice(&digest.to_le_bytes());
        out
    }

    /// Reads a model. Any bytes give a model or an error.
    pub fn decode(bytes: &[u8]) -> Result<Self, ModelError> {
        let after_magic = bytes.strip_prefix(MAGIC).ok_or(ModelError::NotAModel)?;
        let version = Reader::new(after_magic).u16()?;
        if version != FORMAT_VERSION {
            return Err(ModelError::Version(version));
        }
        let Some((sealed, _)) = bytes.split_last_chunk::<DIGEST_LEN>() else {
            return Err(ModelError::Digest);
        };
        if digest(bytes) != Some(XxHash3_128::oneshot(sealed)) {
            return Err(ModelError::Digest);
        }
        let mut reader = Reader::new(sealed);
        reader.bytes(MAGIC.len() + size_of_val(&version))?;
        if reader.u8()? != Detector::ISOLATION_FOREST {
            return Err(WireError::Invalid("its algorithm is unknown").into());
        }
        let signature = Signature::decode(&mut reader)?;
        let training_rows = reader.u64()?;
        let forest = IsolationForest::decode(reader.rest(), signature.features().len())?;
        if training_rows < forest.sample_rows() {
            return Err(WireError::Invalid("it kept more rows than it saw").into());
        }
        Ok(Self { signature, training_rows, detector: Detector::IsolationForest(forest) })
    }
}

/// The digest at the end of an encoded model; None where the bytes are too few. Not verified.
pub fn digest(bytes: &[u8]) -> Option<u128> {
    bytes.last_chunk().copied().map(u128::from_le_bytes)
}
