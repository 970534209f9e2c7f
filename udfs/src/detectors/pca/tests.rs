use linfa::ParamGuard;
use ndarray::{Axis, array};

use super::*;
use crate::detectors::laws::{assert_close, assert_detector, golden_digest, table};
use crate::detectors::training::Hyperparameters;

fn valid(params: PcaParams) -> PcaValidParams {
    params.check().unwrap()
}

fn keeping(components: Components) -> PcaValidParams {
    valid(Pca::params().components(components))
}

#[test]
fn ranges_are_checked() {
    let error = |params: PcaParams| params.check().unwrap_err().to_string();
    let message = error(Pca::params().components(Components::Number(512)));
    assert_eq!(message, "`n_components` must be between 0 and 511, got 512");
    for share in [0.0, 1.0, -0.1, f64::NAN] {
        let message = error(Pca::params().components(Components::Variance(share)));
        assert!(message.starts_with("`variance` must be greater than 0 and less than 1"));
    }
    let sampling = Sampling { max_samples: 1, seed: 1 };
    assert!(error(Pca::params().sampling(sampling)).starts_with("`max_samples` must be"));
    let wide = Array2::zeros((2, 513));
    let error = valid(Pca::params()).fit(wide.view(), None).unwrap_err().to_string();
    assert!(error.starts_with("components are taken of at most 512 columns, got 513"), "{error}");
    let two_columns = Array2::zeros((2, 2));
    let error =
        keeping(Components::Number(2)).fit(two_columns.view(), None).unwrap_err().to_string();
    assert!(error.starts_with("`n_components` must be less than the number of columns, 2, got 2"));
}

/// Correlated columns, one of which is nearly the sum of two others: the linear `KPCA` of PyOD and
/// the singular value decomposition of numpy.
#[test]
fn scores_are_those_of_pyod_and_numpy() {
    let table = table(include_str!("../../../../tests/fixtures/detectors/pca.csv"));
    let rows = table.view().split_at(Axis(1), 5).0;
    let kept = [Components::Number(1), Components::Number(2), Components::Variance(0.9)];
    for (components, column) in kept.into_iter().zip(5..) {
        let fitted = keeping(components).fit(rows, None).unwrap();
        assert_close(&fitted.scores(rows), table.column(column).to_vec());
    }
}

/// Two columns of deviation 1 with correlation 0.6: the component is (1, 1) / sqrt(2), and what is
/// left of (x, y) is ((x - y) / 2, (y - x) / 2).
#[test]
fn an_error_computed_by_hand() {
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
    let fitted = valid(Pca::params()).fit(rows.view(), None).unwrap();
    let new = array![[9.0, 9.0], [2.0, -2.0], [2.0, f64::NAN]];
    assert_close(&fitted.scores(new.view()), [0.0, 8.0, 2.0]);
    let found = fitted.attribute(array![[3.0, 1.0]].view());
    assert_close(&found.contributions.row(0).to_vec(), [1.0, 1.0]);
    // Without components: the squared distance to the mean.
    let fitted = keeping(Components::Number(0)).fit(rows.view(), None).unwrap();
    assert_close(&fitted.scores(new.view()), [162.0, 8.0, 4.0]);
}

/// The first column spreads alone, the second is its double, the third is constant: one component
/// is kept, and the constant column counts the square of its difference.
#[test]
fn directions_without_a_spread_are_left() {
    let rows = array![[-1.0, -2.0, 7.0], [1.0, 2.0, 7.0], [-1.0, -2.0, 7.0], [1.0, 2.0, 7.0]];
    for components in [Components::Number(2), Components::Variance(0.999)] {
        let fitted = keeping(components).fit(rows.view(), None).unwrap();
        let new = array![[5.0, 10.0, 7.0], [1.0, 2.0, 9.0], [1.0, -2.0, 7.0]];
        assert_close(&fitted.scores(new.view()), [0.0, 4.0, 2.0]);
    }
}

#[test]
fn one_column_has_no_component() {
    let fitted = valid(Pca::params()).fit(array![[1.0], [3.0]].view(), None).unwrap();
    assert_close(&fitted.scores(array![[2.0], [5.0]].view()), [0.0, 9.0]);
    let fitted = valid(Pca::params()).fit(array![[7.0], [7.0]].view(), None).unwrap();
    assert_close(&fitted.scores(array![[7.0], [9.0]].view()), [0.0, 4.0]);
}

/// Changes only with the algorithm or the format.
#[test]
fn golden_model() {
    assert_eq!(golden_digest(&valid(Pca::params())), "a56218a1045554582dc859a1894965ac");
}

#[test]
fn pca_keeps_the_laws() {
    assert_detector(&valid(Pca::params()));
    assert_detector(&keeping(Components::Variance(0.1)));
    assert_detector(&keeping(Components::Number(0)));
}
