//! Random forest (Breiman 2001) of CART trees: the probability that a row is an anomaly, from
//! labelled rows. Needs no scaling and sees what depends on several columns at once.
//!
//! Every tree is grown on as many rows as there are, drawn with replacement. At every node, columns
//! are drawn until `max_features` of them can cut it, and the cut that leaves the least Gini
//! impurity is made. The score of a row is the mean share of anomalies in its leaves.
//!
//! Fitting costs O(`n_estimators` x `max_features` x rows x log rows x height). A model has at most
//! 20 bytes x `n_estimators` x rows; labels that are easy to tell apart make it far smaller.
//!
//! # Why not linfa's
//! linfa-trees predicts a class, without its share in the leaf; it has no missing values; and its
//! answer to a draw is the order of a hash map. linfa-ensemble draws columns once per tree.
//!
//! # Missing values
//! NaN means missing. Every cut tries missing values on both sides and keeps the better one in the
//! node; a cut may also part the present values from the missing ones. Where the rows of a node
//! miss none, rows that do go where more training rows went, as in scikit-learn. Infinities count
//! as the largest finite numbers.
//!
//! # Explanation
//! At every cut on the way of a row, the share of anomalies among the training rows changes; the
//! column that is cut gets the difference (Saabas 2014). The mean share in the roots and the
//! differences add up to the score.
//!
//! # Example
//! ```
//! use linfa::ParamGuard;
//! use ndarray::{Array2, array};
//! use udfs::detectors::random_forest::RandomForest;
//!
//! // An anomaly is in one half or in the other, but not in both.
//! let rows = Array2::from_shape_fn((400, 2), |(row, column)| [row % 20, row / 20][column] as f64);
//! let labels: Vec<bool> = rows.rows().into_iter().map(|x| (x[0] < 10.0) != (x[1] < 10.0)).collect();
//! let forest = RandomForest::params().check()?.fit(rows.view(), &labels)?;
//!
//! let scores = forest.scores(array![[3.0, 15.0], [15.0, 15.0]].view());
//! assert!(scores[0] > 0.9 && scores[1] < 0.1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
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

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::json::{checked, threshold};
use super::memo::Memo;
use super::sampling::Sampling;
use super::training::{Hyperparameters, Threshold, both_classes};
use super::{Algorithm, Attribution, Detector};

pub(super) use codec::decode;
pub use error::{FitError, ParamError};
pub use hyperparams::{
    MAX_DEPTH, MAX_ESTIMATORS, MAX_SAMPLES, MAX_TREE_ROWS, RandomForestParams,
    RandomForestValidParams,
};

/// A fitted random forest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomForest {
    #[serde(rename = "options", deserialize_with = "checked::<_, RandomForestParams>")]
    params: RandomForestValidParams,
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
    /// Where cutting stopped: the training rows that arrived here, and how many are anomalies.
    Leaf { rows: u32, anomalies: u32 },
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

impl RandomForest {
    /// Where rows are kept by default.
    pub const DEFAULT_SAMPLING: Sampling = Sampling::of(16_384);

    /// Hyperparameters to start from.
    pub fn params() -> RandomForestParams {
        RandomForestParams::default()
    }
}

impl Hyperparameters for RandomForestValidParams {
    fn sample_rows(&self) -> u64 {
        self.sampling().max_samples
    }

    fn seed(&self) -> u64 {
        self.sampling().seed
    }

    fn encode(&self, out: &mut Vec<u8>) {
        self.encode(out);
    }

    fn threshold(&self) -> Threshold {
        Threshold::Score(0.5)
    }

    fn fit(
        &self,
        records: ArrayView2<'_, f64>,
        labels: Option<&[bool]>,
    ) -> Result<Arc<dyn Detector>, Box<dyn Error + Send + Sync>> {
        Ok(Arc::new(self.fit(records, both_classes(labels)?)?))
    }
}

impl Detector for RandomForest {
    fn algorithm(&self) -> Algorithm {
        Algorithm::RandomForest
    }

    fn options(&self) -> Vec<(&'static str, String)> {
        let [max_samples, seed] = self.params.sampling().options();
        vec![
            ("max_depth", self.params.max_depth().to_string()),
            ("max_features", self.params.cut_features(self.features).to_string()),
            max_samples,
            ("min_samples_leaf", self.params.min_samples_leaf().to_string()),
            ("n_estimators", self.params.n_estimators().to_string()),
            seed,
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
