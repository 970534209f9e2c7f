use linfa::ParamGuard;
use ndarray::{Axis, array};

use super::*;
use crate::detectors::laws::{assert_close, assert_detector, golden_digest, table};
use crate::detectors::training::Hyperparameters;

fn valid(params: MahalanobisParams) -> MahalanobisValidParams {
    params.check().unwrap()
}

#[test]
fn ranges_are_checked() {
    let error = |params: MahalanobisParams| params.check().unwrap_err().to_string();
    for weight in [0.0, 1.1, f64::NAN] {
        let message = error(Mahalanobis::params().shrinkage(weight));
        assert!(message.starts_with("`shrinkage` must be between 0.000001 and 1"), "{message}");
    }
    let sampling = Sampling { max_samples: 1, seed: 1 };
    assert!(error(Mahalanobis::params().sampling(sampling)).starts_with("`max_samples` must be"));
    let wide = Array2::zeros((2, 513));
    let error = valid(Mahalanobis::params()).fit(wide.view(), None).unwrap_err().to_string();
    assert!(error.starts_with("distances are taken over at most 512 columns, got 513"), "{error}");
}

/// Correlated columns, of which the last is the sum of two others: `ShrunkCovariance` of
/// scikit-learn.
#[test]
fn scores_are_those_of_scikit_learn() {
    let table = table(include_str!("../../../../tests/fixtures/detectors/mahalanobis.csv"));
    let rows = table.view().split_at(Axis(1), 4).0;
    for (shrinkage, column) in [(0.001, 4), (0.5, 5)] {
        let params = valid(Mahalanobis::params().shrinkage(shrinkage));
        let fitted = params.fit(rows, None).unwrap();
        assert_close(&fitted.scores(rows), table.column(column).to_vec());
    }
}

/// Two columns of deviation 1 with correlation 0.6, half of which is left: the inverse of
/// [[1, 0.3], [0.3, 1]] is [[1, -0.3], [-0.3, 1]] / 0.91.
#[test]
fn a_distance_computed_by_hand() {
    let rows = array![
        [1.0, 1.0],
        [1.0, 1.0],
        [1.0, 1.0],
        [1.0, 1.0],
        [-1.0, -1.0],
        [-1.0, -1.0],
        [-1.0, -1.0],
        [-1.0, -1.0],
        [1.0, -1.0],
        [-1.0, 1.0],
    ];
    let params = valid(Mahalanobis::params().shrinkage(0.5));
    let fitted = params.fit(rows.view(), None).unwrap();
    let new = array![[2.0, 2.0], [2.0, -2.0], [2.0, f64::NAN]];
    assert_close(&fitted.scores(new.view()), [5.6 / 0.91, 10.4 / 0.91, 4.0 / 0.91]);
    let found = fitted.attribute(array![[2.0, 1.0]].view());
    let row = found.contributions.row(0).to_vec();
    assert_close(&row, [2.0 * 1.7 / 0.91, 0.4 / 0.91]);
}

#[test]
fn a_column_without_a_spread_counts_its_difference() {
    let params = valid(Mahalanobis::params());
    let fitted = params.fit(array![[7.0], [7.0]].view(), None).unwrap();
    assert_close(&fitted.scores(array![[7.0], [9.0]].view()), [0.0, 4.0]);
}

/// Changes only with the algorithm or the format.
#[test]
fn golden_model() {
    assert_eq!(golden_digest(&valid(Mahalanobis::params())), "2eaa136f09fb5719b706fd86e017569c");
}

#[test]
fn mahalanobis_keeps_the_laws() {
    assert_detector(&valid(Mahalanobis::params()));
    assert_detector(&valid(Mahalanobis::params().shrinkage(LEAST_SHRINKAGE)));
}
