use std::collections::BTreeMap;

use super::*;

fn scores(rows: &[(f64, f64)]) -> Scores {
    let mut scores = Scores::default();
    for &(label, score) in rows {
        scores.push(label, score).unwrap();
    }
    scores
}

/// A table written by one of the scripts in `tests/fixtures`: the cells by their column.
pub(super) fn cases(table: &str) -> Vec<BTreeMap<&str, &str>> {
    let mut lines = table.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let columns = lines.next().unwrap();
    let cases: Vec<_> = lines
        .map(|cells| {
            assert_eq!(cells.len(), columns.len(), "{cells:?}");
            columns.iter().copied().zip(cells).collect()
        })
        .collect();
    assert!(cases.len() > 10);
    cases
}

pub(super) fn numbers(list: &str) -> Vec<f64> {
    list.split(' ').map(|number| number.parse().unwrap()).collect()
}

/// Checks a value against a cell of a case: equal to 1e-12, relative where it is above 1.
pub(super) fn assert_near(case: &BTreeMap<&str, &str>, column: &str, got: Option<f64>) {
    // scikit-learn calls a metric undefined with a warning; here it is None.
    let expected = case[column].parse::<f64>().ok();
    let near = match (got, expected) {
        (Some(got), Some(expected)) => {
            (got - expected).abs() <= 1e-12 * expected.abs().max(1.0) || got == expected
        }
        (got, expected) => got == expected,
    };
    assert!(near, "{}, {column}: got {got:?}, expected {expected:?}", case["case"]);
}

fn assert_all_near(case: &BTreeMap<&str, &str>, column: &str, got: Option<Vec<f64>>) {
    let expected = Some(case[column]).filter(|list| !list.is_empty()).map(numbers);
    let near = match (&got, &expected) {
        (Some(got), Some(expected)) => {
            got.len() == expected.len()
                && got.iter().zip(expected).all(|(a, b)| a == b || (a - b).abs() <= 1e-12)
        }
        (got, expected) => got == expected,
    };
    assert!(near, "{}, {column}: got {got:?}, expected {expected:?}", case["case"]);
}

/// `tests/fixtures/metrics.csv` is written by `tests/fixtures/metrics.py` with scikit-learn.
#[test]
fn values_equal_those_of_scikit_learn() {
    for case in &cases(include_str!("../../../tests/fixtures/metrics.csv")) {
        let [labels, values, predicted, probabilities] =
            ["labels", "scores", "predicted", "probabilities"].map(|column| numbers(case[column]));
        let rows: Vec<_> = labels.iter().copied().zip(values).collect();
        let mut scores = scores(&rows);
        assert_near(case, "roc_auc", scores.roc_auc());
        assert_near(case, "average_precision", scores.average_precision());
        for k in [1, 5, 17, 1000] {
            assert_near(case, &format!("precision_at_{k}"), scores.precision_at_k(k));
        }
        for fpr in [0.0, 0.01, 0.1, 0.5, 1.0] {
            assert_near(case, &format!("recall_at_{fpr:?}"), scores.recall_at_fpr(fpr));
        }
        let roc = scores.roc_curve(1000);
        let roc = |of: fn(&RocPoint) -> f64| roc.as_ref().map(|c| c.iter().map(of).collect());
        assert_all_near(case, "roc_threshold", roc(|point| point.threshold));
        assert_all_near(case, "roc_fpr", roc(|point| point.fpr));
        assert_all_near(case, "roc_tpr", roc(|point| point.tpr));
        let pr = scores.pr_curve(1000);
        let pr = |of: fn(&PrPoint) -> f64| pr.as_ref().map(|c| c.iter().map(of).collect());
        assert_all_near(case, "pr_threshold", pr(|point| point.threshold));
        assert_all_near(case, "pr_precision", pr(|point| point.precision));
        assert_all_near(case, "pr_recall", pr(|point| point.recall));

        let mut confusion = Confusion::default();
        let (mut log_loss, mut brier_score) = (MeanLoss::<LogLoss>::default(), MeanLoss::default());
        for row in 0..labels.len() {
            confusion.merge(Confusion::of(labels[row], predicted[row]).unwrap());
            log_loss.merge(MeanLoss::of(labels[row], probabilities[row]).unwrap());
            brier_score.merge(MeanLoss::<BrierScore>::of(labels[row], probabilities[row]).unwrap());
        }
        assert_near(case, "precision", confusion.precision());
        assert_near(case, "recall", confusion.recall());
        assert_near(case, "f1_score", confusion.f1_score());
        assert_near(case, "matthews_corrcoef", confusion.matthews_corrcoef());
        assert_near(case, "log_loss", log_loss.mean());
        assert_near(case, "brier_score", brier_score.mean());
        let counts = [
            confusion.true_positives,
            confusion.false_positives,
            confusion.false_negatives,
            confusion.true_negatives,
        ];
        assert_eq!(counts.map(|count| count.to_string()).join(" "), case["confusion"]);
    }
}

#[test]
fn roc_auc_of_ties_is_one_half() {
    assert_eq!(roc_auc(&[0.0, 0.0], &[0.0, 0.0, 0.0]), Some(0.5));
    assert_eq!(roc_auc(&[0.0, 1.0], &[0.0, 1.0]), Some(0.5));
}

#[test]
fn zeros_of_either_sign_are_one_score() {
    assert_eq!(scores(&[(1.0, -0.0), (0.0, 0.0)]).roc_auc(), Some(0.5));
    assert_eq!(scores(&[(1.0, 0.0), (0.0, -0.0)]).average_precision(), Some(0.5));
}

#[test]
fn infinite_scores_have_their_rank() {
    let mut scores = scores(&[(1.0, f64::INFINITY), (0.0, 1e300), (0.0, f64::NEG_INFINITY)]);
    assert_eq!((scores.roc_auc(), scores.average_precision()), (Some(1.0), Some(1.0)));
}

#[test]
fn undefined_is_none() {
    assert_eq!((roc_auc(&[], &[1.0]), roc_auc(&[1.0], &[])), (None, None));
    assert_eq!((average_precision(&[], &[1.0]), average_precision(&[1.0], &[])), (None, Some(1.0)));
    let nothing = Confusion::default();
    assert_eq!((nothing.precision(), nothing.recall(), nothing.f1_score()), (None, None, None));
    assert_eq!(nothing.matthews_corrcoef(), None);
    assert_eq!(MeanLoss::<LogLoss>::default().mean(), None);
    assert_eq!((precision_at_k(&[], &[], 3), precision_at_k(&[1.0], &[], 0)), (None, None));
    assert_eq!((recall_at_fpr(&[], &[1.0], 0.5), recall_at_fpr(&[1.0], &[], 0.5)), (None, None));
    assert_eq!((roc_curve(&[], &[1.0], 9), roc_curve(&[1.0], &[], 9)), (None, None));
    assert_eq!(pr_curve(&[], &[1.0], 9), None);
}

#[test]
fn labels_and_scores_are_checked() {
    let mut scores = Scores::default();
    assert_eq!(scores.push(1.0, f64::NAN), Err(MetricError::NanScore));
    let not_binary = |argument, value| MetricError::NotBinary { argument, value };
    assert_eq!(scores.push(2.0, 0.0), Err(not_binary("label", 2.0)));
    assert_eq!(Confusion::of(0.5, 0.0), Err(not_binary("label", 0.5)));
    assert_eq!(Confusion::of(1.0, -1.0), Err(not_binary("predicted", -1.0)));
}

#[test]
fn probabilities_are_checked() {
    for value in [-0.1, 1.1, f64::INFINITY] {
        assert_eq!(MeanLoss::<LogLoss>::of(1.0, value), Err(MetricError::NotProbability { value }));
    }
    assert!(MeanLoss::<BrierScore>::of(0.0, f64::NAN).is_err());
    assert!(MeanLoss::<BrierScore>::of(0.5, 0.5).is_err());
}

/// -ln(2^-52) = 52 ln 2, by hand.
#[test]
fn a_certain_error_costs_what_clipping_leaves() {
    let loss = |label, probability| MeanLoss::<LogLoss>::of(label, probability).unwrap().mean();
    let most = Some(52.0 * std::f64::consts::LN_2);
    assert_eq!((loss(1.0, 0.0), loss(0.0, 1.0), loss(1.0, 1e-300)), (most, most, most));
    // -ln(1 - 2^-52) is 2^-52 and a little: the least that a row costs.
    assert!((loss(1.0, 1.0).unwrap() - f64::EPSILON).abs() < 1e-24);
    assert_eq!(loss(0.0, 0.0), loss(1.0, 1.0));
}

/// Counts beyond the integers of f64, all right and all wrong.
#[test]
fn matthews_is_exact_at_its_ends() {
    let odd = (1 << 61) + 1;
    let right = Confusion { true_positives: 3, true_negatives: odd, ..Confusion::default() };
    let wrong = Confusion { false_positives: 7, false_negatives: odd, ..Confusion::default() };
    assert_eq!(right.matthews_corrcoef(), Some(1.0));
    assert_eq!(wrong.matthews_corrcoef(), Some(-1.0));
}

/// A ROC curve of 9000 rows with more than 1000 corners.
fn long_curve() -> (Vec<f64>, Vec<f64>) {
    let hash = |row: u64| row.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    let (mut positives, mut negatives) = (vec![], vec![]);
    for row in 0..9000_u64 {
        // Positives are more frequent among large scores.
        let side = if hash(row) % 9000 < row { &mut positives } else { &mut negatives };
        side.push(row as f64);
    }
    (positives, negatives)
}

/// The area under a list of points by trapezoids.
fn area(curve: &[RocPoint]) -> f64 {
    curve
        .windows(2)
        .map(|pair| (pair[1].fpr - pair[0].fpr) * (pair[0].tpr + pair[1].tpr) / 2.0)
        .sum()
}

#[test]
fn a_thinned_curve_keeps_its_ends_and_extremes_within_the_documented_error() {
    let (positives, negatives) = long_curve();
    let whole = roc_curve(&positives, &negatives, u64::MAX).unwrap();
    assert!(whole.len() > 1000, "{}", whole.len());
    let auc = roc_auc(&positives, &negatives).unwrap();
    assert!((area(&whole) - auc).abs() < 1e-12);
    let height = |point: &RocPoint| point.tpr - point.fpr;
    let highest = |curve: &[RocPoint]| curve.iter().map(height).max_by(f64::total_cmp);
    for points in [4, 10, 64, 400] {
        let thinned = roc_curve(&positives, &negatives, points).unwrap();
        assert!(thinned.len() as u64 <= points, "{points}: {}", thinned.len());
        assert_eq!((thinned.first(), thinned.last()), (whole.first(), whole.last()));
        assert_eq!(highest(&thinned), highest(&whole));
        let cells = (points / 4) as f64;
        assert!((area(&thinned) - auc).abs() <= 0.5 / cells, "{points}: {}", area(&thinned));
        for pair in thinned.windows(2) {
            let along = |point: &RocPoint| point.fpr + point.tpr;
            let dropped = whole.iter().any(|point| {
                pair[0].threshold > point.threshold && point.threshold > pair[1].threshold
            });
            assert!(!dropped || along(&pair[1]) - along(&pair[0]) <= 2.0 / cells + 1e-12);
        }
    }
    let whole = pr_curve(&positives, &negatives, u64::MAX).unwrap();
    let thinned = pr_curve(&positives, &negatives, 100).unwrap();
    let lowest = |curve: &[PrPoint]| curve.iter().map(|p| p.precision).min_by(f64::total_cmp);
    assert!(whole.len() > 1000 && thinned.len() <= 100);
    assert_eq!((thinned.first(), thinned.last()), (whole.first(), whole.last()));
    assert_eq!(lowest(&thinned), lowest(&whole));
}
