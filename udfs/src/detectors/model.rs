//! What every trained model is, whatever its algorithm: named features, a detector, what training
//! saw, and bytes that say what they are and notice when they were changed.
//!
//! ```text
//! "UDFMODEL" | format version u16 | algorithm u8 | features u16 x (kind u8, name: u32 length, UTF-8)
//! | encoding of categories u8 | of each text feature: categories u32 x (text, rows u64), sorted
//! | training_rows u64 | sample_rows u64 | contamination f64 (0: none) | threshold f64
//! | of each feature, or 0 of them: statistics u16 x (missing u64, 0 or 1 and mean, stddev, percentiles)
//! | calibration u32 x (rank u32, score f64)
//! | detector | XXH3-128 of all bytes before it
//! ```
//! Little endian, one encoding per model. The digest finds damage, not forgery. Version 1 had
//! numbers and truth values alone, one algorithm, and neither statistics nor calibration.

use std::sync::Arc;

use ndarray::ArrayView2;
use thiserror::Error;
use twox_hash::XxHash3_128;

use super::calibration::Calibration;
use super::categories::{CategoryEncoding, Encoder};
use super::signature::Signature;
use super::statistics::FeatureStatistics;
use super::wire::{Reader, WireError};
use super::{Algorithm, Attribution, Detector};

const MAGIC: &[u8; 8] = b"UDFMODEL";
const DIGEST_LEN: usize = 16;

/// Version of the format written. Older ones are read.
pub const FORMAT_VERSION: u16 = 2;

/// Why bytes are not a usable model.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ModelError {
    /// They were never a model.
    #[error("these bytes are not a model; hint: pass a value made by a `train_*` function")]
    NotAModel,
    /// A newer program wrote them.
    #[error(
        "the model has format version {0} and this program reads versions 1 to {FORMAT_VERSION}; \
         hint: train the model again, or use the program that trained it"
    )]
    Version(u16),
    /// They were cut or changed.
    #[error("the model is damaged: its digest does not match; hint: train it again")]
    Digest,
    /// The digest matches, but no writer of this program wrote them.
    #[error("the model is malformed: {0}; hint: train it again")]
    Malformed(#[from] WireError),
}

/// A trained model.
#[derive(Debug, Clone)]
pub struct Model {
    /// Version of the format it was read from.
    pub version: u16,
    /// Its features.
    pub signature: Signature,
    /// How they become the columns of the detector.
    pub encoder: Encoder,
    /// Rows that training saw, of which it may have kept a sample.
    pub training_rows: u64,
    /// Rows of the sample that it was fitted on.
    pub sample_rows: u64,
    /// Expected share of anomalies, where it was given.
    pub contamination: Option<f64>,
    /// A row is an anomaly where its score is greater.
    pub threshold: f64,
    /// What training saw of each feature; nothing in version 1.
    pub statistics: Vec<FeatureStatistics>,
    /// The scores of the sample; nothing in version 1.
    pub calibration: Option<Calibration>,
    /// Its detector.
    pub detector: Arc<dyn Detector>,
}

/// Equal models have equal bytes.
impl PartialEq for Model {
    fn eq(&self, other: &Self) -> bool {
        self.version == other.version && self.encode() == other.encode()
    }
}

impl Model {
    /// Scores of rows, which have one value per feature: a number, seconds since 1970, the position
    /// of a [category](super::categories::Categories::position), or NaN where missing. Larger is
    /// more anomalous; see the algorithm for their range.
    pub fn scores(&self, rows: ArrayView2<'_, f64>) -> Vec<f64> {
        self.detector.scores(self.encoder.encode_rows(rows).view())
    }

    /// What each feature adds to the scores of rows: `contributions` has a column per feature.
    pub fn attribute(&self, rows: ArrayView2<'_, f64>) -> Attribution {
        let encoded = self.encoder.encode_rows(rows);
        let found = self.detector.attribute(encoded.view());
        let columns = self.encoder.columns();
        if columns.len() == rows.ncols() {
            return found;
        }
        let mut contributions = ndarray::Array2::zeros(rows.dim());
        for (column, feature) in columns.into_iter().enumerate() {
            let mut of_feature = contributions.column_mut(feature);
            of_feature += &found.contributions.column(column);
        }
        Attribution { contributions, ..found }
    }

    /// The model as bytes. Equal models have equal bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        out.push(self.detector.algorithm() as u8);
        self.signature.encode(&mut out);
        self.encoder.encode(&mut out);
        out.extend_from_slice(&self.training_rows.to_le_bytes());
        out.extend_from_slice(&self.sample_rows.to_le_bytes());
        out.extend_from_slice(&self.contamination.unwrap_or(0.0).to_le_bytes());
        out.extend_from_slice(&(self.threshold + 0.0).to_le_bytes());
        out.extend_from_slice(&(self.statistics.len() as u16).to_le_bytes());
        self.statistics.iter().for_each(|statistics| statistics.encode(&mut out));
        Calibration::encode(self.calibration.as_ref(), &mut out);
        self.detector.encode(&mut out);
        let digest = XxHash3_128::oneshot(&out);
        out.extend_from_slice(&digest.to_le_bytes());
        out
    }

    /// Reads a model. Any bytes give a model or an error.
    pub fn decode(bytes: &[u8]) -> Result<Self, ModelError> {
        let after_magic = bytes.strip_prefix(MAGIC).ok_or(ModelError::NotAModel)?;
        let version = Reader::new(after_magic).u16()?;
        if !(1..=FORMAT_VERSION).contains(&version) {
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
        let model = match version {
            1 => Self::decode_first(reader)?,
            _ => Self::decode_content(reader)?,
        };
        if model.sample_rows == 0 || model.training_rows < model.sample_rows {
            return Err(WireError::Invalid("it kept more rows than it saw, or none").into());
        }
        Ok(model)
    }

    fn decode_first(mut reader: Reader<'_>) -> Result<Self, WireError> {
        if reader.u8()? != Algorithm::IsolationForest as u8 {
            return Err(WireError::Invalid("its algorithm is unknown"));
        }
        let signature = Signature::decode(&mut reader)?;
        let training_rows = reader.u64()?;
        let first = super::isolation_forest::decode_first(reader, signature.features().len())?;
        let (detector, sample_rows, contamination, threshold) = first;
        Ok(Self {
            version: 1,
            encoder: Encoder::new(&signature, CategoryEncoding::default(), []),
            signature,
            training_rows,
            sample_rows,
            contamination,
            threshold,
            statistics: vec![],
            calibration: None,
            detector: Arc::new(detector),
        })
    }

    fn decode_content(mut reader: Reader<'_>) -> Result<Self, WireError> {
        let algorithm = Algorithm::from_code(reader.u8()?)
            .ok_or(WireError::Invalid("its algorithm is unknown"))?;
        let signature = Signature::decode(&mut reader)?;
        let encoder = Encoder::decode(&mut reader, &signature)?;
        let training_rows = reader.u64()?;
        let sample_rows = reader.u64()?;
        let contamination = Some(reader.finite()?).filter(|share| *share != 0.0);
        if contamination.is_some_and(|share| !(share > 0.0 && share <= 0.5)) {
            return Err(WireError::Invalid("its contamination is out of range"));
        }
        let threshold = reader.finite()?;
        let described = usize::from(reader.u16()?);
        if described != 0 && described != signature.features().len() {
            return Err(WireError::Invalid("its statistics are not those of its features"));
        }
        let mut statistics = vec![];
        for _ in 0..described {
            statistics.push(FeatureStatistics::decode(&mut reader)?);
        }
        let calibration = Calibration::decode(&mut reader)?;
        let detector = algorithm.decode(reader, encoder.columns().len())?;
        Ok(Self {
            version: FORMAT_VERSION,
            signature,
            encoder,
            training_rows,
            sample_rows,
            contamination,
            threshold,
            statistics,
            calibration,
            detector,
        })
    }
}

/// The digest at the end of an encoded model; None where the bytes are too few. Not verified.
pub fn digest(bytes: &[u8]) -> Option<u128> {
    bytes.last_chunk().copied().map(u128::from_le_bytes)
}
