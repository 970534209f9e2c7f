//! The confusion counts, and the metrics made from them.

use super::{MetricError, binary};

/// How often predictions were right and wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Confusion {
    /// Anomalies that were predicted.
    pub true_positives: u64,
    /// Predictions of an anomaly where there was none.
    pub false_positives: u64,
    /// Anomalies that were missed.
    pub false_negatives: u64,
    /// Rows that are no anomaly, where none was predicted.
    pub true_negatives: u64,
}

impl Confusion {
    /// The counts of one row: its label and what was predicted, 1 or 0 each.
    pub fn of(label: f64, predicted: f64) -> Result<Self, MetricError> {
        let label = binary("label", label)?;
        let predicted = binary("predicted", predicted)?;
        Ok(Self {
            true_positives: u64::from(label && predicted),
            false_positives: u64::from(!label && predicted),
            false_negatives: u64::from(label && !predicted),
            true_negatives: u64::from(!label && !predicted),
        })
    }

    /// Adds other counts.
    pub fn merge(&mut self, other: Self) {
        self.true_positives += other.true_positives;
        self.false_positives += other.false_positives;
        self.false_negatives += other.false_negatives;
        self.true_negatives += other.true_negatives;
    }

    /// Takes back counts that were added before.
    pub fn retract(&mut self, other: Self) {
        self.true_positives -= other.true_positives;
        self.false_positives -= other.false_positives;
        self.false_negatives -= other.false_negatives;
        self.true_negatives -= other.true_negatives;
    }

    /// Share of predictions that were right, in [0, 1]; None where nothing was predicted.
    pub fn precision(&self) -> Option<f64> {
        ratio(self.true_positives, self.true_positives + self.false_positives)
    }

    /// Share of anomalies that were predicted, in [0, 1]; None where there is no anomaly.
    pub fn recall(&self) -> Option<f64> {
        ratio(self.true_positives, self.true_positives + self.false_negatives)
    }

    /// Harmonic mean of precision and recall, in [0, 1]; None where there is neither an anomaly
    /// nor a prediction (van Rijsbergen 1979, chapter 7).
    pub fn f1_score(&self) -> Option<f64> {
        let right = 2 * self.true_positives;
        ratio(right, right + self.false_positives + self.false_negatives)
    }

    /// Matthews' correlation between labels and predictions, in [-1, 1]; 0 where one of them is
    /// always the same (the limit; Chicco, Jurman 2020). None for no rows (Matthews 1975).
    pub fn matthews_corrcoef(&self) -> Option<f64> {
        let [tp, fp, fn_, tn] =
            [self.true_positives, self.false_positives, self.false_negatives, self.true_negatives]
                .map(u128::from);
        if tp + fp + fn_ + tn == 0 {
            return None;
        }
        // In these pairs both factors are equal for predictions that are all right or all wrong,
        // and the root of a square is exact: they give exactly 1 and -1.
        let spread = ((tp + fp) * (tn + fn_)) as f64 * ((tp + fn_) * (tn + fp)) as f64;
        let spread = spread.sqrt();
        let (right, wrong) = (tp * tn, fp * fn_);
        let sign = if right < wrong { -1.0 } else { 1.0 };
        let correlation = sign * right.abs_diff(wrong) as f64 / spread;
        Some(if spread > 0.0 { correlation.clamp(-1.0, 1.0) } else { 0.0 })
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
