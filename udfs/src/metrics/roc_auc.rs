//! Area under the receiver operating characteristic curve.

use std::cmp::Ordering;

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
    // Negatives below the current positive, and negatives up to it.
    let (mut below, mut up_to) = (0, 0);
    for positive in positives {
        let advance = |mut count: usize, while_ordering: fn(Ordering) -> bool| {
            while negatives
                .get(count)
                .is_some_and(|n| while_ordering(n.total_cmp(positive)))
            {
                count += 1;
            }
            count
        };
        below = advance(below, Ordering::is_lt);
        up_to = advance(up_to.max(below), Ordering::is_le);
        won += (below + up_to) as u128;
    }
    let pairs = positives.len() as u128 * negatives.len() as u128;
    Some(won as f64 / (2 * pairs) as f64)
}
