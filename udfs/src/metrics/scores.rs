//! The state of the metrics that rank scores.

use super::{
    MetricError, PrPoint, RocPoint, Samples, average_precision, binary, pr_curve, precision_at_k,
    recall_at_fpr, roc_auc, roc_curve,
};

/// The scores of positives (the first sample) and of negatives.
#[derive(Debug, Clone, Default)]
pub struct Scores(Samples);

impl Scores {
    /// Adds a row: its label (1 is an anomaly, 0 is not) and its score.
    pub fn push(&mut self, label: f64, score: f64) -> Result<(), MetricError> {
        if score.is_nan() {
            return Err(MetricError::NanScore);
        }
        self.0.push(binary("label", label)?, score);
        Ok(())
    }

    /// The scores, to merge and to send.
    pub fn samples(&mut self) -> &mut Samples {
        &mut self.0
    }

    /// Bytes held on the heap.
    pub fn heap_size(&self) -> usize {
        self.0.heap_size()
    }

    /// Area under the ROC curve; see [`roc_auc()`].
    pub fn roc_auc(&mut self) -> Option<f64> {
        let [positives, negatives] = self.0.sorted();
        roc_auc(positives, negatives)
    }

    /// Average precision; see [`average_precision()`].
    pub fn average_precision(&mut self) -> Option<f64> {
        let [positives, negatives] = self.0.sorted();
        average_precision(positives, negatives)
    }

    /// Precision of the `k` largest scores; see [`precision_at_k()`].
    pub fn precision_at_k(&mut self, k: u64) -> Option<f64> {
        let [positives, negatives] = self.0.sorted();
        precision_at_k(positives, negatives, k)
    }

    /// Recall at a false positive rate; see [`recall_at_fpr()`].
    pub fn recall_at_fpr(&mut self, fpr: f64) -> Option<f64> {
        let [positives, negatives] = self.0.sorted();
        recall_at_fpr(positives, negatives, fpr)
    }

    /// ROC curve; see [`roc_curve()`].
    pub fn roc_curve(&mut self, points: u64) -> Option<Vec<RocPoint>> {
        let [positives, negatives] = self.0.sorted();
        roc_curve(positives, negatives, points)
    }

    /// Precision-recall curve; see [`pr_curve()`].
    pub fn pr_curve(&mut self, points: u64) -> Option<Vec<PrPoint>> {
        let [positives, negatives] = self.0.sorted();
        pr_curve(positives, negatives, points)
    }
}
