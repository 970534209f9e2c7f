use linfa::ParamGuard;
use ndarray::{Axis, array};

use super::*;
use crate::detectors::laws::{assert_detector, golden_digest, table, usual};

fn valid(params: OneClassSvmParams) -> OneClassSvmValidParams {
    params.check().unwrap()
}

#[test]
fn ranges_are_checked() {
    let error = |params: OneClassSvmParams| params.check().unwrap_err().to_string();
    let params = OneClassSvm::params;
    for nu in [0.0, 1.0, f64::NAN] {
        assert!(error(params().nu(nu)).starts_with("`nu` must be greater than 0 and less than 1"));
    }
    assert_eq!(error(params().gamma(Some(0.0))), "`gamma` must be between 1e-9 and 1e9, got 0");
    assert_eq!(
        error(params().sampling(Sampling { max_samples: 5000, seed: 1 })),
        "`max_samples` must be between 2 and 4096, got 5000"
    );
    assert!(valid(params()).fit_rows(array![[], []].view()).is_err());
}

/// To 1e-5, ten times what the optimisation leaves.
#[test]
fn scores_are_those_of_scikit_learn() {
    let table = table(include_str!("../../../../tests/fixtures/detectors/one_class_svm.csv"));
    let (rows, expected) = table.view().split_at(Axis(1), 3);
    let params = [OneClassSvm::params(), OneClassSvm::params().nu(0.3).gamma(Some(2.0))];
    for (params, expected) in params.into_iter().zip(expected.columns()) {
        let svm = valid(params).fit_rows(rows.split_at(Axis(0), 200).0).unwrap();
        for (score, expected) in svm.scores(rows).into_iter().zip(expected) {
            assert!((score - expected).abs() < 1e-5, "{score}, not {expected}");
        }
    }
}

/// Two rows with nu 0.5 share the weight 1: alpha is 1/2 each and rho the kernel sum at both,
/// (1 + exp(-4 gamma)) / 2 as they are 2 deviations apart; the mean has exp(-gamma).
#[test]
fn a_region_computed_by_hand() {
    let params = valid(OneClassSvm::params().nu(0.5).gamma(Some(0.5)));
    let svm = params.fit_rows(array![[0.0], [10.0]].view()).unwrap();
    let rho = (1.0 + libm::exp(-2.0)) / 2.0;
    let scores = svm.scores(array![[0.0], [10.0], [5.0], [f64::NAN], [1e300]].view());
    let expected = [0.0, 0.0, rho - libm::exp(-0.5), rho - libm::exp(-0.5), rho];
    for (score, expected) in scores.into_iter().zip(expected) {
        assert!((score - expected).abs() < 1e-6, "{score}, not {expected}");
    }
}

/// The property that names it.
#[test]
fn nu_bounds_the_share_outside_and_the_support_vectors() {
    let rows = usual(400);
    for nu in [0.05, 0.2, 0.5] {
        let svm = valid(OneClassSvm::params().nu(nu)).fit_rows(rows.view()).unwrap();
        let outside = svm.scores(rows.view()).iter().filter(|score| **score > 1e-4).count();
        assert!(outside as f64 <= nu * 400.0, "{outside} outside");
        assert!(svm.alphas.len() as f64 >= nu * 400.0, "{} support vectors", svm.alphas.len());
    }
}

#[test]
fn the_laws_hold() {
    assert_detector(&valid(OneClassSvm::params()));
    assert_detector(&valid(OneClassSvm::params().nu(0.5).gamma(Some(1e9))));
}

/// Changes only with the algorithm, linfa's optimisation or the format.
#[test]
fn golden_model() {
    assert_eq!(golden_digest(&valid(OneClassSvm::params())), "0bf50b3769c8e7c110159a6bb95991bc");
}
