//! Which rows are kept, where that is all that is random.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::wire::{Reader, WireError};

/// How many rows are kept, and which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sampling {
    /// Most rows that are kept.
    pub max_samples: u64,
    /// Seed of the choice.
    pub seed: u64,
}

/// The number of rows is out of its range.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`max_samples` must be between 2 and {most}, got {got}")]
pub struct SamplingError {
    got: u64,
    most: u64,
}

impl Sampling {
    /// By default this many rows, and the seed of every training function.
    pub(super) const fn of(max_samples: u64) -> Self {
        Self { max_samples, seed: 42 }
    }

    pub(super) fn check(&self, most: u64) -> Result<(), SamplingError> {
        match (2..=most).contains(&self.max_samples) {
            true => Ok(()),
            false => Err(SamplingError { got: self.max_samples, most }),
        }
    }

    /// As options of a training function.
    pub(super) fn options(&self) -> [(&'static str, String); 2] {
        [("max_samples", self.max_samples.to_string()), ("seed", self.seed.to_string())]
    }

    /// Appends the canonical encoding: `max_samples u32 | seed u64`.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        // Fits: it has been checked.
        out.extend_from_slice(&(self.max_samples as u32).to_le_bytes());
        out.extend_from_slice(&self.seed.to_le_bytes());
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self { max_samples: reader.u32()?.into(), seed: reader.u64()? })
    }
}
