use linfa::traits::{Fit, Predict};
use linfa::{DatasetBase, ParamGuard};
use ndarray::{Array2, array};
use proptest::prelude::*;

use super::score::average_path_length;
use super::*;
use crate::detectors::categories::{CategoryEncoding, Encoder};
use crate::detectors::model::{Model, ModelError};
use crate::detectors::signature::{Feature, FeatureKind, Signature};
use crate::detectors::training::{TrainingOptions, train};

/// `rows` usual rows in a few clusters, without randomness, and one missing value in 13.
fn usual(rows: usize) -> Array2<f64> {
    Array2::from_shape_fn((rows, 3), |(row, column)| match (row * 31 + column * 17) % 13 {
        0 => f64::NAN,
        cluster => cluster as f64 + (row * 7 % 101) as f64 / 500.0,
    })
}

fn fit(params: IsolationForestParams, records: Array2<f64>) -> IsolationForest {
    params.fit(&DatasetBase::from(records)).unwrap()
}

fn train_model(
    params: IsolationForestParams,
    contamination: Option<f64>,
    sample: Array2<f64>,
) -> Model {
    let feature = |column| Feature { name: format!("f{column}"), kind: FeatureKind::Number };
    let signature = Signature::new((0..sample.ncols()).map(feature).collect()).unwrap();
    let encoder = Encoder::new(&signature, CategoryEncoding::default(), []);
    let options = TrainingOptions::new(contamination, CategoryEncoding::default()).unwrap();
    let rows = sample.nrows() as u64;
    let params = params.check().unwrap();
    train(&params, &options, signature, encoder, rows, sample.view(), None).unwrap()
}

fn small_model() -> Model {
    let params = IsolationForest::params().n_estimators(3).max_samples(16);
    train_model(params, Some(0.1), usual(40))
}

mod hyperparams {
    use super::*;

    fn error(params: IsolationForestParams) -> String {
        params.check().unwrap_err().to_string()
    }

    #[test]
    fn ranges_are_checked() {
        let params = IsolationForest::params;
        assert_eq!(
            error(params().n_estimators(0)),
            "`n_estimators` must be between 1 and 10000, got 0"
        );
        assert_eq!(
            error(params().max_samples(1)),
            "`max_samples` must be between 2 and 16777216, got 1"
        );
        assert_eq!(
            error(params().n_estimators(1000).max_samples(100_000)),
            "`n_estimators` x `max_samples` must not exceed 16777216 rows, got 100000000"
        );
        assert_eq!(
            error(params().max_depth(Some(65))),
            "`max_depth` must be between 1 and 64, got 65"
        );
        for share in [0.0, -0.1, 0.6, f64::NAN] {
            let error = TrainingOptions::new(Some(share), CategoryEncoding::default());
            assert!(error.unwrap_err().to_string().starts_with("`contamination` must"));
        }
    }

    #[test]
    fn default_height_limit_is_log2_of_the_rows_rounded_up() {
        let params = IsolationForest::params().check().unwrap();
        let limits = [1, 2, 3, 4, 5, 256, 257].map(|rows| params.height_limit(rows));
        assert_eq!(limits, [0, 1, 2, 2, 3, 8, 9]);
    }
}

mod score {
    use super::*;

    /// c(256) = 2 (ln 255 + 0.5772156649) - 2 * 255 / 256 = 10.2448 (scikit-learn gives the same).
    #[test]
    fn average_path_length_is_the_papers() {
        assert_eq!([0, 1, 2].map(average_path_length), [0.0, 0.0, 1.0]);
        assert!((average_path_length(3) - 1.207_392_357_4).abs() < 1e-9);
        assert!((average_path_length(256) - 10.244_770_920).abs() < 1e-8);
    }

    /// Trees built by hand over 4 rows: c(4) = 2 (ln 3 + gamma) - 1.5 = 1.851655.
    #[test]
    fn a_hand_built_forest_scores_as_computed_by_hand() {
        let leaf = |rows, depth| Node::leaf(rows, depth, 4);
        let split = |feature, threshold, missing_left, right| Node::Split {
            feature,
            threshold,
            missing_left,
            right,
        };
        let forest = IsolationForest {
            params: IsolationForest::params().n_estimators(2).max_samples(4).check().unwrap(),
            features: 2,
            sample_rows: 4,
            changes: Memo::default(),
            trees: vec![
                // x0 < 10 ? (x1 < 5 ? 1 row : 2 rows) : 1 row
                Tree(vec![
                    split(0, 10.0, true, 4),
                    split(1, 5.0, false, 3),
                    leaf(1, 2),
                    leaf(2, 2),
                    leaf(1, 1),
                ]),
                // x1 present ? 3 rows : 1 row
                Tree(vec![split(1, f64::INFINITY, false, 2), leaf(3, 1), leaf(1, 1)]),
            ],
        };
        let c3 = average_path_length(3);
        let c4 = average_path_length(4);
        let expected = |first: f64, second: f64| libm::exp2(-((first / c4 + second / c4) / 2.0));
        let rows = array![
            [9.9, 4.9],                     // left, left: 2 | present: 1 + c(3)
            [9.9, 5.0],                     // left, right (not below): 2 + c(2) | present
            [10.0, 0.0],                    // right: 1 | present
            [f64::NAN, f64::NAN],           // missing left, missing right: 2 + c(2) | missing: 1
            [f64::INFINITY, f64::INFINITY], // right: 1 | an infinity is present
        ];
        let scores = forest.predict(&rows);
        assert_eq!(
            scores.to_vec(),
            [
                expected(2.0, 1.0 + c3),
                expected(3.0, 1.0 + c3),
                expected(1.0, 1.0 + c3),
                expected(3.0, 1.0),
                expected(1.0, 1.0 + c3),
            ]
        );
        assert!((scores[2] - 0.548_633).abs() < 1e-6, "{}", scores[2]);
    }

    #[test]
    fn blocks_do_not_change_scores() {
        let forest = fit(IsolationForest::params().n_estimators(5), usual(700));
        let rows = usual(700);
        let all = forest.scores(rows.view());
        for (row, score) in rows.rows().into_iter().zip(all) {
            let alone = forest.scores(row.insert_axis(ndarray::Axis(0)));
            assert_eq!(alone, [score]);
        }
    }
}

mod fit {
    use super::*;

    #[test]
    fn shapes_that_cannot_be_fitted_are_errors() {
        let params = IsolationForest::params();
        for shape in [(0, 2), (2, 0)] {
            let error = params.fit(&DatasetBase::from(Array2::<f64>::zeros(shape))).unwrap_err();
            assert!(error.to_string().starts_with("a forest needs 1 to 16777216 rows"));
        }
    }

    #[test]
    fn one_row_and_constant_rows_score_one_half() {
        for rows in [1, 2, 300] {
            let forest = fit(IsolationForest::params(), Array2::ones((rows, 2)));
            assert_eq!(forest.scores(array![[1.0, 1.0], [7.0, f64::NAN]].view()), [0.5, 0.5]);
        }
    }

    #[test]
    fn trees_share_out_the_rows_and_keep_the_height_limit() {
        let forest = fit(IsolationForest::params().max_samples(100), usual(2000));
        assert_eq!(forest.max_depth(), 7);
        for tree in &forest.trees {
            let rows = tree.0.iter().map(|node| match node {
                Node::Leaf { rows, path_length } => {
                    assert!(*path_length <= 7.0 / average_path_length(100) + 1.0);
                    u64::from(*rows)
                }
                Node::Split { .. } => 0,
            });
            assert_eq!(rows.sum::<u64>(), 100);
        }
    }

    #[test]
    fn extreme_values_are_cut() {
        let rows = array![[f64::NEG_INFINITY], [f64::INFINITY], [0.0], [f64::MAX], [f64::NAN]];
        let forest = fit(IsolationForest::params(), rows.clone());
        let scores = forest.scores(rows.view());
        assert_eq!(scores[1], scores[3], "an infinity is the largest number");
        assert!(scores.iter().all(|score| *score > 0.0 && *score <= 1.0), "{scores:?}");

        // Neighbouring numbers leave one possible threshold.
        let close = array![[1.0], [1.0_f64.next_up()]];
        let forest = fit(IsolationForest::params(), close);
        assert!(forest.trees.iter().all(|tree| tree.0.len() == 3));
    }

    #[test]
    fn a_rare_gap_is_isolated_quickly() {
        let mut rows = Array2::from_elem((256, 1), 1.0);
        rows[[17, 0]] = f64::NAN;
        let forest = fit(IsolationForest::params(), rows);
        let scores = forest.scores(array![[f64::NAN], [1.0]].view());
        assert!(scores[0] > 0.9 && scores[1] < 0.5, "{scores:?}");
    }

    #[test]
    fn contamination_is_the_share_above_the_threshold() {
        for share in [0.01, 0.1, 0.5] {
            let rows = Array2::from_shape_fn((1000, 2), |(row, column)| {
                ((row * 7919 + column * 104_729) % 1009) as f64
            });
            let model = train_model(IsolationForest::params(), Some(share), rows.clone());
            let scores = model.scores(rows.view());
            let above = scores.iter().filter(|score| **score > model.threshold).count();
            let wanted = (share * 1000.0) as usize;
            assert!(above.abs_diff(wanted) <= 1, "{share}: {above}");
        }
    }

    /// Changes only with the algorithm, the generator or the format: then models of the same
    /// data differ between versions, which users must be told.
    #[test]
    fn golden_model() {
        let params = IsolationForest::params().n_estimators(10).max_samples(64);
        let bytes = train_model(params, Some(0.05), usual(500)).encode();
        let digest = crate::detectors::model::digest(&bytes).unwrap();
        assert_eq!(format!("{digest:032x}"), "443f0c99a19ee2502ed54f6c8afe1462");
    }
}

mod codec {
    use super::*;

    #[test]
    fn a_decoded_model_is_the_same_model() {
        for model in [small_model(), train_model(IsolationForest::params(), None, usual(1))] {
            let bytes = model.encode();
            let decoded = Model::decode(&bytes).unwrap();
            assert_eq!(decoded, model);
            assert_eq!(decoded.encode(), bytes);
            let bits = |model: &Model| -> Vec<u64> {
                let scores = model.scores(usual(100).view());
                scores.into_iter().map(f64::to_bits).collect()
            };
            assert_eq!(bits(&decoded), bits(&model));
        }
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let bytes = small_model().encode();
        assert_eq!(Model::decode(b""), Err(ModelError::NotAModel));
        assert_eq!(Model::decode(b"PAR1 and more"), Err(ModelError::NotAModel));
        let mut newer = bytes.clone();
        newer[8] = 3;
        assert_eq!(Model::decode(&newer), Err(ModelError::Version(3)));
        assert_eq!(Model::decode(&bytes[..bytes.len() - 1]), Err(ModelError::Digest));
        assert_eq!(Model::decode(&bytes[..12]), Err(ModelError::Digest));
    }

    /// Gives changed bytes a valid digest, so that the decoder meets them.
    fn seal(mut content: Vec<u8>) -> Vec<u8> {
        let digest = twox_hash::XxHash3_128::oneshot(&content);
        content.extend_from_slice(&digest.to_le_bytes());
        content
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_model_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Model::decode(&bytes);
            for version in [1, 2] {
                let mut content = b"UDFMODEL".to_vec();
                content.extend([version, 0, 1]);
                content.extend(&bytes);
                let _ = Model::decode(&seal(content));
            }
        }

        #[test]
        fn every_flipped_bit_is_noticed(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
            let mut bytes = small_model().encode();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(Model::decode(&bytes).is_err());
        }

        #[test]
        fn sealed_changes_never_panic(
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            cut in any::<prop::sample::Index>(),
        ) {
            let bytes = small_model().encode();
            let mut content = bytes[..bytes.len() - 16].to_vec();
            for (at, byte) in changes {
                let at = at.index(content.len());
                content[at] = byte;
            }
            if let Ok(model) = Model::decode(&seal(content.clone())) {
                // What is accepted scores, and has one encoding.
                let features = model.signature.features().len();
                let scores = model.scores(Array2::from_elem((2, features), 3.0).view());
                prop_assert!(scores.iter().all(|score| score.is_finite()));
                prop_assert_eq!(model.encode(), seal(content.clone()));
            }
            content.truncate(cut.index(content.len()));
            prop_assert!(Model::decode(&seal(content)).is_err());
        }
    }
}

mod explain {
    use super::*;

    /// One tree over 4 rows: x0 < 10 ? 3 rows at depth 1 : 1 row at depth 1. The mean path of all
    /// rows is 1 + 3/4 c(3).
    #[test]
    fn a_hand_built_tree_is_taken_apart_as_computed_by_hand() {
        let split = Node::Split { feature: 1, threshold: 10.0, missing_left: true, right: 2 };
        let forest = IsolationForest {
            params: IsolationForest::params().n_estimators(1).max_samples(4).check().unwrap(),
            features: 2,
            sample_rows: 4,
            changes: Memo::default(),
            trees: vec![Tree(vec![split, Node::leaf(3, 1, 4), Node::leaf(1, 1, 4)])],
        };
        let (c3, c4) = (average_path_length(3), average_path_length(4));
        let base = libm::exp2(-(1.0 + 0.75 * c3) / c4);
        let rows = array![[0.0, 11.0], [0.0, 9.0]];
        let found = forest.attribute(rows.view());
        let scores = forest.scores(rows.view());
        for (row, score) in scores.iter().enumerate() {
            assert!((found.bases[row] - base).abs() < 1e-12);
            assert_eq!(found.contributions[[row, 0]], 0.0, "never cut");
            assert!((found.contributions[[row, 1]] - (score - base)).abs() < 1e-12);
        }
        assert!(found.contributions[[0, 1]] > 0.0 && found.contributions[[1, 1]] < 0.0);
    }

    proptest! {
        #[test]
        fn contributions_and_base_add_up_to_the_score(
            rows in proptest::collection::vec(
                prop_oneof![Just(f64::NAN), -5.0..20.0, any::<f64>()], 3..60
            ),
        ) {
            let forest = fit(IsolationForest::params().n_estimators(20), usual(300));
            let rows = Array2::from_shape_vec((rows.len() / 3, 3), rows[..rows.len() / 3 * 3].to_vec()).unwrap();
            let found = forest.attribute(rows.view());
            for (row, score) in forest.scores(rows.view()).into_iter().enumerate() {
                let sum = found.bases[row] + found.contributions.row(row).sum();
                prop_assert!((sum - score).abs() < 1e-9, "{sum} {score}");
            }
        }
    }

    #[test]
    fn what_makes_a_row_stand_out_comes_first() {
        let mut rows = usual(300);
        rows[[7, 2]] = 1e6;
        let forest = fit(IsolationForest::params(), rows.clone());
        let found = forest.attribute(rows.view());
        let row = found.contributions.row(7);
        assert!(row[2] > row[0].abs() && row[2] > row[1].abs(), "{row}");
    }
}

/// A file that version 1 has written, with the scores that it gave then. It stays readable for ever.
#[test]
fn the_first_format_is_read() {
    let bytes = include_bytes!("../golden/isolation_forest_v1.model");
    let model = Model::decode(bytes).unwrap();
    assert_eq!((model.version, model.training_rows, model.sample_rows), (1, 60, 48));
    assert_eq!((model.contamination, model.threshold), (Some(0.1), 0.642_200_068_207_973_3));
    assert_eq!(model.signature.to_string(), "a:number,b:boolean,c:number");
    assert!(model.statistics.is_empty() && model.calibration.is_none());
    let row = |id: i64| {
        let missing = id % 11 == 0;
        let c = if missing { f64::NAN } else { (id as f64).ln() };
        [(id * id % 101) as f64, f64::from(u8::from(id % 7 == 0)), c]
    };
    let scores = model.scores(array![row(1), row(7), row(11), row(12)].view());
    let then = [
        0.642_200_068_207_973_3,
        0.708_614_883_995_311_7,
        0.497_036_833_300_271_7,
        0.405_979_494_290_866_8,
    ];
    assert_eq!(scores, then);
    // Written again, it is a model of the new format without what the old one lacks.
    let again = Model::decode(&model.encode()).unwrap();
    assert_eq!((again.version, again.scores(array![row(1)].view())), (2, vec![then[0]]));
}
