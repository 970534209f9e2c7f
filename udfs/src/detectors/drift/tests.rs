use linfa::ParamGuard;
use ndarray::{Array2, array};

use super::*;
use crate::detectors::hbos::Hbos;
use crate::detectors::laws;

fn numbers(cell: &str) -> Array2<f64> {
    let numbers: Vec<f64> = cell.split(' ').map(|number| number.parse().unwrap()).collect();
    Array2::from_shape_vec((numbers.len(), 1), numbers).unwrap()
}

fn drift(training: &Array2<f64>, rows: &Array2<f64>) -> FeatureDrift {
    let model = laws::model(&Hbos::params().check().unwrap(), training);
    let mut counts = DriftCounts::new(&model).unwrap();
    counts.add(rows.view());
    counts.finish(&model).remove(0)
}

/// `tests/fixtures/drift/percentiles.csv` is written by the script beside it with SciPy, from all
/// rows. To 1/100 + 1/n of the training range; and where rows have moved, to 3 percent, or to 12
/// where one percent of the training rows is a long tail.
#[test]
fn wasserstein_distances_are_near_those_of_scipy() {
    for line in include_str!("../../../../tests/fixtures/drift/percentiles.csv").lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let [name, training, rows, expected] = cells[..] else { panic!("{line}") };
        let (training, expected) = (numbers(training), expected.parse::<f64>().unwrap());
        let found = drift(&training, &numbers(rows)).wasserstein_distance.unwrap();
        let least = training.iter().copied().fold(f64::INFINITY, f64::min);
        let range = training.iter().copied().fold(least, f64::max) - least;
        let error = (found - expected).abs();
        let bound = range * (0.01 + 1.0 / training.len() as f64);
        assert!(error <= bound || range == 0.0, "{name}: {found}, not {expected}");
        let share = match name.split('_').next() {
            Some("same") => continue,
            Some("heavy") => 0.12,
            _ => 0.03,
        };
        assert!(error <= share * expected, "{name}: {found}, not {expected}");
    }
}

/// 1 to 5, ten of them each: rows at 3 that are now at 13 have moved by 10, and by 2 on average.
#[test]
fn a_fifth_of_the_rows_has_moved_by_ten() {
    let training = Array2::from_shape_fn((50, 1), |(row, _)| (row % 5) as f64 + 1.0);
    let rows = training.mapv(|value| if value == 3.0 { 13.0 } else { value });
    let found = drift(&training, &rows).wasserstein_distance.unwrap();
    assert!((found - 2.0).abs() <= 0.04 + 0.08, "{found}");
}

#[test]
fn values_without_a_number_have_their_place() {
    let training = array![[1.0], [2.0], [3.0]];
    let none = drift(&training, &array![[f64::NAN], [f64::NAN]]);
    assert_eq!((none.missing, none.wasserstein_distance), (Some(1.0), None));
    // The sum of distances ends at 2^64 parts of 1/512, with one row.
    let far = drift(&training, &array![[f64::INFINITY]]).wasserstein_distance.unwrap();
    assert!((far / 2.0_f64.powi(55) - 1.0).abs() < 1e-9, "{far}");
    let unknown = drift(&array![[f64::NAN]], &array![[1.0]]);
    assert_eq!((unknown.rows, unknown.unseen, unknown.wasserstein_distance), (1, None, None));
}
