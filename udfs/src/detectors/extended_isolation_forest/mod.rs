//! Extended isolation forest (Hariri, Carrasco Kind, Brunner 2019): an isolation forest whose cuts
//! are hyperplanes of random slope. Cuts along the axes leave bands of low scores beside every
//! cluster, in which anomalies hide; cuts of any slope do not.
//!
//! Costs are those of the isolation forest times the columns of a cut. So is the size of a model:
//! about 10 bytes x `n_estimators` x `max_samples` x (`extension_level` + 1).
//!
//! # Scaling and missing values
//! A slope is a comparison of units, so every column is divided by its standard deviation in
//! training; the scale is part of the model. NaN means missing and becomes the mean of training:
//! as usual as can be. Infinities count as the largest finite numbers, and scaled values are cut at
//! a million standard deviations.
//!
//! # Differences from the paper
//! The columns of a cut are drawn among those that differ within the node, and a node of equal rows
//! is a leaf, as in an isolation forest; level 0 is one, of standardised values. A cut may leave
//! one side without training rows, as in the paper: rows that arrive there lie outside. Slopes and
//! points are rounded to 32 bits before they are used.
//!
//! # Example
//! ```
//! use linfa::DatasetBase;
//! use linfa::traits::Fit;
//! use ndarray::{Array2, array};
//! use udfs::detectors::extended_isolation_forest::ExtendedIsolationForest;
//!
//! // Two columns that rise together: each value of the last row is usual, the pair is not.
//! let rows = Array2::from_shape_fn((300, 2), |(row, column)| ((row + column) % 100) as f64);
//! let forest = ExtendedIsolationForest::params().check()?.fit(&DatasetBase::from(rows))?;
//!
//! let scores = forest.scores(array![[50.0, 50.0], [90.0, 10.0]].view());
//! assert!(scores[1] > scores[0] + 0.1);
//! # Ok::<(), udfs::detectors::extended_isolation_forest::FitError>(())
//! ```

mod codec;
mod error;
mod fit;
mod hyperparams;
mod score;

#[cfg(test)]
mod tests;

use std::error::Error;
use std::sync::Arc;

use linfa::DatasetBase;
use linfa::traits::Fit;
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::isolation_forest::DEFAULT_THRESHOLD;
use super::isolation_forest::score::relative_path_length;
use super::memo::Memo;
use super::scaler::Scaler;
use super::training::{Hyperparameters, Threshold};
use super::{Algorithm, Attribution, Detector};

pub(super) use codec::decode;
pub use error::{FitError, ParamError};
pub use hyperparams::{
    ExtendedIsolationForestParams, ExtendedIsolationForestValidParams, MAX_TERMS,
};

/// A fitted extended isolation forest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtendedIsolationForest {
    #[serde(rename = "options")]
    params: ExtendedIsolationForestValidParams,
    sample_rows: u64,
    scaler: Scaler,
    trees: Vec<Tree>,
    /// What rows learn at the nodes of each tree, for explanations.
    #[serde(skip)]
    changes: Memo<Vec<Vec<f64>>>,
}

/// A tree over scaled rows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<codec::PlainNode>", into = "Vec<codec::PlainNode>")]
struct Tree {
    /// In preorder: the left child of a split follows it.
    nodes: Vec<Node>,
    /// The columns of all cuts, in the order of the splits.
    terms: Vec<Term>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Node {
    /// Where cutting stopped.
    Leaf {
        /// Training rows that arrived here.
        rows: u32,
        /// h(x) / c(n), as in an isolation forest.
        path_length: f64,
    },
    /// Rows on the lower side of the hyperplane go left, the others right.
    Split {
        /// Its terms: from `first` up to `end`.
        first: u32,
        end: u32,
        right: u32,
    },
}

/// A hyperplane in one column: its slope and a point that it goes through.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Term {
    column: u16,
    normal: f32,
    point: f32,
}

impl Term {
    /// n (x - p): how far a scaled row lies above the point in this column. Far from overflow for
    /// any 32 bits.
    fn of(&self, row: &[f64]) -> f64 {
        f64::from(self.normal) * (row[usize::from(self.column)] - f64::from(self.point))
    }
}

/// Whether a scaled row lies on the lower side of a hyperplane.
fn is_left(terms: &[Term], row: &[f64]) -> bool {
    terms.iter().map(|term| term.of(row)).sum::<f64>() <= 0.0
}

impl Node {
    /// A leaf at `depth` of a tree grown on `subsample` rows.
    fn leaf(rows: u32, depth: u64, subsample: u64) -> Self {
        Self::Leaf { rows, path_length: relative_path_length(u64::from(rows), depth, subsample) }
    }
}

impl ExtendedIsolationForest {
    /// Hyperparameters to start from.
    pub fn params() -> ExtendedIsolationForestParams {
        ExtendedIsolationForestParams::default()
    }

    /// Columns of a cut but one.
    pub fn extension_level(&self) -> u64 {
        self.params.level(self.scaler.columns())
    }

    fn subsample_rows(&self) -> u64 {
        self.sample_rows.min(self.params.forest().max_samples())
    }

    fn max_depth(&self) -> u64 {
        self.params.forest().height_limit(self.subsample_rows())
    }
}

impl Hyperparameters for ExtendedIsolationForestValidParams {
    fn sample_rows(&self) -> u64 {
        Hyperparameters::sample_rows(self.forest())
    }

    fn seed(&self) -> u64 {
        self.forest().seed()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        self.encode(out);
    }

    fn threshold(&self) -> Threshold {
        Threshold::Score(DEFAULT_THRESHOLD)
    }

    fn fit(
        &self,
        records: ArrayView2<'_, f64>,
        _: Option<&[bool]>,
    ) -> Result<Arc<dyn Detector>, Box<dyn Error + Send + Sync>> {
        Ok(Arc::new(Fit::fit(self, &DatasetBase::from(records))?))
    }
}

impl Detector for ExtendedIsolationForest {
    fn algorithm(&self) -> Algorithm {
        Algorithm::ExtendedIsolationForest
    }

    fn options(&self) -> Vec<(&'static str, String)> {
        let forest = self.params.forest();
        vec![
            ("extension_level", self.extension_level().to_string()),
            ("max_depth", self.max_depth().to_string()),
            ("max_samples", forest.max_samples().to_string()),
            ("n_estimators", forest.n_estimators().to_string()),
            ("seed", forest.seed().to_string()),
        ]
    }

    fn scores(&self, records: ArrayView2<'_, f64>) -> Vec<f64> {
        self.scores(records)
    }

    fn attribute(&self, records: ArrayView2<'_, f64>) -> Attribution {
        self.attribute(records)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        self.encode(out);
    }
}
