use super::*;

fn scores(rows: &[(f64, f64)]) -> Scores {
    let mut scores = Scores::default();
    for &(label, score) in rows {
        scores.push(label, score).unwrap();
    }
    scores
}

fn numbers(list: &str) -> Vec<f64> {
    list.split(' ').map(|number| number.parse().unwrap()).collect()
}

/// `tests/fixtures/metrics.csv` is written by `tests/fixtures/metrics.py` with scikit-learn.
#[test]
fn values_equal_those_of_scikit_learn() {
    let cases = include_str!("../../../tests/fixtures/metrics.csv");
    assert!(cases.lines().count() > 10);
    for case in cases.lines().skip(1) {
        let cells: Vec<&str> = case.split(',').collect();
        let [name, labels, values, predicted, expected @ ..] = cells.as_slice() else {
            panic!("not a case: {case}");
        };
        assert_eq!(expected.len(), 5, "{name}");
        let (labels, predicted) = (numbers(labels), numbers(predicted));
        let rows: Vec<_> = labels.iter().copied().zip(numbers(values)).collect();
        let mut scores = scores(&rows);
        let mut confusion = Confusion::default();
        for (label, predicted) in labels.iter().zip(&predicted) {
            confusion.merge(Confusion::of(*label, *predicted).unwrap());
        }
        let got = [
            scores.roc_auc(),
            scores.average_precision(),
            confusion.precision(),
            confusion.recall(),
            confusion.f1_score(),
        ];
        for (got, expected) in got.into_iter().zip(expected) {
            // scikit-learn calls a metric undefined with a warning; here it is None.
            let expected = expected.parse::<f64>().ok();
            let near = match (got, expected) {
                (Some(got), Some(expected)) => (got - expected).abs() <= 1e-12,
                (got, expected) => got == expected,
            };
            assert!(near, "{name}: got {got:?}, expected {expected:?}");
        }
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
