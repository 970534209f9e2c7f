//! The state of the metrics that rank scores.

use super::{MetricError, average_precision, binary, roc_auc};

/// The scores of positives and negatives: 8 bytes a row, nothing approximated.
#[derive(Debug, Clone, Default)]
pub struct Scores {
    positives: Vec<f64>,
    negatives: Vec<f64>,
}

impl Scores {
    /// Adds a row: its label (1 is an anomaly, 0 is not) and its score.
    pub fn push(&mut self, label: f64, score: f64) -> Result<(), MetricError> {
        if score.is_nan() {
            return Err(MetricError::NanScore);
        }
        let scores =
            if binary("label", label)? { &mut self.positives } else { &mut self.negatives };
        // -0 and 0 are equal scores; adding 0 gives both the same bits.
        scores.push(score + 0.0);
        Ok(())
    }

    /// Adds the scores of another state.
    pub fn merge(&mut self, positives: &[f64], negatives: &[f64]) {
        self.positives.extend_from_slice(positives);
        self.negatives.extend_from_slice(negatives);
    }

    /// Gives up the scores of positives and of negatives, each ascending: a later sort of merged
    /// states finds these runs and only interleaves them.
    pub fn take_sorted(&mut self) -> (Vec<f64>, Vec<f64>) {
        self.sort();
        (std::mem::take(&mut self.positives), std::mem::take(&mut self.negatives))
    }

    /// Area under the ROC curve; see [`roc_auc()`].
    pub fn roc_auc(&mut self) -> Option<f64> {
        self.sort();
        roc_auc(&self.positives, &self.negatives)
    }

    /// Average precision; see [`average_precision()`].
    pub fn average_precision(&mut self) -> Option<f64> {
        self.sort();
        average_precision(&self.positives, &self.negatives)
    }

    /// Bytes held on the heap.
    pub fn heap_size(&self) -> usize {
        (self.positives.capacity() + self.negatives.capacity()) * size_of::<f64>()
    }

    /// Sorts in place: the order of rows means nothing, so that a state stays usable.
    fn sort(&mut self) {
        self.positives.sort_by(f64::total_cmp);
        self.negatives.sort_by(f64::total_cmp);
    }
}
