use linfa::ParamGuard;
use ndarray::{Axis, array};

use super::*;
use crate::detectors::laws::{assert_close, assert_detector, golden_digest, model, table, usual};

fn valid(params: KMeansParams) -> KMeansValidParams {
    params.check().unwrap()
}

#[test]
fn ranges_are_checked() {
    let error = |params: KMeansParams| params.check().unwrap_err().to_string();
    let params = KMeans::params;
    assert_eq!(error(params().n_clusters(0)), "`n_clusters` must be between 1 and 1024, got 0");
    assert_eq!(
        error(params().sampling(Sampling { max_samples: 1, seed: 1 })),
        "`max_samples` must be between 2 and 1048576, got 1"
    );
    let cblof = |alpha, beta| params().cblof(Some(Cblof { alpha, beta }));
    assert_eq!(error(cblof(0.4, 5.0)), "`alpha` must be between 0.5 and 1, got 0.4");
    for beta in [0.9, f64::NAN, f64::INFINITY] {
        assert!(error(cblof(0.9, beta)).starts_with("`beta` must be a number from 1, got"));
    }
}

/// Four clusters far apart, of which every good k-means finds the same: scikit-learn and PyOD.
#[test]
fn scores_are_those_of_scikit_learn_and_pyod() {
    let table = table(include_str!("../../../../tests/fixtures/detectors/k_means.csv"));
    let (rows, expected) = table.view().split_at(Axis(1), 3);
    for seed in 0..20 {
        let params =
            KMeans::params().n_clusters(4).sampling(Sampling { seed, ..KMeans::DEFAULT_SAMPLING });
        let k_means = valid(params.clone()).fit_rows(rows).unwrap();
        assert_close(&k_means.scores(rows), expected.column(0).to_vec());
        let cblof = valid(params.cblof(Some(Cblof::default()))).fit_rows(rows).unwrap();
        assert_eq!(cblof.large, 2);
        assert_close(&cblof.scores(rows), expected.column(1).to_vec());
    }
}

/// Rows 0, 1, 8, 9 (mean 4.5, deviation sqrt(16.25)): centroids 0.5 and 8.5.
#[test]
fn a_distance_computed_by_hand() {
    let rows = array![[0.0], [9.0], [1.0], [8.0]];
    let k_means = valid(KMeans::params().n_clusters(2)).fit_rows(rows.view()).unwrap();
    let deviation = libm::sqrt(16.25);
    let scores = k_means.scores(array![[0.5], [9.0], [4.0], [f64::NAN]].view());
    assert_close(&scores, [0.0, 0.5, 3.5, 4.0].map(|distance| distance / deviation));
}

/// Definition 2 of the paper: by both, by the share alone, by the jump alone, by neither.
#[test]
fn large_clusters_are_those_of_the_paper() {
    let large = |sizes: &[u32]| {
        let cluster = |size: &u32| Cluster { size: *size, centroid: vec![] };
        Cblof::default().large(&sizes.iter().map(cluster).collect::<Vec<_>>())
    };
    assert_eq!(large(&[60, 48, 7, 5]), 2);
    assert_eq!(large(&[50, 30, 15, 5]), 3);
    assert_eq!(large(&[88, 12]), 1);
    assert_eq!(large(&[60, 40]), 2);
    assert_eq!(large(&[10]), 1);
}

#[test]
fn fewer_rows_than_clusters_are_clusters_of_their_own() {
    let rows = array![[1.0, 2.0], [1.0, 2.0], [5.0, 0.0]];
    let k_means = valid(KMeans::params()).fit_rows(rows.view()).unwrap();
    assert_eq!(k_means.clusters.iter().map(|cluster| cluster.size).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(k_means.scores(rows.view()), [0.0; 3]);
    assert!(valid(KMeans::params()).fit_rows(array![[], []].view()).is_err());
}

#[test]
fn a_missing_value_is_the_mean() {
    let k_means = valid(KMeans::params()).fit_rows(usual(300).view()).unwrap();
    let gap = array![[f64::NAN, 3.0, 4.0]];
    let present = usual(300).column(0).iter().copied().filter(|x| !x.is_nan()).collect::<Vec<_>>();
    let mean = present.iter().sum::<f64>() / present.len() as f64;
    assert_close(&k_means.scores(gap.view()), k_means.scores(array![[mean, 3.0, 4.0]].view()));
}

#[test]
fn the_laws_hold() {
    assert_detector(&valid(KMeans::params()));
    assert_detector(&valid(KMeans::params().n_clusters(3).cblof(Some(Cblof::default()))));
}

/// Changes only with the algorithm, the generator, linfa or the format.
#[test]
fn golden_model() {
    assert_eq!(golden_digest(&valid(KMeans::params())), "5b7e9dc585717a460e97088c7434e2db");
    let sizes = |model: crate::detectors::model::Model| model.encode().len();
    assert!(sizes(model(&valid(KMeans::params()), &usual(500))) < 20_000);
}
