use linfa::ParamGuard;
use ndarray::{Array2, Axis, array};

use super::*;
use crate::detectors::laws::{assert_classifier, table, usual};
use crate::detectors::training::LabelError;
use crate::detectors::wire::Reader;

fn params() -> LogisticRegressionParams {
    LogisticRegression::params()
}

#[test]
fn ranges_are_checked() {
    let error = |params: LogisticRegressionParams| params.check().unwrap_err().to_string();
    for l2 in [0.0, -1.0, f64::NAN, 2e6] {
        let expected = format!("`l2` must be between 0.000001 and 1000000, got {l2}");
        assert_eq!(error(params().l2(l2)), expected);
    }
    assert_eq!(
        error(params().max_iterations(0)),
        "`max_iterations` must be between 1 and 100000, got 0"
    );
    assert_eq!(
        error(params().sampling(Sampling { max_samples: 1, seed: 1 })),
        "`max_samples` must be between 2 and 1048576, got 1"
    );
}

/// See tests/fixtures/detectors/logistic_regression.py.
#[test]
fn weights_and_probabilities_are_those_of_scikit_learn() {
    let fixture =
        table(include_str!("../../../../tests/fixtures/detectors/logistic_regression.csv"));
    let (rows, solutions) = fixture.view().split_at(Axis(0), fixture.nrows() - 2);
    let records = rows.split_at(Axis(1), 3).0;
    let labels: Vec<bool> = rows.column(3).iter().map(|label| *label == 1.0).collect();
    for (at, l2) in [1.0, 100.0].into_iter().enumerate() {
        let model = params().l2(l2).check().unwrap().fit(records, &labels).unwrap();
        let close = |found: f64, expected: f64| {
            assert!((found - expected).abs() < 1e-6, "l2 {l2}: {found}, not {expected}");
        };
        for (weight, expected) in model.weights().iter().zip(solutions.row(at)) {
            close(*weight, *expected);
        }
        close(model.intercept(), solutions[[at, 4]]);
        for (score, expected) in model.scores(records).into_iter().zip(rows.column(4 + at)) {
            close(score, *expected);
        }
        // The other class may be the larger one.
        let inverse: Vec<bool> = labels.iter().map(|label| !label).collect();
        let inverted = params().l2(l2).check().unwrap().fit(records, &inverse).unwrap();
        for (score, expected) in inverted.scores(records).into_iter().zip(rows.column(4 + at)) {
            close(score, 1.0 - *expected);
        }
    }
}

#[test]
fn what_cannot_be_fitted_is_an_error() {
    let hyperparameters = params().check().unwrap();
    let error = |labels: &[bool]| {
        let rows = Array2::ones((labels.len(), 1));
        Hyperparameters::fit(&hyperparameters, rows.view(), Some(labels)).unwrap_err().to_string()
    };
    assert_eq!(
        error(&[false, false]),
        "the labels of all 2 rows of the sample are false; hint: a classifier needs both classes: \
         raise `max_samples`, or select more of the rare class"
    );
    assert_eq!(error(&[true]), LabelError::OneClass(1, true).to_string());
    let rows = Array2::ones((2, 1));
    assert!(Hyperparameters::fit(&hyperparameters, rows.view(), None).is_err());
    for shape in [(2, 0), (3, 1)] {
        let rows = Array2::ones(shape);
        let error = hyperparameters.fit(rows.view(), &[true, false]).unwrap_err().to_string();
        assert!(error.starts_with("a regression needs rows of at least 1 column"), "{error}");
    }
    let rows = usual(300);
    let labels: Vec<bool> = (0..300).map(|row| row % 7 == 1).collect();
    let hasty = params().max_iterations(1).l2(1e-6).check().unwrap();
    assert_eq!(
        hasty.fit(rows.view(), &labels).unwrap_err().to_string(),
        "the weights were not found within `max_iterations` = 1; hint: raise `max_iterations` or \
         `l2`"
    );
}

/// With columns that say nothing, the probability is the share of anomalies.
#[test]
fn constant_columns_give_the_share_of_anomalies() {
    let rows = array![[7.0, f64::NAN], [7.0, f64::NAN], [7.0, f64::NAN], [7.0, f64::NAN]];
    let model = params().check().unwrap().fit(rows.view(), &[true, false, false, false]).unwrap();
    assert_eq!(model.weights(), [0.0, 0.0]);
    assert!(model.scores(rows.view()).iter().all(|score| (score - 0.25).abs() < 1e-6));
}

/// Classes that a plane separates have a solution, however weak the regularisation.
#[test]
fn separable_classes_are_separated() {
    let rows = Array2::from_shape_fn((100, 2), |(row, column)| [row as f64, 1.0][column]);
    let labels: Vec<bool> = (0..100).map(|row| row >= 90).collect();
    for l2 in [1e-6, 1e-3, 1.0] {
        let model = params().l2(l2).check().unwrap().fit(rows.view(), &labels).unwrap();
        let scores = model.scores(rows.view());
        assert!(scores[89] < scores[90] && scores[80] < 0.5 && scores[99] > 0.5, "{scores:?}");
    }
}

/// By hand: intercept 0, weight 2, mean 1, deviation 2. A value of 3 is 1 when scaled, its log odds
/// are 2, its probability 1 / (1 + e^-2) = 0.880797.
#[test]
fn a_hand_built_model_scores_as_computed_by_hand() {
    let mut bytes = vec![];
    params().check().unwrap().encode(&mut bytes);
    for number in [1.0_f64, 5.0, 2.0, 1.0, 0.0, 2.0, -1.0] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    let model = decode(Reader::new(&bytes), 2).unwrap();
    let rows = array![[3.0, 5.0], [f64::NAN, f64::NAN], [f64::INFINITY, 5.0], [3.0, 6.0]];
    let scores = model.scores(rows.view());
    assert!((scores[0] - 0.880_797_077_977_882_3).abs() < 1e-15);
    assert_eq!(scores[1..3], [0.5, 1.0]);
    // Log odds 2 - 1 = 1: the terms share 0.731059 - 0.5 as 2 to -1.
    let found = model.attribute(rows.view());
    assert_eq!(found.bases, [0.5; 4]);
    let gain = 0.731_058_578_630_004_9 - 0.5;
    assert!((found.contributions[[3, 0]] - 2.0 * gain).abs() < 1e-15);
    assert!((found.contributions[[3, 1]] + gain).abs() < 1e-15);

    let mut again = vec![];
    model.encode(&mut again);
    assert_eq!(again, bytes);
}

/// Changes only with the format. Weights hang on the processor's arithmetic, these do not.
#[test]
fn golden_encoding() {
    let scaler = Scaler::standard(usual(500).view());
    let params = params().check().unwrap();
    let model =
        LogisticRegression { params, scaler, intercept: -1.5, weights: vec![0.25, -3.0, 1e-3] };
    let mut bytes = vec![];
    model.encode(&mut bytes);
    assert_eq!(
        format!("{:032x}", twox_hash::XxHash3_128::oneshot(&bytes)),
        "6ec61c2fcd9af3bd527a75d29651afc7"
    );
}

#[test]
fn it_is_a_detector() {
    assert_classifier(&params().check().unwrap());
}
