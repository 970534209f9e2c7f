use linfa::ParamGuard;
use ndarray::{Array2, Axis, array};

use super::*;
use crate::detectors::laws::{assert_classifier, golden_digest, labels, roc_auc, table, usual};
use crate::detectors::wire::Reader;

fn params() -> RandomForestParams {
    RandomForest::params()
}

fn fit(params: RandomForestParams, records: &Array2<f64>, labels: &[bool]) -> RandomForest {
    params.check().unwrap().fit(records.view(), labels).unwrap()
}

#[test]
fn ranges_are_checked() {
    let error = |params: RandomForestParams| params.check().unwrap_err().to_string();
    for (params, expected) in [
        (params().n_estimators(0), "`n_estimators` must be between 1 and 10000, got 0"),
        (params().sampling(Sampling::of(1)), "`max_samples` must be between 2 and 1048576, got 1"),
        (
            params().n_estimators(1000).sampling(Sampling::of(100_000)),
            "`n_estimators` x `max_samples` must not exceed 16777216 rows, got 100000000",
        ),
        (params().max_depth(65), "`max_depth` must be between 1 and 64, got 65"),
        (params().max_features(Some(0)), "`max_features` must be between 1 and 65535, got 0"),
        (params().min_samples_leaf(0), "`min_samples_leaf` must be between 1 and 1048576, got 0"),
    ] {
        assert_eq!(error(params), expected);
    }
    let columns = |params: RandomForestParams| {
        let params = params.check().unwrap();
        [1, 3, 4, 10].map(|columns| params.cut_features(columns))
    };
    assert_eq!(columns(params()), [1, 1, 2, 3]);
    assert_eq!(columns(params().max_features(Some(5))), [1, 3, 4, 5]);
}

#[test]
fn what_cannot_be_fitted_is_an_error() {
    let hyperparameters = params().check().unwrap();
    for (shape, labels) in [((0, 2), vec![]), ((2, 0), vec![true, false]), ((2, 1), vec![true])] {
        let rows = Array2::<f64>::zeros(shape);
        let error = hyperparameters.fit(rows.view(), &labels).unwrap_err().to_string();
        assert!(error.starts_with("a forest needs 1 to 1048576 rows of 1 to 65535"), "{error}");
    }
    let rows = Array2::ones((2, 1));
    let error = Hyperparameters::fit(&hyperparameters, rows.view(), Some(&[true, true]));
    assert!(error.unwrap_err().to_string().starts_with("the labels of all 2 rows"));
}

/// Two trees over 4 rows, built by hand.
#[test]
fn a_hand_built_forest_scores_as_computed_by_hand() {
    let split = |feature, threshold, missing_left, right| Node::Split {
        feature,
        threshold,
        missing_left,
        right,
    };
    let leaf = |rows, anomalies| Node::Leaf { rows, anomalies };
    let forest = RandomForest {
        params: params().n_estimators(2).check().unwrap(),
        features: 2,
        sample_rows: 4,
        changes: Memo::default(),
        trees: vec![
            // x0 < 10 ? (x1 < 5 ? 0 of 1 : 1 of 2) : 1 of 1; shares 2/4, 1/3
            Tree(vec![
                split(0, 10.0, true, 4),
                split(1, 5.0, false, 3),
                leaf(1, 0),
                leaf(2, 1),
                leaf(1, 1),
            ]),
            // x1 present ? 0 of 3 : 1 of 1; share 1/4
            Tree(vec![split(1, f64::INFINITY, false, 2), leaf(3, 0), leaf(1, 1)]),
        ],
    };
    let rows = array![
        [9.9, 4.9],           // left, left | present
        [10.0, 0.0],          // right | present
        [f64::NAN, f64::NAN], // left, right | missing
        [f64::INFINITY, f64::INFINITY],
    ];
    assert_eq!(forest.scores(rows.view()), [0.0, 0.5, 0.75, 0.5]);
    let found = forest.attribute(rows.view());
    let expected = array![
        [(1.0 / 3.0 - 0.5) / 2.0, (0.0 - 1.0 / 3.0 - 0.25) / 2.0],
        [0.25, -0.125],
        [(1.0 / 3.0 - 0.5) / 2.0, (0.5 - 1.0 / 3.0 + 0.75) / 2.0],
        [0.25, -0.125],
    ];
    assert_eq!(found.bases, [0.375; 4]);
    let distance = (&found.contributions - &expected).mapv(f64::abs).sum();
    assert!(distance < 1e-15, "{}", found.contributions);
}

/// Of one column, every tree makes the one cut that parts the classes, half way between them.
#[test]
fn the_purest_cut_is_found() {
    let rows = Array2::from_shape_fn((64, 1), |(row, _)| (row / 8) as f64);
    let labels: Vec<bool> = (0..64).map(|row| row >= 40).collect();
    let forest = fit(params().n_estimators(20), &rows, &labels);
    for tree in &forest.trees {
        let Node::Split { feature: 0, threshold: 4.5, right: 2, .. } = tree.0[0] else {
            panic!("{tree:?}");
        };
        assert_eq!(tree.0.len(), 3);
    }
    assert_eq!(forest.scores(array![[4.4], [4.6]].view()), [0.0, 1.0]);
}

#[test]
fn gaps_tell_classes_apart() {
    let rows = Array2::from_shape_fn((60, 1), |(row, _)| match row % 3 {
        0 => f64::NAN,
        _ => (row % 7) as f64,
    });
    let labels: Vec<bool> = (0..60).map(|row| row % 3 == 0).collect();
    let forest = fit(params(), &rows, &labels);
    assert_eq!(forest.scores(array![[f64::NAN], [3.0], [f64::MAX]].view()), [1.0, 0.0, 0.0]);
    // Where training missed none, the larger side takes those that do.
    let rows = Array2::from_shape_fn((60, 1), |(row, _)| row as f64);
    let labels: Vec<bool> = (0..60).map(|row| row >= 40).collect();
    let scores = fit(params(), &rows, &labels).scores(array![[f64::NAN]].view());
    assert!(scores[0] < 0.1, "{scores:?}");
}

#[test]
fn leaves_and_height_have_their_limits() {
    let (rows, labels) = (usual(300), labels(300));
    let forest = fit(params().n_estimators(10).min_samples_leaf(20), &rows, &labels);
    let shallow = fit(params().n_estimators(10).max_depth(2), &rows, &labels);
    for tree in &forest.trees {
        let leaves = tree.0.iter().filter_map(|node| match node {
            Node::Leaf { rows, .. } => Some(*rows),
            Node::Split { .. } => None,
        });
        let leaves: Vec<u32> = leaves.collect();
        assert!(leaves.len() > 1 && leaves.iter().all(|rows| *rows >= 20), "{leaves:?}");
        assert_eq!(leaves.iter().sum::<u32>(), 300);
    }
    assert!(shallow.trees.iter().all(|tree| tree.0.len() > 1 && tree.0.len() <= 7));
}

#[test]
fn constant_columns_give_the_share_of_anomalies() {
    let rows = Array2::ones((400, 2));
    let scores = fit(params(), &rows, &labels(400)).scores(array![[1.0, 2.0]].view());
    assert!((scores[0] - 0.25).abs() < 0.01, "{scores:?}");
}

/// scikit-learn finds 0.8851; see tests/fixtures/detectors/random_forest.py.
#[test]
fn it_is_as_good_as_that_of_scikit_learn() {
    let fixture = table(include_str!("../../../../tests/fixtures/detectors/random_forest.csv"));
    let (train, test) = fixture.view().split_at(Axis(0), 500);
    let labels: Vec<bool> = train.column(4).iter().map(|label| *label == 1.0).collect();
    let forest = params().n_estimators(300).check().unwrap();
    let forest = forest.fit(train.split_at(Axis(1), 4).0, &labels).unwrap();
    let scores = forest.scores(test.split_at(Axis(1), 4).0);
    let of = |class: f64| -> Vec<f64> {
        let rows = scores.iter().zip(test.column(4)).filter(|(_, label)| **label == class);
        rows.map(|(score, _)| *score).collect()
    };
    let found = roc_auc(&of(0.0), &of(1.0));
    assert!((found - 0.8851).abs() < 0.01, "{found}");
}

/// Changes only with the algorithm, the generator or the format: then models of the same data
/// differ between versions, which users must be told.
#[test]
fn golden_model() {
    assert_eq!(
        golden_digest(&params().n_estimators(5).check().unwrap()),
        "091f6e5d781ce23d52f283039eb81d52"
    );
}

#[test]
fn a_decoded_forest_is_the_same_forest() {
    let forest = fit(params().n_estimators(3), &usual(40), &labels(40));
    let mut bytes = vec![];
    forest.encode(&mut bytes);
    assert_eq!(decode(Reader::new(&bytes), 3).unwrap(), forest);
}

#[test]
fn it_is_a_detector() {
    assert_classifier(&params().n_estimators(5).check().unwrap());
    assert_classifier(&params().n_estimators(3).max_features(Some(3)).check().unwrap());
}
