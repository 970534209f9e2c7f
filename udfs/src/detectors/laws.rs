//! The laws of every detector, checked on any hyperparameters.

use ndarray::{Array2, Axis};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use twox_hash::XxHash3_128;

use super::canonical;
use super::categories::{CategoryEncoding, Encoder};
use super::json::laws::{assert_json, assert_round_trip};
use super::model::Model;
use super::signature::{Feature, FeatureKind, Signature};
use super::training::{Hyperparameters, TrainingOptions, train};

/// `rows` usual rows of three columns in a few clusters, without randomness, and one missing value
/// in 13.
pub(super) fn usual(rows: usize) -> Array2<f64> {
    Array2::from_shape_fn((rows, 3), |(row, column)| match (row * 31 + column * 17) % 13 {
        0 => f64::NAN,
        cluster => cluster as f64 + (row * 7 % 101) as f64 / 500.0,
    })
}

/// Labels of rows, both classes among two or more: for supervised algorithms, others look away.
pub(super) fn labels(rows: usize) -> Vec<bool> {
    (0..rows).map(|row| row % 4 == 1).collect()
}

/// The model trained on rows of numbers.
pub(super) fn model(hyperparameters: &dyn Hyperparameters, rows: &Array2<f64>) -> Model {
    let feature = |column| Feature { name: format!("f{column}"), kind: FeatureKind::Number };
    let signature = Signature::new((0..rows.ncols()).map(feature).collect()).unwrap();
    let encoder = Encoder::new(&signature, CategoryEncoding::default(), []);
    let options = TrainingOptions::default();
    // As a sample keeps them.
    let rows = rows.mapv(canonical);
    let labels = labels(rows.nrows());
    let count = rows.nrows() as u64;
    let labels = Some(&labels[..]);
    train(hyperparameters, &options, signature, encoder, count, rows.view(), labels).unwrap()
}

/// The digest of the model of 500 usual rows, for tests that pin it.
pub(super) fn golden_digest(hyperparameters: &dyn Hyperparameters) -> String {
    let bytes = model(hyperparameters, &usual(500)).encode();
    format!("{:032x}", super::model::digest(&bytes).unwrap())
}

/// The share of pairs of an anomaly and a usual row that the scores put in the right order.
pub(super) fn roc_auc(usual: &[f64], anomalies: &[f64]) -> f64 {
    let pairs = anomalies.iter().flat_map(|score| usual.iter().map(move |other| (score, other)));
    let wins: f64 = pairs.map(|(a, b)| f64::from(a > b) + 0.5 * f64::from(a == b)).sum();
    wins / (usual.len() * anomalies.len()) as f64
}

/// The numbers of a CSV file below its header.
pub(super) fn table(csv: &str) -> Array2<f64> {
    let lines: Vec<&str> = csv.lines().skip(1).collect();
    let numbers = lines.iter().flat_map(|line| line.split(','));
    let numbers: Vec<f64> = numbers.map(|number| number.parse().unwrap()).collect();
    Array2::from_shape_vec((lines.len(), numbers.len() / lines.len()), numbers).unwrap()
}

/// Checks that scores are those of another tool, to 1e-9.
pub(super) fn assert_close(scores: &[f64], expected: impl IntoIterator<Item = f64>) {
    for (row, (score, expected)) in scores.iter().zip(expected).enumerate() {
        let distance = (score - expected).abs();
        assert!(distance <= 1e-9 * expected.abs().max(1.0), "row {row}: {score}, not {expected}");
    }
}

/// Checks that any training rows give a model whose scores are numbers that its attributions add
/// up to; that rows are scored one by one as together; that a decoded model is the same model; that
/// no bytes make the decoder panic or accept what it would not write; and the laws of JSON.
pub(super) fn assert_detector(hyperparameters: &dyn Hyperparameters) {
    assert_detector_of(hyperparameters, 1);
}

/// The same of a supervised algorithm, which needs rows of both classes.
pub(super) fn assert_classifier(hyperparameters: &dyn Hyperparameters) {
    assert_detector_of(hyperparameters, 2);
}

fn assert_detector_of(hyperparameters: &dyn Hyperparameters, fewest_rows: usize) {
    let extremes = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, 1e-300, 0.0];
    for rows in [
        usual(150),
        usual(1),
        usual(2),
        Array2::from_elem((1, 1), 7.0),
        Array2::from_elem((40, 2), 7.0),
        Array2::from_elem((40, 2), f64::NAN),
        Array2::from_shape_fn((40, 2), |(row, column)| extremes[(row + column * 3) % 7]),
        Array2::from_shape_fn((40, 2), |(row, column)| [row as f64, f64::NAN, 1.0][column * 2]),
    ] {
        if rows.nrows() < fewest_rows {
            continue;
        }
        let model = model(hyperparameters, &rows);
        assert_scores(&model, &rows);
        assert_scores(&model, &odd_rows(rows.ncols()));
        let bytes = model.encode();
        let decoded = Model::decode(&bytes).unwrap();
        assert_eq!(decoded.encode(), bytes);
        assert_eq!(decoded.scores(rows.view()), model.scores(rows.view()));
        assert_round_trip(&model);
        let rows = odd_rows(rows.ncols());
        assert_eq!(decoded.scores(rows.view()), model.scores(rows.view()));
    }
    let model = model(hyperparameters, &usual(40));
    let mut runner = TestRunner::new(Config::with_cases(200));
    let value = prop_oneof![Just(f64::NAN), any::<f64>(), -100.0..100.0];
    runner
        .run(&proptest::collection::vec(value, 3..60), |values| {
            let rows = values.len() / 3;
            let rows = Array2::from_shape_vec((rows, 3), values[..rows * 3].to_vec()).unwrap();
            assert_scores(&model, &rows);
            Ok(())
        })
        .unwrap();
    assert_decoding(&model);
    assert_json(&model);
}

pub(super) fn odd_rows(columns: usize) -> Array2<f64> {
    let values = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, 1e9, 3.0, -0.0];
    Array2::from_shape_fn((20, columns), |(row, column)| values[(row * 5 + column * 3) % 7])
}

pub(super) fn assert_scores(model: &Model, rows: &Array2<f64>) {
    let scores = model.scores(rows.view());
    let found = model.attribute(rows.view());
    assert_eq!((scores.len(), found.bases.len()), (rows.nrows(), rows.nrows()));
    assert_eq!(found.contributions.dim(), rows.dim());
    for (at, score) in scores.iter().enumerate() {
        assert!(score.is_finite(), "{score} for {}", rows.row(at));
        let alone = model.scores(rows.row(at).insert_axis(Axis(0)));
        assert_eq!(alone[0].to_bits(), score.to_bits(), "alone {}", rows.row(at));
        let contributions = found.contributions.row(at);
        let size = contributions.iter().map(|part| part.abs()).sum::<f64>().max(1.0);
        let sum = found.bases[at] + contributions.sum();
        assert!((sum - score).abs() <= 1e-9 * size.max(score.abs()), "{sum} is not {score}");
    }
}

/// Gives changed bytes a valid digest, so that the decoder meets them.
fn seal(mut content: Vec<u8>) -> Vec<u8> {
    let digest = XxHash3_128::oneshot(&content);
    content.extend_from_slice(&digest.to_le_bytes());
    content
}

fn assert_decoding(model: &Model) {
    let bytes = model.encode();
    let content = &bytes[..bytes.len() - 16];
    let mut detector = vec![];
    model.detector.encode(&mut detector);
    let start = content.len() - detector.len();
    let rows = odd_rows(model.signature.features().len());
    let assert_error_or_model = |content: Vec<u8>| {
        if let Ok(model) = Model::decode(&seal(content.clone())) {
            assert_scores(&model, &rows);
            assert_eq!(model.encode(), seal(content));
        }
    };

    let byte = prop_oneof![any::<u8>(), Just(0), Just(0x7f), Just(0xff)];
    let change = (any::<prop::sample::Index>(), byte);
    let changes = proptest::collection::vec(change, 1..5);
    TestRunner::new(Config::with_cases(2000))
        .run(&(changes, any::<prop::sample::Index>()), |(changes, cut)| {
            let end = start + cut.index(detector.len());
            assert!(Model::decode(&seal(content[..end].to_vec())).is_err());
            let mut content = content.to_vec();
            for (at, byte) in changes {
                content[start + at.index(detector.len())] = byte;
            }
            assert_error_or_model(content.clone());
            // A smaller count may fit what is left.
            content.truncate(end);
            assert_error_or_model(content);
            Ok(())
        })
        .unwrap();
    TestRunner::new(Config::with_cases(500))
        .run(&proptest::collection::vec(any::<u8>(), 0..300), |tail| {
            assert_error_or_model([&content[..start], &tail].concat());
            Ok(())
        })
        .unwrap();
}
