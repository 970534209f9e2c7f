//! Mean losses of probabilities, summed exactly enough that no order of rows changes a bit.

use std::fmt::Debug;
use std::marker::PhantomData;

use super::{MetricError, binary};

/// What a probability costs under a label.
pub trait Loss: Debug + Default + Send + Sync + 'static {
    /// The loss of one row, in [0, 64).
    fn of(label: bool, probability: f64) -> f64;
}

/// Minus the logarithm of the probability that was given to the label, as `log_loss` of
/// scikit-learn: that probability is clipped to [e, 1 - e] with e = 2^-52, so that a loss is at
/// most 36.04.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogLoss;

impl Loss for LogLoss {
    fn of(label: bool, probability: f64) -> f64 {
        let given = if label { probability } else { 1.0 - probability };
        -libm::log(given.clamp(f64::EPSILON, 1.0 - f64::EPSILON))
    }
}

/// The squared difference between the probability and the label (Brier 1950).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BrierScore;

impl Loss for BrierScore {
    fn of(label: bool, probability: f64) -> f64 {
        let difference = probability - f64::from(u8::from(label));
        difference * difference
    }
}

/// The mean of a loss over rows.
///
/// Each loss is rounded to a multiple of 2^-80 and added as an integer, so addition is exact,
/// commutes, associates and can be taken back. The mean is off by at most 2^-81 (4e-25) beside
/// the rounding of the losses themselves. Room for 2^42 (4 x 10^12) rows of the largest loss.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MeanLoss<L> {
    rows: u64,
    /// In units of 2^-80.
    sum: u128,
    loss: PhantomData<L>,
}

/// 2^80.
const UNITS: f64 = (1_u128 << 80) as f64;

impl<L: Loss> MeanLoss<L> {
    /// The state of one row: its label (1 or 0) and the probability that it is 1.
    pub fn of(label: f64, probability: f64) -> Result<Self, MetricError> {
        let label = binary("label", label)?;
        if !(0.0..=1.0).contains(&probability) {
            return Err(MetricError::NotProbability { value: probability });
        }
        // Scaling by a power of two is exact; the cast drops less than one unit.
        let sum = (L::of(label, probability) * UNITS + 0.5) as u128;
        Ok(Self::from_parts(1, sum))
    }

    /// A state from its number of rows and its sum in units of 2^-80.
    pub fn from_parts(rows: u64, sum: u128) -> Self {
        Self { rows, sum, loss: PhantomData }
    }

    /// The number of rows, and the sum in units of 2^-80.
    pub fn parts(&self) -> (u64, u128) {
        (self.rows, self.sum)
    }

    /// Adds another state.
    pub fn merge(&mut self, other: Self) {
        self.rows = self.rows.wrapping_add(other.rows);
        self.sum = self.sum.wrapping_add(other.sum);
    }

    /// Takes back a state that was added before.
    pub fn retract(&mut self, other: Self) {
        self.rows = self.rows.wrapping_sub(other.rows);
        self.sum = self.sum.wrapping_sub(other.sum);
    }

    /// The mean; None for no rows.
    pub fn mean(&self) -> Option<f64> {
        (self.rows > 0).then(|| self.sum as f64 / UNITS / self.rows as f64)
    }
}
