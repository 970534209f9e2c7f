use linfa::traits::{Fit, Predict};
use linfa::{DatasetBase, ParamGuard};
use ndarray::{Array2, array};
use proptest::prelude::*;

use super::score::average_path_length;
use super::*;
use crate::detectors::model::{Detector, Feature, FeatureKind, Model, ModelError, Signature};

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

fn model(forest: IsolationForest) -> Model {
    let feature = |column| Feature { name: format!("f{column}"), kind: FeatureKind::Number };
    Model {
        signature: Signature::new((0..forest.features()).map(feature).collect()).unwrap(),
        training_rows: forest.sample_rows(),
        detector: Detector::IsolationForest(forest),
    }
}

fn small_model() -> Model {
    let params = IsolationForest::params().n_estimators(3).max_samples(16);
    model(fit(params.contamination(Some(0.1)), usual(40)))
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
            assert!(error(params().contamination(Some(share))).starts_with("`contamination` must"));
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
            threshold: 0.5,
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

    /// `numpy.percentile([4, 1, 3, 2], [0, 50, 90, 100])` is 1, 2.5, 3.7, 4.
    #[test]
    fn quantiles_are_those_of_numpy() {
        let quantiles =
            [0.0, 0.5, 0.9, 1.0].map(|q| super::super::fit::quantile(vec![4.0, 1.0, 3.0, 2.0], q));
        assert_eq!(quantiles, [1.0, 2.5, 3.7, 4.0]);
        assert_eq!(super::super::fit::quantile(vec![7.0], 0.9), 7.0);
    }

    #[test]
    fn contamination_is_the_share_above_the_threshold() {
        for share in [0.01, 0.1, 0.5] {
            let params = IsolationForest::params().contamination(Some(share));
            let rows = Array2::from_shape_fn((1000, 2), |(row, column)| {
                ((row * 7919 + column * 104_729) % 1009) as f64
            });
            let forest = fit(params, rows.clone());
            let scores = forest.scores(rows.view());
            let above = scores.iter().filter(|score| **score > forest.threshold()).count();
            let wanted = (share * 1000.0) as usize;
            assert!(above.abs_diff(wanted) <= 1, "{share}: {above}");
        }
    }

    /// Changes only with the algorithm, the generator or the format: then models of the same
    /// data differ between versions, which users must be told.
    #[test]
    fn golden_model() {
        let params = IsolationForest::params().n_estimators(10).max_samples(64);
        let bytes = model(fit(params.contamination(Some(0.05)), usual(500))).encode();
        let digest = crate::detectors::model::digest(&bytes).unwrap();
        assert_eq!(format!("{digest:032x}"), "cf49471b3b65306653d5b19439d0f60a");
    }
}

mod codec {
    use super::*;

    #[test]
    fn a_decoded_model_is_the_same_model() {
        for model in [small_model(), model(fit(IsolationForest::params(), usual(1)))] {
            let bytes = model.encode();
            let decoded = Model::decode(&bytes).unwrap();
            assert_eq!(decoded, model);
            assert_eq!(decoded.encode(), bytes);
            let bits = |model: &Model| -> Vec<u64> {
                let scores = model.detector.scores(usual(100).view());
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
        newer[8] = 2;
        assert_eq!(Model::decode(&newer), Err(ModelError::Version(2)));
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
            let mut content = b"UDFMODEL\x01\x00\x01".to_vec();
            content.extend(bytes);
            let _ = Model::decode(&seal(content));
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
                let scores = model.detector.scores(Array2::from_elem((2, features), 3.0).view());
                prop_assert!(scores.iter().all(|score| score.is_finite()));
                prop_assert_eq!(model.encode(), seal(content.clone()));
            }
            content.truncate(cut.index(content.len()));
            prop_assert!(Model::decode(&seal(content)).is_err());
        }
    }
}

mod signature {
    use super::*;

    proptest! {
        #[test]
        fn the_text_form_is_unambiguous(names in proptest::collection::hash_set("[a,:\\\\é ]{0,4}", 1..5)) {
            let features = names.into_iter().enumerate().map(|(at, name)| Feature {
                name,
                kind: [FeatureKind::Number, FeatureKind::Boolean][at % 2],
            });
            let signature = Signature::new(features.collect()).unwrap();
            prop_assert_eq!(Signature::parse(&signature.to_string()), Some(signature));
        }

        #[test]
        fn any_text_parses_or_not(text in "[a,:\\\\]{0,8}(number)?") {
            let _ = Signature::parse(&text);
        }
    }

    #[test]
    fn duplicates_and_nothing_are_refused() {
        let feature = |name: &str| Feature { name: name.into(), kind: FeatureKind::Number };
        assert_eq!(
            Signature::new(vec![feature("a"), feature("a")]).unwrap_err().to_string(),
            "feature `a` is given twice"
        );
        assert!(Signature::new(vec![]).is_err());
        assert_eq!(Signature::new(vec![feature("a")]).unwrap().to_string(), "a:number");
    }
}
