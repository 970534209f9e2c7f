//! Isolation forest (Liu, Ting, Zhou 2008): anomalies are few and different, so random cuts
//! separate them from the rest early. The score of a row is how few cuts that takes.
//!
//! Fitting costs O(`n_estimators` x `max_samples` x features x height) whatever the number of
//! rows, scoring O(`n_estimators` x height) per row.
//!
//! # Missing values
//! NaN means missing. In every node a fair coin, recorded in the node, says on which side the
//! rows go that miss its feature. Where a feature has one present value and is missing elsewhere,
//! the cut separates the missing from the present, so that a rare gap is isolated quickly. A
//! feature missing in all rows of a node cannot cut it. Infinities count as the largest finite
//! numbers.
//!
//! # Differences from the paper
//! None for complete data. With fewer rows than `max_samples`, each tree takes all of them, and
//! their number takes the place of `max_samples` in the default height limit and in the score, as
//! in scikit-learn. Rows that no cut can separate, or a single row, score 0.5.
//!
//! # Example
//! ```
//! use linfa::DatasetBase;
//! use linfa::traits::{Fit, Predict};
//! use ndarray::{Array2, array};
//! use udfs::detectors::isolation_forest::IsolationForest;
//!
//! let mut rows = Array2::from_shape_fn((200, 2), |(row, column)| ((row * 7 + column) % 20) as f64);
//! rows.row_mut(0).assign(&array![90.0, -40.0]);
//! let forest = IsolationForest::params()
//!     .n_estimators(50)
//!     .fit(&DatasetBase::from(rows))?;
//!
//! let scores = forest.predict(&array![[10.0, 11.0], [90.0, -40.0]]);
//! assert!(scores[0] < 0.5 && scores[1] > 0.8);
//! # Ok::<(), udfs::detectors::isolation_forest::FitError>(())
//! ```

mod codec;
mod error;
pub(super) mod explain;
pub(super) mod fit;
mod hyperparams;
mod onnx;
pub(super) mod score;

#[cfg(test)]
mod tests;

use std::error::Error;
use std::sync::Arc;

use linfa::DatasetBase;
use linfa::traits::Fit;
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::json::{checked, threshold};
use super::memo::Memo;
use super::training::{Hyperparameters, Threshold};
use super::{Algorithm, Attribution, Detector};

pub(super) use codec::{decode, decode_first};
pub use error::{FitError, ParamError};
pub use hyperparams::{
    IsolationForestParams, IsolationForestValidParams, MAX_DEPTH, MAX_ESTIMATORS, MAX_SAMPLE_ROWS,
};

/// Threshold where contamination is not given: the score of a row that takes as many cuts as
/// the average row (section 3 of the paper; scikit-learn's `contamination='auto'`).
pub const DEFAULT_THRESHOLD: f64 = 0.5;

/// A fitted isolation forest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IsolationForest {
    #[serde(rename = "options", deserialize_with = "checked::<_, IsolationForestParams>")]
    params: IsolationForestValidParams,
    /// Known from the columns.
    #[serde(skip)]
    features: usize,
    sample_rows: u64,
    trees: Vec<Tree>,
    /// What rows learn at the nodes of each tree, for explanations.
    #[serde(skip)]
    changes: Memo<Vec<Vec<f64>>>,
}

/// The nodes of a tree in preorder: the left child of a split follows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Tree(Vec<Node>);

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Node {
    /// Where cutting stopped.
    Leaf {
        /// Training rows that arrived here.
        rows: u32,
        /// h(x) / c(n): the cuts on the way and those expected to separate `rows` rows, relative
        /// to the average over the rows that the tree was grown on.
        #[serde(skip)]
        path_length: f64,
    },
    /// Rows with a value below the threshold go left, the others right.
    Split {
        #[serde(rename = "column")]
        feature: u16,
        /// Infinity separates the present values (left) from the missing ones (right).
        #[serde(with = "threshold")]
        threshold: f64,
        missing_left: bool,
        #[serde(skip)]
        right: u32,
    },
}

impl Node {
    /// A leaf at `depth` of a tree grown on `subsample` rows.
    fn leaf(rows: u32, depth: u64, subsample: u64) -> Self {
        let path_length = score::relative_path_length(u64::from(rows), depth, subsample);
        Self::Leaf { rows, path_length }
    }
}

impl IsolationForest {
    /// Hyperparameters to start from.
    pub fn params() -> IsolationForestParams {
        IsolationForestParams::default()
    }

    /// The hyperparameters it was fitted with.
    pub fn hyperparams(&self) -> &IsolationForestValidParams {
        &self.params
    }

    /// Number of features of a row.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Number of rows it was fitted on.
    pub fn sample_rows(&self) -> u64 {
        self.sample_rows
    }

    /// Rows that each tree was grown on.
    pub fn subsample_rows(&self) -> u64 {
        self.sample_rows.min(self.params.max_samples())
    }

    /// Height limit that the trees were grown with.
    pub fn max_depth(&self) -> u64 {
        self.params.height_limit(self.subsample_rows())
    }
}

impl Hyperparameters for IsolationForestValidParams {
    /// So many that trees seldom share rows.
    fn sample_rows(&self) -> u64 {
        self.n_estimators() * self.max_samples()
    }

    fn seed(&self) -> u64 {
        self.seed()
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

impl Detector for IsolationForest {
    fn algorithm(&self) -> Algorithm {
        Algorithm::IsolationForest
    }

    fn options(&self) -> Vec<(&'static str, String)> {
        vec![
            ("max_depth", self.max_depth().to_string()),
            ("max_samples", self.params.max_samples().to_string()),
            ("n_estimators", self.params.n_estimators().to_string()),
            ("seed", self.params.seed().to_string()),
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
