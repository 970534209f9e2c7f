use linfa::ParamGuard;
use ndarray::{Axis, array};

use super::*;
use crate::detectors::laws::{assert_close, assert_detector, golden_digest, table, usual};

fn valid(params: GaussianMixtureParams) -> GaussianMixtureValidParams {
    params.check().unwrap()
}

#[test]
fn ranges_are_checked() {
    let error = |params: GaussianMixtureParams| params.check().unwrap_err().to_string();
    let params = GaussianMixture::params;
    assert_eq!(error(params().n_components(0)), "`n_components` must be between 1 and 64, got 0");
    assert_eq!(
        error(params().sampling(Sampling { max_samples: 1, seed: 1 })),
        "`max_samples` must be between 2 and 131072, got 1"
    );
    for variance in [0.0, 2.0, f64::NAN] {
        let message = error(params().reg_covar(variance));
        assert!(message.starts_with("`reg_covar` must be between 1e-9 and 1, got"), "{message}");
    }
    let wide = Array2::zeros((2, 600));
    let error = valid(params()).fit_rows(wide.view()).unwrap_err().to_string();
    assert!(error.contains("must not exceed 1048576, got 2 rows of 600; hint"), "{error}");
    assert!(valid(params()).fit_rows(array![[], []].view()).is_err());
}

#[test]
fn scores_are_those_of_scikit_learn() {
    let table = table(include_str!("../../../../tests/fixtures/detectors/gaussian_mixture.csv"));
    let (rows, expected) = table.view().split_at(Axis(1), 3);
    for seed in 0..5 {
        let params = valid(
            GaussianMixture::params()
                .n_components(3)
                .sampling(Sampling { seed, ..GaussianMixture::DEFAULT_SAMPLING }),
        );
        let mixture = params.fit_rows(rows.split_at(Axis(0), 150).0).unwrap();
        assert_close(&mixture.scores(rows), expected.column(0).to_vec());
    }
}

/// One component over 1, 2, 3: mean 2, standardised variance 1 and 1e-6: ln density of the mean
/// is -(ln 2 pi) / 2 = -0.9189385, one deviation further half less.
#[test]
fn a_density_computed_by_hand() {
    let params = valid(GaussianMixture::params().n_components(1).reg_covar(1e-9));
    let mixture = params.fit_rows(array![[1.0], [2.0], [3.0]].view()).unwrap();
    let deviation = libm::sqrt(2.0 / 3.0);
    let rows = array![[2.0], [2.0 + deviation], [2.0 - 2.0 * deviation], [f64::NAN]];
    let expected = [0.0, 0.5, 2.0, 0.0].map(|half| 0.918_938_533_204_672_7 + half);
    for (score, expected) in mixture.scores(rows.view()).into_iter().zip(expected) {
        assert!((score - expected).abs() < 1e-8, "{score}, not {expected}");
    }
}

/// What linfa's mixture makes NaN of: one row whose density is 0 from every other component.
#[test]
fn a_far_row_in_training_is_one_component_at_most() {
    let mut rows = usual(2000).mapv(|value| if value.is_nan() { 3.0 } else { value });
    rows[[17, 1]] = 1e12;
    let mixture = valid(GaussianMixture::params()).fit_rows(rows.view()).unwrap();
    let scores = mixture.scores(rows.view());
    assert!(scores.iter().all(|score| score.is_finite()));
    let weights: f64 = mixture.components.iter().map(|component| component.weight).sum();
    assert!((weights - 1.0).abs() < 1e-9);
}

/// Columns that are copies of each other: their covariance is singular but for `reg_covar`.
#[test]
fn copies_of_a_column_can_be_fitted() {
    let rows = Array2::from_shape_fn((300, 4), |(row, _)| (row * 37 % 101) as f64);
    let mixture = valid(GaussianMixture::params()).fit_rows(rows.view()).unwrap();
    let scores = mixture.scores(array![[3.0; 4], [3.0, 3.0, 3.0, 4.0]].view());
    assert!(scores[1] > scores[0] + 100.0, "{scores:?}");
}

#[test]
fn the_laws_hold() {
    assert_detector(&valid(GaussianMixture::params()));
    assert_detector(&valid(GaussianMixture::params().n_components(1).reg_covar(0.1)));
}

/// Changes only with the algorithm, the generator, linfa's k-means or the format.
#[test]
fn golden_model() {
    assert_eq!(
        golden_digest(&valid(GaussianMixture::params())),
        "23b9a428b4400e73176e406e77e741bb"
    );
}
