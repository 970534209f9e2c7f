//! What the user may choose.

use linfa::ParamGuard;
use serde::{Deserialize, Serialize};

use super::RandomForest;
use super::error::ParamError;
use crate::detectors::sampling::Sampling;
use crate::detectors::signature::MAX_FEATURES;

/// Most trees of a forest.
pub const MAX_ESTIMATORS: u64 = 10_000;
/// Most rows kept for training.
pub const MAX_SAMPLES: u64 = 1 << 20;
/// Most rows of all trees together: `n_estimators` x `max_samples`.
pub const MAX_TREE_ROWS: u64 = 1 << 24;
/// Highest tree.
pub const MAX_DEPTH: u64 = 64;

/// Hyperparameters not checked yet. Starts with the defaults; see [`Self::check`](ParamGuard).
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct RandomForestParams(RandomForestValidParams);

/// Hyperparameters within their ranges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomForestValidParams {
    n_estimators: u64,
    max_depth: u64,
    #[serde(deserialize_with = "Option::deserialize")]
    max_features: Option<u64>,
    min_samples_leaf: u64,
    #[serde(flatten)]
    sampling: Sampling,
}

impl Default for RandomForestParams {
    fn default() -> Self {
        Self(RandomForestValidParams {
            n_estimators: 100,
            max_depth: MAX_DEPTH,
            max_features: None,
            min_samples_leaf: 1,
            sampling: RandomForest::DEFAULT_SAMPLING,
        })
    }
}

impl RandomForestParams {
    /// Number of trees, 1 to [`MAX_ESTIMATORS`]. Default 100.
    pub fn n_estimators(mut self, trees: u64) -> Self {
        self.0.n_estimators = trees;
        self
    }

    /// Height limit, 1 to [`MAX_DEPTH`], which is the default.
    pub fn max_depth(mut self, depth: u64) -> Self {
        self.0.max_depth = depth;
        self
    }

    /// Columns tried per node, from 1; more than there are mean all. Default: the square root of
    /// their number, rounded down.
    pub fn max_features(mut self, columns: Option<u64>) -> Self {
        self.0.max_features = columns;
        self
    }

    /// Fewest rows of a leaf, from 1. Default 1.
    pub fn min_samples_leaf(mut self, rows: u64) -> Self {
        self.0.min_samples_leaf = rows;
        self
    }

    /// Rows that are kept, and the seed of every random choice: 2 to [`MAX_SAMPLES`], default 16384.
    pub fn sampling(mut self, sampling: Sampling) -> Self {
        self.0.sampling = sampling;
        self
    }
}

impl ParamGuard for RandomForestParams {
    type Checked = RandomForestValidParams;
    type Error = ParamError;

    fn check_ref(&self) -> Result<&Self::Checked, ParamError> {
        let params = &self.0;
        if !(1..=MAX_ESTIMATORS).contains(&params.n_estimators) {
            return Err(ParamError::Estimators(params.n_estimators));
        }
        params.sampling.check(MAX_SAMPLES)?;
        // Cannot overflow: both factors have just been bounded.
        let rows = params.n_estimators * params.sampling.max_samples;
        if rows > MAX_TREE_ROWS {
            return Err(ParamError::TreeRows(rows));
        }
        if !(1..=MAX_DEPTH).contains(&params.max_depth) {
            return Err(ParamError::Depth(params.max_depth));
        }
        if let Some(columns) = params.max_features
            && !(1..=MAX_FEATURES as u64).contains(&columns)
        {
            return Err(ParamError::Features(columns));
        }
        if !(1..=MAX_SAMPLES).contains(&params.min_samples_leaf) {
            return Err(ParamError::Leaf(params.min_samples_leaf));
        }
        Ok(params)
    }

    fn check(self) -> Result<Self::Checked, ParamError> {
        self.check_ref()?;
        Ok(self.0)
    }
}

impl RandomForestValidParams {
    /// Number of trees.
    pub fn n_estimators(&self) -> u64 {
        self.n_estimators
    }

    /// Which rows are kept, with the seed of every random choice.
    pub fn sampling(&self) -> Sampling {
        self.sampling
    }

    /// Height limit.
    pub fn max_depth(&self) -> u64 {
        self.max_depth
    }

    /// Columns tried per node, where the user chose.
    pub fn max_features(&self) -> Option<u64> {
        self.max_features
    }

    /// Fewest rows of a leaf.
    pub fn min_samples_leaf(&self) -> u64 {
        self.min_samples_leaf
    }

    /// Columns tried per node, of rows with `columns` columns.
    pub(super) fn cut_features(&self, columns: usize) -> u64 {
        let columns = columns as u64;
        self.max_features.unwrap_or(columns.isqrt().max(1)).min(columns)
    }
}
