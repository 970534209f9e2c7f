//! Average precision: the area under the precision-recall curve as a step function.

use super::sum::CompensatedSum;

/// The mean precision at the score of each positive: sum over thresholds, from the largest score
/// down, of (recall - previous recall) x precision, without interpolation (Zhu 2004; as
/// `average_precision_score` of scikit-learn). In (0, 1]; the share of positives is what scores
/// that say nothing give. None where there is no positive.
///
/// Both slices are ascending and free of NaN. O(n).
pub fn average_precision(positives: &[f64], negatives: &[f64]) -> Option<f64> {
    if positives.is_empty() {
        return None;
    }
    let mut sum = CompensatedSum::default();
    let mut negatives_left = negatives.len();
    let mut positives_left = positives.len();
    while let Some(threshold) = positives[..positives_left].last() {
        let ties = positives[..positives_left].iter().rev().take_while(|p| *p == threshold).count();
        positives_left -= ties;
        while negatives_left > 0 && negatives[negatives_left - 1] >= *threshold {
            negatives_left -= 1;
        }
        let true_positives = positives.len() - positives_left;
        let false_positives = negatives.len() - negatives_left;
        let precision = true_positives as f64 / (true_positives + false_positives) as f64;
        sum.add(ties as f64 * precision);
    }
    Some(sum.total() / positives.len() as f64)
}
