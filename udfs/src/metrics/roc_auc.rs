//! Area under the receiver operating characteristic curve.

/// The probability that a random positive has a larger score than a random negative, ties
/// counting one half: the Mann-Whitney U statistic over the number of pairs, which is the area
/// under the ROC curve (Hanley, McNeil 1982; Fawcett 2006, section 7). In [0, 1]; 0.5 for scores
/// that say nothing. None where one of the classes is missing.
///
/// Both slices are ascending and free of NaN. Counted in integers, so exact up to the rounding
/// of the result. O(n).
pub fn roc_auc(positives: &[f64], negatives: &[f64]) -> Option<f64> {
    if positives.is_empty() || negatives.is_empty() {
        return None;
    }
    // Twice the number of pairs won, so that a tie is an integer too.
    let mut won = 0_u128;
    // Negatives below the current positive, and those not above it.
    let (mut below, mut up_to) = (0, 0);
    for positive in positives {
        while below < negatives.len() && negatives[below] < *positive {
            below += 1;
        }
        up_to = up_to.max(below);
        while up_to < negatives.len() && negatives[up_to] <= *positive {
            up_to += 1;
        }
        won += (below + up_to) as u128;
    }
    let pairs = positives.len() as u128 * negatives.len() as u128;
    Some(won as f64 / (2 * pairs) as f64)
}
