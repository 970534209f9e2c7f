//! What the user may choose.

use linfa::ParamGuard;
use serde::{Deserialize, Serialize};

use super::error::ParamError;

/// Most trees of a forest.
pub const MAX_ESTIMATORS: u64 = 10_000;
/// Most rows kept for training: `n_estimators` x `max_samples`.
pub const MAX_SAMPLE_ROWS: u64 = 1 << 24;
/// Highest tree. Random trees over the largest sample are on average half as high.
pub const MAX_DEPTH: u64 = 64;

/// Hyperparameters not checked yet. Starts with the defaults; see [`Self::check`](ParamGuard).
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct IsolationForestParams(IsolationForestValidParams);

/// Hyperparameters within their ranges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IsolationForestValidParams {
    n_estimators: u64,
    max_samples: u64,
    #[serde(deserialize_with = "Option::deserialize")]
    max_depth: Option<u64>,
    seed: u64,
}

impl Default for IsolationForestParams {
    fn default() -> Self {
        Self(IsolationForestValidParams {
            n_estimators: 100,
            max_samples: 256,
            max_depth: None,
            seed: 42,
        })
    }
}

impl IsolationForestParams {
    /// Number of trees, 1 to [`MAX_ESTIMATORS`]. Default 100.
    pub fn n_estimators(mut self, trees: u64) -> Self {
        self.0.n_estimators = trees;
        self
    }

    /// Rows that each tree is grown on, from 2. Default 256. Fewer rows are all used.
    pub fn max_samples(mut self, rows: u64) -> Self {
        self.0.max_samples = rows;
        self
    }

    /// Height limit, 1 to [`MAX_DEPTH`]. Default: log2 of the rows per tree, rounded up.
    pub fn max_depth(mut self, depth: Option<u64>) -> Self {
        self.0.max_depth = depth;
        self
    }

    /// Seed of every random choice. Default 42.
    pub fn seed(mut self, seed: u64) -> Self {
        self.0.seed = seed;
        self
    }
}

impl ParamGuard for IsolationForestParams {
    type Checked = IsolationForestValidParams;
    type Error = ParamError;

    fn check_ref(&self) -> Result<&Self::Checked, ParamError> {
        let params = &self.0;
        if !(1..=MAX_ESTIMATORS).contains(&params.n_estimators) {
            return Err(ParamError::Estimators(params.n_estimators));
        }
        if !(2..=MAX_SAMPLE_ROWS).contains(&params.max_samples) {
            return Err(ParamError::Samples(params.max_samples));
        }
        // Cannot overflow: both factors have just been bounded.
        let rows = params.n_estimators * params.max_samples;
        if rows > MAX_SAMPLE_ROWS {
            return Err(ParamError::SampleRows(rows));
        }
        if let Some(depth) = params.max_depth
            && !(1..=MAX_DEPTH).contains(&depth)
        {
            return Err(ParamError::Depth(depth));
        }
        Ok(params)
    }

    fn check(self) -> Result<Self::Checked, ParamError> {
        self.check_ref()?;
        Ok(self.0)
    }
}

impl IsolationForestValidParams {
    /// Number of trees.
    pub fn n_estimators(&self) -> u64 {
        self.n_estimators
    }

    /// Most rows that a tree is grown on.
    pub fn max_samples(&self) -> u64 {
        self.max_samples
    }

    /// Height limit, where the user chose one.
    pub fn max_depth(&self) -> Option<u64> {
        self.max_depth
    }

    /// Seed of every random choice.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Height limit of trees grown on `rows` rows: the chosen one, or the average height of a
    /// binary tree with a leaf per row (section 4.1 of the paper).
    pub(in crate::detectors) fn height_limit(&self, rows: u64) -> u64 {
        self.max_depth
            .unwrap_or_else(|| u64::from(rows.max(1).next_power_of_two().trailing_zeros()))
    }
}
