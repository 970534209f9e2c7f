use ndarray::{Array2, Axis, array};

use super::*;
use crate::detectors::isolation_forest::score::average_path_length;
use crate::detectors::isolation_forest::{IsolationForest, IsolationForestParams};
use crate::detectors::laws::{assert_detector, golden_digest, roc_auc, usual};
use crate::detectors::random::SplitMix64;
use crate::detectors::wire::Reader;

/// Parameters of `trees` trees on `rows` rows each.
fn params(trees: u64, rows: u64, level: Option<u64>) -> ExtendedIsolationForestValidParams {
    let forest = IsolationForest::params().n_estimators(trees).max_samples(rows);
    ExtendedIsolationForest::params().forest(forest).extension_level(level).check().unwrap()
}

fn fit(
    params: &ExtendedIsolationForestValidParams,
    records: Array2<f64>,
) -> ExtendedIsolationForest {
    Fit::fit(params, &DatasetBase::from(records)).unwrap()
}

#[test]
fn ranges_are_checked() {
    let error = |forest: IsolationForestParams, level| {
        let params = ExtendedIsolationForest::params().forest(forest).extension_level(level);
        params.check().unwrap_err().to_string()
    };
    assert_eq!(
        error(IsolationForest::params(), Some(65535)),
        "`extension_level` must be below 65535, got 65535"
    );
    assert_eq!(
        error(IsolationForest::params().n_estimators(0), None),
        "`n_estimators` must be between 1 and 10000, got 0"
    );
}

#[test]
fn shapes_that_cannot_be_fitted_are_errors() {
    let error = |params: ExtendedIsolationForestValidParams, shape| {
        let records = Array2::<f64>::zeros(shape);
        Fit::fit(&params, &DatasetBase::from(records)).unwrap_err().to_string()
    };
    for shape in [(0, 2), (2, 0)] {
        assert!(error(params(1, 8, None), shape).starts_with("a forest needs 1 to 16777216 rows"));
    }
    assert_eq!(
        error(params(1, 8, Some(2)), (4, 2)),
        "`extension_level` must be below the number of columns, 2, got 2; hint: leave it out to \
         cut with all columns"
    );
    assert_eq!(
        error(params(1000, 256, None), (256, 20)),
        "`n_estimators` x `max_samples` x (`extension_level` + 1) must not exceed 4194304, got \
         5120000; hint: choose a lower `extension_level`"
    );
}

/// One tree over 4 rows, built by hand: c(4) = 2 (ln 3 + gamma) - 1.5 = 1.851655. With mean 0 and
/// deviation 2, the first row is (0.5, 1) when scaled.
fn by_hand() -> ExtendedIsolationForest {
    let term = |column, normal, point| Term { column, normal, point };
    let mut scaler = vec![];
    for number in [0.0_f64, 0.0, 2.0, 2.0] {
        scaler.extend_from_slice(&number.to_le_bytes());
    }
    let leaf = |rows, depth| Node::leaf(rows, depth, 4);
    ExtendedIsolationForest {
        params: params(1, 4, None),
        sample_rows: 4,
        changes: Memo::default(),
        scaler: Scaler::decode(&mut Reader::new(&scaler), 2).unwrap(),
        trees: vec![Tree {
            nodes: vec![
                // (x0 - 0.25) - 2 (x1 - 0.5) <= 0: 3 rows, of which x1 > 2 none
                Node::Split { first: 0, end: 2, right: 4 },
                Node::Split { first: 2, end: 3, right: 3 },
                leaf(3, 2),
                leaf(0, 2),
                leaf(1, 1),
            ],
            terms: vec![term(0, 1.0, 0.25), term(1, -2.0, 0.5), term(1, 1.0, 2.0)],
        }],
    }
}

#[test]
fn a_hand_built_forest_scores_as_computed_by_hand() {
    let forest = by_hand();
    let (c3, c4) = (average_path_length(3), average_path_length(4));
    let rows = array![
        [1.0, 2.0],                         // 0.25 - 1 <= 0, 1 <= 2: the leaf of 3 rows at depth 2
        [2.0, 6.0],                         // 0.75 - 5 <= 0, 3 > 2: the empty leaf at depth 2
        [2.0, 1.0],                         // 0.75 - 0 > 0: the leaf of 1 row at depth 1
        [f64::NAN, f64::NAN],               // (0, 0): -0.25 + 1 > 0
        [f64::NEG_INFINITY, f64::INFINITY], // cut at a million: left, then outside
    ];
    let expected = [2.0 + c3, 2.0, 1.0, 1.0, 2.0].map(|path| libm::exp2(-path / c4));
    assert_eq!(forest.scores(rows.view()), expected);

    // The root expects (3 (2 + c3) + 1) / 4. The first row moves from there to 2 + c3: the cut
    // gives 0.25 of 1.25 to x0 and 1 of 1.25 to x1; the second cut changes nothing.
    let found = forest.attribute(rows.view());
    let root = (3.0 * (2.0 + c3) + 1.0) / 4.0;
    let base = libm::exp2(-root / c4);
    assert!((found.bases[0] - base).abs() < 1e-15);
    let change = expected[0] - base;
    assert!((found.contributions[[0, 0]] - 0.2 * change).abs() < 1e-12);
    assert!((found.contributions[[0, 1]] - 0.8 * change).abs() < 1e-12);
}

#[test]
fn one_row_and_constant_rows_score_one_half() {
    for rows in [1, 2, 300] {
        let forest = fit(&params(100, 256, None), Array2::ones((rows, 2)));
        assert_eq!(forest.scores(array![[1.0, 1.0], [7.0, f64::NAN]].view()), [0.5, 0.5]);
    }
}

#[test]
fn a_constant_column_changes_nothing() {
    let slim = fit(&params(10, 64, Some(0)), usual(100));
    let mut wide = Array2::ones((100, 4));
    wide.view_mut().split_at(Axis(1), 3).0.assign(&usual(100));
    let wide_forest = fit(&params(10, 64, Some(0)), wide.clone());
    assert_eq!(slim.scores(usual(100).view()), wide_forest.scores(wide.view()));
}

#[test]
fn missing_is_as_the_mean_of_training() {
    let rows = Array2::from_shape_fn((200, 2), |(row, column)| ((row * 7 + column) % 20) as f64);
    let mean = rows.mean_axis(Axis(0)).unwrap();
    let forest = fit(&params(100, 128, None), rows);
    let scores = forest.scores(array![[f64::NAN, 3.0], [mean[0], 3.0]].view());
    assert_eq!(scores[0], scores[1]);
}

/// The paper's motive: between two clusters on a diagonal lie "ghosts" of cuts along the axes,
/// where the values of both columns are usual but no row is.
#[test]
fn slopes_find_what_axes_miss() {
    let mut rng = SplitMix64::new(1, 0);
    let mut near = |x: f64, y: f64| [x + rng.normal(), y + rng.normal()];
    let rows: Vec<[f64; 2]> =
        (0..1000).map(|row| if row % 2 == 0 { near(0.0, 10.0) } else { near(10.0, 0.0) }).collect();
    let ghosts: Vec<[f64; 2]> =
        (0..200).map(|row| if row % 2 == 0 { near(0.0, 0.0) } else { near(10.0, 10.0) }).collect();
    let (rows, ghosts) = (Array2::from(rows), Array2::from(ghosts));
    let auc = |level| {
        let forest = fit(&params(100, 256, level), rows.clone());
        roc_auc(&forest.scores(rows.view()), &forest.scores(ghosts.view()))
    };
    let (full, axes) = (auc(None), auc(Some(0)));
    assert!(full > 0.99 && full > axes, "{full} {axes}");

    // Level 0 is an isolation forest, of other random numbers.
    let forest = IsolationForest::params().fit(&DatasetBase::from(rows.clone())).unwrap();
    let own = fit(&params(100, 256, Some(0)), rows.clone());
    for records in [&rows, &ghosts] {
        let pairs = forest.scores(records.view()).into_iter().zip(own.scores(records.view()));
        let difference: f64 = pairs.map(|(a, b)| (a - b).abs()).sum::<f64>();
        assert!(difference / (records.nrows() as f64) < 0.02, "{difference}");
    }
}

/// Changes only with the algorithm, the generator or the format: then models of the same data
/// differ between versions, which users must be told.
#[test]
fn golden_model() {
    assert_eq!(golden_digest(&params(10, 64, Some(1))), "a02c7f41e8048ecd29b4434e5a5fb95e");
}

#[test]
fn it_is_a_detector() {
    assert_detector(&params(5, 32, None));
    assert_detector(&params(3, 16, Some(0)));
}
