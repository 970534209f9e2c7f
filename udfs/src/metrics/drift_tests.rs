use super::tests::{assert_near, cases, numbers};
use super::*;

/// `tests/fixtures/drift/two_samples.csv` is written by the script beside it with SciPy.
#[test]
fn values_equal_those_of_scipy() {
    for case in &cases(include_str!("../../../tests/fixtures/drift/two_samples.csv")) {
        let mut samples = TwoSamples::default();
        for (column, is_reference) in [("reference", 1.0), ("current", 0.0)] {
            for value in numbers(case[column]) {
                samples.push(value, is_reference).unwrap();
            }
        }
        assert_near(case, "ks", samples.ks_statistic());
        assert_near(case, "wasserstein", samples.wasserstein_distance());
        for bins in [10, 4, 50] {
            let psi = samples.population_stability_index(bins);
            assert_near(case, &format!("psi_{bins}"), psi);
            let js = samples.jensen_shannon_distance(bins);
            assert_near(case, &format!("js_{bins}"), js);
        }
    }
}

/// Bins by hand, as counts of the reference itself.
#[test]
fn bins_follow_the_quantiles_and_their_ties() {
    let bins = |values: &[f64], number| {
        let bins = Bins::new(Sample::new(values), number);
        (bins.edges().to_vec(), bins.count(Sample::new(values)))
    };
    // Quarters of 8 rows end at the 2nd, 4th and 6th.
    let eight = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
    assert_eq!(bins(&eight, 4), (vec![2.0, 4.0, 6.0], vec![2, 2, 2, 2]));
    // Fewer rows than bins: one edge per row.
    assert_eq!(bins(&[1.0, 2.0], 4), (vec![1.0, 2.0], vec![1, 1, 0]));
    // The quarters end at 0, 0 and 3: 0 is three quantiles with the smallest value.
    let zeros = [0.0, 0.0, 0.0, 0.0, 2.0, 3.0, 4.0, 5.0];
    assert_eq!(bins(&zeros, 4), (vec![0.0_f64.next_down(), 0.0, 3.0], vec![0, 4, 2, 2]));
    let one = [7.0; 5];
    assert_eq!(bins(&one, 2), (vec![7.0_f64.next_down(), 7.0], vec![0, 5, 0]));
    assert_eq!(bins(&[], 10), (vec![], vec![0]));
    let inf = f64::INFINITY;
    let (edges, counts) = bins(&[-inf, -inf, -inf, inf, inf, inf], 4);
    assert_eq!((edges, counts), (vec![-inf, f64::MAX, inf], vec![3, 0, 3, 0]));
}

/// A sample of repeated values and the same sample with weights say the same.
#[test]
fn weights_stand_for_rows() {
    let rows = [1.0, 1.0, 1.0, 2.0, 4.0, 4.0, 9.0];
    let (values, weights) = ([1.0, 2.0, 3.0, 4.0, 9.0], [3, 1, 0, 2, 1]);
    let (plain, weighted) = (Sample::new(&rows), Sample::weighted(&values, &weights));
    let other = Sample::new(&[0.0, 1.0, 4.0, 5.0]);
    assert_eq!((plain.rows(), weighted.rows()), (7, 7));
    for (one, two) in [(plain, weighted), (weighted, plain)] {
        assert_eq!(ks_statistic(one, other), ks_statistic(two, other));
        assert_eq!(wasserstein_distance(other, one), wasserstein_distance(other, two));
        assert_eq!(
            (ks_statistic(one, two), wasserstein_distance(one, two)),
            (Some(0.0), Some(0.0))
        );
        assert_eq!(Bins::new(one, 3), Bins::new(two, 3));
        assert_eq!(Bins::new(one, 3).count(one), Bins::new(one, 3).count(two));
    }
}

/// By hand: of 4 rows each, one of the reference is infinite and two of the current sample.
#[test]
fn infinite_values_have_their_place() {
    let inf = f64::INFINITY;
    let values = [1.0, 2.0, 3.0, inf];
    let reference = Sample::new(&values);
    assert_eq!(wasserstein_distance(reference, Sample::new(&[1.0, 2.0, inf, inf])), Some(inf));
    assert_eq!(ks_statistic(reference, Sample::new(&[1.0, 2.0, inf, inf])), Some(0.25));
    // The same share at infinity: only the finite rows move, each by 1, three in four.
    assert_eq!(wasserstein_distance(reference, Sample::new(&[2.0, 3.0, 4.0, inf])), Some(0.75));
    assert_eq!(wasserstein_distance(Sample::new(&[-inf]), Sample::new(&[inf])), Some(inf));
    assert_eq!(wasserstein_distance(Sample::new(&[-1e308]), Sample::new(&[1e308])), Some(inf));
    assert_eq!(wasserstein_distance(Sample::new(&[inf]), Sample::new(&[inf])), Some(0.0));
}

#[test]
fn an_empty_sample_has_no_distance() {
    let (some, none) = (Sample::new(&[1.0]), Sample::new(&[]));
    let weightless = Sample::weighted(&[1.0], &[0]);
    for (one, other) in [(some, none), (none, some), (none, none), (some, weightless)] {
        assert_eq!((ks_statistic(one, other), wasserstein_distance(one, other)), (None, None));
    }
    assert_eq!(population_stability_index(&[1, 2], &[0, 0]), None);
    assert_eq!(jensen_shannon_distance(&[], &[]), None);
    let mut only_nan = TwoSamples::default();
    only_nan.push(f64::NAN, 1.0).unwrap();
    only_nan.push(1.0, 0.0).unwrap();
    assert_eq!(only_nan.population_stability_index(10), None);
    assert!(only_nan.push(1.0, 2.0).is_err());
}

/// By hand: for shares p and q of a bin that are near, its part of the divergence is
/// (p - q)^2 / (8 m ln 2) with their mean m; a plain sum of logarithms would lose it to rounding.
#[test]
fn near_distributions_keep_their_digits() {
    let half = 1_u64 << 40;
    let x = 1.0 / (1_u64 << 41) as f64;
    let distance = jensen_shannon_distance(&[half + 1, half - 1], &[half, half]).unwrap();
    // Two bins, each with m = 1/2.
    let expected = (2.0 * x * x / (8.0 * 0.5 * std::f64::consts::LN_2)).sqrt();
    assert!((distance / expected - 1.0).abs() < 1e-9, "{distance} {expected}");
}
