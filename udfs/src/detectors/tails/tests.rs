use linfa::ParamGuard;
use ndarray::{Axis, array};

use super::*;
use crate::detectors::laws::{assert_close, assert_detector, golden_digest, model, table};

fn valid(rule: Rule) -> TailsValidParams {
    Tails::params(rule).check().unwrap()
}

#[test]
fn ranges_are_checked() {
    for max_samples in [0, 1, 65_537] {
        let params = Tails::params(Rule::Ecod).sampling(Sampling { max_samples, seed: 1 });
        assert_eq!(
            params.check().unwrap_err().to_string(),
            format!("`max_samples` must be between 2 and 65536, got {max_samples}")
        );
    }
}

/// Columns with a tail to the right, to the left, to neither side, with ties, and constant.
#[test]
fn scores_of_training_rows_are_those_of_pyod() {
    let table = table(include_str!("../../../../tests/fixtures/detectors/tails.csv"));
    let rows = table.view().split_at(Axis(1), 5).0;
    for (rule, column) in [(Rule::Ecod, 5), (Rule::Copod, 6)] {
        let tails = valid(rule).fit(rows, None).unwrap();
        assert_close(&tails.scores(rows), table.column(column).to_vec());
    }
}

/// Of 1, 2, 2, 5 (skewed to the right): at 2, 3 of 4 are at most and 3 of 4 at least as high.
#[test]
fn tails_computed_by_hand() {
    let rows = array![[2.0], [1.0], [5.0], [2.0], [f64::NAN]];
    let ln = f64::ln;
    let new = array![[2.0], [5.0], [3.0], [9.0], [0.0], [f64::NAN]];
    let ecod = valid(Rule::Ecod).fit(rows.view(), None).unwrap();
    let expected = [ln(4.0 / 3.0), ln(4.0), ln(4.0), ln(5.0), ln(5.0), 0.0];
    assert_close(&ecod.scores(new.view()), expected);
    // Of 3: the left tail is ln(4/3), the right one ln(4). Of 0: ln(5) and 0.
    let copod = valid(Rule::Copod).fit(rows.view(), None).unwrap();
    let expected = [ln(4.0 / 3.0), ln(4.0), ln(4.0), ln(5.0), ln(5.0) / 2.0, 0.0];
    assert_close(&copod.scores(new.view()), expected);
}

/// Both tails count where neither is longer, whatever rounding makes of the third moment.
#[test]
fn a_column_without_skew_adds_both_tails() {
    let rows = array![[0.1], [0.2], [0.3], [0.4], [0.5], [0.6], [0.7]];
    let tails = valid(Rule::Ecod).fit(rows.view(), None).unwrap();
    assert_close(&tails.scores(array![[0.4]].view()), [2.0 * f64::ln(7.0 / 4.0)]);
    assert_eq!(Skew::of(&[7.0; 3]), Skew::Neither);
    assert_eq!(Skew::of(&[f64::MIN, f64::MAX, f64::MAX]), Skew::Left);
    assert_eq!(Skew::of(&[]), Skew::Neither);
}

#[test]
fn one_row_scores_0() {
    let rows = array![[3.0, f64::NAN]];
    let model = model(&valid(Rule::Copod), &rows);
    assert_eq!(model.scores(rows.view()), [0.0]);
}

/// Changes only with the algorithm or the format.
#[test]
fn golden_models() {
    assert_eq!(golden_digest(&valid(Rule::Ecod)), "6f401ef4fbd7000a6b7d7508a1828c18");
    assert_eq!(golden_digest(&valid(Rule::Copod)), "f9196d0b402cb06311f082c183d4f5de");
}

#[test]
fn ecod_keeps_the_laws() {
    assert_detector(&valid(Rule::Ecod));
}

#[test]
fn copod_keeps_the_laws() {
    assert_detector(&valid(Rule::Copod));
}
