use linfa::ParamGuard;
use ndarray::{Axis, array};

use super::*;
use crate::detectors::laws::{assert_close, assert_detector, golden_digest, table};

fn valid(params: HbosParams) -> HbosValidParams {
    params.check().unwrap()
}

#[test]
fn ranges_are_checked() {
    let error = |params: HbosParams| params.check().unwrap_err().to_string();
    let params = Hbos::params;
    assert_eq!(error(params().n_bins(1)), "`n_bins` must be between 2 and 1024, got 1");
    for alpha in [0.0, 1.1, f64::NAN] {
        assert!(error(params().alpha(alpha)).starts_with("`alpha` must be greater than 0 and"));
    }
    for tol in [-0.1, 1.1, f64::NAN] {
        assert!(error(params().tol(tol)).starts_with("`tol` must be between 0 and 1, got"));
    }
    let sampling = Sampling { max_samples: 1, seed: 1 };
    assert!(error(params().sampling(sampling)).starts_with("`max_samples` must be"));
}

/// Columns skewed, with values on the edges of bins, and constant.
#[test]
fn scores_are_those_of_pyod() {
    let training = table(include_str!("../../../../tests/fixtures/detectors/hbos.csv"));
    let new = table(include_str!("../../../../tests/fixtures/detectors/hbos_new.csv"));
    let other = Hbos::params().n_bins(7).alpha(0.3).tol(0.2);
    for (params, column) in [(Hbos::params(), 4), (other, 5)] {
        let hbos = valid(params).fit(training.view().split_at(Axis(1), 4).0, None).unwrap();
        for rows in [&training, &new] {
            assert_close(
                &hbos.scores(rows.view().split_at(Axis(1), 4).0),
                rows.column(column).to_vec(),
            );
        }
    }
}

/// Two bins of width 2, three of four rows in the lower one: densities 0.375 and 0.125.
#[test]
fn densities_computed_by_hand() {
    let params = valid(Hbos::params().n_bins(2).tol(0.25));
    let rows = array![[0.0], [1.0], [1.5], [4.0], [f64::NAN]];
    let hbos = params.fit(rows.view(), None).unwrap();
    let (dense, sparse) = (-f64::log2(0.375 + 0.1), -f64::log2(0.125 + 0.1));
    let mean = (3.0 * dense + sparse) / 4.0;
    let new = array![[1.0], [2.0], [2.1], [4.5], [4.6], [-0.5], [-0.6], [f64::NAN]];
    let expected = [dense, dense, sparse, sparse, sparse, dense, sparse, mean];
    assert_close(&hbos.scores(new.view()), expected);
}

/// Changes only with the algorithm or the format.
#[test]
fn golden_model() {
    assert_eq!(golden_digest(&valid(Hbos::params())), "d9eeddd0f63459c7aebbe7e7e1ce81da");
}

#[test]
fn hbos_keeps_the_laws() {
    assert_detector(&valid(Hbos::params()));
    assert_detector(&valid(Hbos::params().n_bins(1024).alpha(1e-300)));
}
