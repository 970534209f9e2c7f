//! What a detector finds at each threshold, and two metrics that read it off.

/// The counts where every score from `score` up is called an anomaly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Threshold {
    pub(super) score: f64,
    pub(super) true_positives: usize,
    pub(super) false_positives: usize,
}

/// One threshold for each distinct score, from the largest down. Both slices are ascending and
/// free of NaN. O(n).
pub(super) fn thresholds<'a>(
    mut positives: &'a [f64],
    mut negatives: &'a [f64],
) -> impl Iterator<Item = Threshold> + 'a {
    let (all_positives, all_negatives) = (positives.len(), negatives.len());
    std::iter::from_fn(move || {
        let score = match (positives.last(), negatives.last()) {
            (Some(positive), Some(negative)) => positive.max(*negative),
            (Some(only), None) | (None, Some(only)) => *only,
            (None, None) => return None,
        };
        for scores in [&mut positives, &mut negatives] {
            while let Some((last, rest)) = scores.split_last()
                && *last == score
            {
                *scores = rest;
            }
        }
        Some(Threshold {
            score,
            true_positives: all_positives - positives.len(),
            false_positives: all_negatives - negatives.len(),
        })
    })
}

/// The share of positives among the `k` largest scores, in [0, 1]. Where scores tie at the k-th
/// place, the expected share when the tied rows are put in random order: each of them counts by
/// the chance to be among the k (McSherry, Najork 2008). All rows where there are fewer than `k`.
/// None for no rows or a `k` of 0.
///
/// Both slices are ascending and free of NaN. O(n).
pub fn precision_at_k(positives: &[f64], negatives: &[f64], k: u64) -> Option<f64> {
    let rows = positives.len() + negatives.len();
    let k = usize::try_from(k).unwrap_or(usize::MAX).min(rows);
    let (mut above, mut positives_above) = (0, 0);
    for threshold in thresholds(positives, negatives) {
        let (found, up_to) =
            (threshold.true_positives, threshold.true_positives + threshold.false_positives);
        if up_to >= k && k > 0 {
            // Of the tied rows, `places` are among the k: the expected number of positives there,
            // as a fraction of integers so that only the last division rounds.
            let (ties, places) = ((up_to - above) as u128, (k - above) as u128);
            let positive_ties = (found - positives_above) as u128;
            let expected = positives_above as u128 * ties + places * positive_ties;
            return Some(expected as f64 / (ties * k as u128) as f64);
        }
        (above, positives_above) = (up_to, found);
    }
    None
}

/// The largest true positive rate among the thresholds whose false positive rate is at most
/// `fpr`, in [0, 1]: a point that a threshold reaches, nothing interpolated. 0 where even the
/// largest score has too many false positives. None where one of the classes is missing.
///
/// Both slices are ascending and free of NaN. O(n).
pub fn recall_at_fpr(positives: &[f64], negatives: &[f64], fpr: f64) -> Option<f64> {
    if positives.is_empty() || negatives.is_empty() {
        return None;
    }
    let found = thresholds(positives, negatives)
        .take_while(|at| at.false_positives as f64 / negatives.len() as f64 <= fpr)
        .last()
        .map_or(0, |at| at.true_positives);
    Some(found as f64 / positives.len() as f64)
}
