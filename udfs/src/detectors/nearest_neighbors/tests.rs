use linfa::ParamGuard;
use ndarray::{Axis, array};

use super::*;
use crate::detectors::laws::{assert_close, assert_detector, golden_digest, table};

fn valid(params: NearestNeighborsParams) -> NearestNeighborsValidParams {
    params.check().unwrap()
}

#[test]
fn ranges_are_checked() {
    let error = |params: NearestNeighborsParams| params.check().unwrap_err().to_string();
    let params = NearestNeighbors::params;
    assert_eq!(error(params().n_neighbors(0)), "`n_neighbors` must be between 1 and 1024, got 0");
    assert_eq!(
        error(params().sampling(Sampling { max_samples: 65_537, seed: 1 })),
        "`max_samples` must be between 2 and 65536, got 65537"
    );
    assert!(valid(params()).fit_rows(array![[], []].view()).is_err());
}

#[test]
fn scores_are_those_of_pyod() {
    let csv = include_str!("../../../../tests/fixtures/detectors/nearest_neighbors.csv");
    let table = table(csv);
    let (rows, expected) = table.view().split_at(Axis(1), 3);
    for (method, column) in [(Method::Largest, 0), (Method::Mean, 1)] {
        let params = valid(NearestNeighbors::params().method(method));
        let fitted = params.fit_rows(rows.split_at(Axis(0), 90).0).unwrap();
        assert_close(&fitted.scores(rows), expected.column(column).to_vec());
    }
}

/// Rows 0, 0, 0, 4 have the mean 1 and the deviation sqrt(3). The second neighbour of 0 is another
/// 0; that of 4 is a 0, 4 away; that of a missing value, which is the mean, a 0, 1 away.
#[test]
fn equal_rows_are_as_many_neighbours() {
    let rows = array![[0.0], [0.0], [0.0], [4.0]];
    let scores = |params: NearestNeighborsParams| {
        let fitted = valid(params).fit_rows(rows.view()).unwrap();
        let scores = fitted.scores(array![[0.0], [4.0], [f64::NAN]].view());
        scores.into_iter().map(|score| score * libm::sqrt(3.0)).collect::<Vec<_>>()
    };
    let params = NearestNeighbors::params;
    assert_close(&scores(params().n_neighbors(2)), [0.0, 4.0, 1.0]);
    assert_close(&scores(params().n_neighbors(2).method(Method::Mean)), [0.0, 2.0, 1.0]);
    // All four rows, as there are no five.
    assert_close(&scores(params()), [4.0, 4.0, 3.0]);
}

/// A tree of several leaves finds what looking at all rows finds.
#[test]
fn the_tree_misses_nothing() {
    let rows = Array2::from_shape_fn((700, 2), |(row, column)| {
        ((row * 7919 + column * 104_729 + row * row) % 1009 % 53) as f64
    });
    let fitted = valid(NearestNeighbors::params()).fit_rows(rows.view()).unwrap();
    let scaled = Rows::scaled(&fitted.scaler, rows.view());
    let expected = scaled.iter().map(|row| {
        let mut distances: Vec<f64> = scaled.iter().map(|other| squared(row, other)).collect();
        distances.sort_by(f64::total_cmp);
        libm::sqrt(distances[4])
    });
    assert_eq!(fitted.scores(rows.view()), expected.collect::<Vec<_>>());
}

#[test]
fn the_laws_hold() {
    assert_detector(&valid(NearestNeighbors::params()));
    assert_detector(&valid(NearestNeighbors::params().n_neighbors(1)));
    assert_detector(&valid(NearestNeighbors::params().method(Method::Mean)));
}

/// Changes only with the algorithm or the format.
#[test]
fn golden_model() {
    assert_eq!(
        golden_digest(&valid(NearestNeighbors::params())),
        "68203a57524415baf72b49feb6b5716e"
    );
}
