//! What the user may choose.

use linfa::ParamGuard;
use serde::{Deserialize, Serialize};

use super::error::ParamError;
use crate::detectors::isolation_forest::{IsolationForestParams, IsolationForestValidParams};
use crate::detectors::signature::MAX_FEATURES;

/// Most columns of all cuts together, 10 bytes each: `n_estimators` x rows per tree x columns of a
/// cut.
pub const MAX_TERMS: u64 = 1 << 22;

/// Hyperparameters not checked yet. Starts with the defaults; see [`Self::check`].
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtendedIsolationForestParams {
    #[serde(flatten)]
    forest: IsolationForestParams,
    #[serde(deserialize_with = "Option::deserialize")]
    extension_level: Option<u64>,
}

/// Hyperparameters within their ranges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ExtendedIsolationForestParams")]
pub struct ExtendedIsolationForestValidParams {
    #[serde(flatten)]
    forest: IsolationForestValidParams,
    extension_level: Option<u64>,
}

impl TryFrom<ExtendedIsolationForestParams> for ExtendedIsolationForestValidParams {
    type Error = ParamError;

    fn try_from(params: ExtendedIsolationForestParams) -> Result<Self, ParamError> {
        params.check()
    }
}

impl ExtendedIsolationForestParams {
    /// What an isolation forest has, too: trees, rows per tree, height limit, seed.
    pub fn forest(mut self, forest: IsolationForestParams) -> Self {
        self.forest = forest;
        self
    }

    /// Columns of a cut but one: from 0, cuts along the axes, to the number of columns less 1,
    /// which is the default.
    pub fn extension_level(mut self, level: Option<u64>) -> Self {
        self.extension_level = level;
        self
    }

    /// Checks the ranges.
    pub fn check(self) -> Result<ExtendedIsolationForestValidParams, ParamError> {
        ExtendedIsolationForestValidParams::new(self.forest.check()?, self.extension_level)
    }
}

impl ExtendedIsolationForestValidParams {
    pub(super) fn new(
        forest: IsolationForestValidParams,
        extension_level: Option<u64>,
    ) -> Result<Self, ParamError> {
        match extension_level {
            Some(level) if level >= MAX_FEATURES as u64 => Err(ParamError::Level(level)),
            extension_level => Ok(Self { forest, extension_level }),
        }
    }

    /// What an isolation forest has, too.
    pub fn forest(&self) -> &IsolationForestValidParams {
        &self.forest
    }

    /// Columns of a cut but one, where the user chose it.
    pub fn extension_level(&self) -> Option<u64> {
        self.extension_level
    }

    /// Columns of a cut but one, of rows with `columns` columns.
    pub(super) fn level(&self, columns: usize) -> u64 {
        self.extension_level.unwrap_or((columns as u64).saturating_sub(1))
    }
}
