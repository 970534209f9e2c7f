//! The ROC and the precision-recall curve as lists of points that can be drawn and stored.

use std::collections::BTreeSet;

use super::thresholds::{Threshold, thresholds};

/// A point of the ROC curve: the rates where every score from `threshold` up is called an anomaly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RocPoint {
    /// The threshold; infinite at the start of the curve, where nothing is found.
    pub threshold: f64,
    /// False positive rate.
    pub fpr: f64,
    /// True positive rate: the recall.
    pub tpr: f64,
}

/// A point of the precision-recall curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PrPoint {
    /// The threshold; infinite at the start of the curve, where nothing is found.
    pub threshold: f64,
    /// Precision; 1 at the start.
    pub precision: f64,
    /// Recall.
    pub recall: f64,
}

/// The ROC curve from (0, 0) to (1, 1), thresholds falling. Points in the middle of two equal
/// steps are dropped (as `drop_intermediate` of scikit-learn), which changes nothing; then `thin`
/// leaves at most `points` (from 4), by cells of FPR + TPR and the extremes of TPR - FPR. None
/// where one of the classes is missing.
///
/// Each dropped point is, in FPR and TPR together, within 2 / floor(points / 4) of the kept points
/// before and after it, and the area under the curve changes by at most half of 1 / floor(points
/// / 4): a cell is as wide, and the curve rises.
///
/// Both slices are ascending and free of NaN. O(n).
pub fn roc_curve(positives: &[f64], negatives: &[f64], points: u64) -> Option<Vec<RocPoint>> {
    if positives.is_empty() || negatives.is_empty() {
        return None;
    }
    let corners = corners(thresholds(positives, negatives), |before, at, after| {
        let steps =
            |count: fn(&Threshold) -> usize| count(at) - count(before) == count(after) - count(at);
        steps(|at| at.true_positives) && steps(|at| at.false_positives)
    });
    let mut curve = vec![RocPoint { threshold: f64::INFINITY, fpr: 0.0, tpr: 0.0 }];
    curve.extend(corners.iter().map(|at| RocPoint {
        threshold: at.score,
        fpr: at.false_positives as f64 / negatives.len() as f64,
        tpr: at.true_positives as f64 / positives.len() as f64,
    }));
    Some(thin(curve, points, |point| ((point.fpr + point.tpr) / 2.0, point.tpr - point.fpr)))
}

/// The precision-recall curve from recall 0, thresholds falling. Points between two others of the
/// same recall are dropped (as `drop_intermediate` of scikit-learn), which changes nothing; then
/// `thin` leaves at most `points` (from 4), by cells of recall and the extremes of precision.
/// None where there is no positive.
///
/// Each dropped point is within 1 / floor(points / 4) in recall of the kept points before and
/// after it, and its precision is between the smallest and the largest kept in its cell.
///
/// Both slices are ascending and free of NaN. O(n).
pub fn pr_curve(positives: &[f64], negatives: &[f64], points: u64) -> Option<Vec<PrPoint>> {
    if positives.is_empty() {
        return None;
    }
    let corners = corners(thresholds(positives, negatives), |before, at, after| {
        before.true_positives == at.true_positives && at.true_positives == after.true_positives
    });
    let mut curve = vec![PrPoint { threshold: f64::INFINITY, precision: 1.0, recall: 0.0 }];
    curve.extend(corners.iter().map(|at| PrPoint {
        threshold: at.score,
        precision: at.true_positives as f64 / (at.true_positives + at.false_positives) as f64,
        recall: at.true_positives as f64 / positives.len() as f64,
    }));
    Some(thin(curve, points, |point| (point.recall, point.precision)))
}

/// The thresholds without those that `is_inner` between their neighbours. The ends stay.
fn corners(
    thresholds: impl Iterator<Item = Threshold>,
    is_inner: fn(&Threshold, &Threshold, &Threshold) -> bool,
) -> Vec<Threshold> {
    let mut corners = vec![];
    let (mut before, mut at): (Option<Threshold>, Option<Threshold>) = (None, None);
    for after in thresholds {
        if let (Some(before), Some(at)) = (before, at)
            && is_inner(&before, &at, &after)
        {
            // Says nothing that its neighbours do not say.
        } else {
            corners.extend(at);
        }
        (before, at) = (at, Some(after));
    }
    corners.extend(at);
    corners
}

/// At most `points` of a curve: its range is cut into floor(points / 4) cells of equal width, and
/// each cell keeps its first, last, lowest and highest point (M4: Jugel and others 2014). `place`
/// gives how far along the curve a point is, rising in [0, 1], and its height.
fn thin<P: Copy>(curve: Vec<P>, points: u64, place: fn(&P) -> (f64, f64)) -> Vec<P> {
    if curve.len() as u64 <= points {
        return curve;
    }
    let cells = (points / 4).max(1);
    let cell = |point: &P| ((place(point).0 * cells as f64) as u64).min(cells - 1);
    let mut kept = vec![];
    for part in curve.chunk_by(|one, next| cell(one) == cell(next)) {
        let height = |at: &usize| place(&part[*at]).1;
        let lowest = (0..part.len()).min_by(|a, b| height(a).total_cmp(&height(b)));
        let highest = (0..part.len()).max_by(|a, b| height(a).total_cmp(&height(b)));
        let corners = [Some(0), lowest, highest, Some(part.len() - 1)];
        kept.extend(
            BTreeSet::from_iter(corners.into_iter().flatten()).into_iter().map(|at| part[at]),
        );
    }
    kept
}
