use linfa::ParamGuard;
use ndarray::array;
use proptest::prelude::*;

use super::laws::assert_round_trip;
use super::*;
use crate::detectors::categories::CategoryCounts;
use crate::detectors::laws::usual;
use crate::detectors::sampling::Sampling;
use crate::detectors::training::{Hyperparameters, TrainingOptions, train};

const NAN: f64 = f64::NAN;
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/detectors/model.json");

/// A model of a number, a truth value and a text, whose categories are `tcp`, `udp` and a third.
fn model(hyperparameters: &dyn Hyperparameters, encoding: CategoryEncoding, third: &str) -> Model {
    let feature = |name: &str, kind| Feature { name: name.to_owned(), kind };
    let features = vec![
        feature("bytes", FeatureKind::Number),
        feature("is_ok", FeatureKind::Boolean),
        feature("proto \"1\"", FeatureKind::Text),
    ];
    let signature = Signature::new(features).unwrap();
    let mut counts = CategoryCounts::new("proto".to_owned(), encoding);
    for (text, times) in [("tcp", 5), ("udp", 2), (third, 1)] {
        counts.count(text, times).unwrap();
    }
    let encoder = Encoder::new(&signature, encoding, [counts.categories()]);
    let sample = array![
        [1.5, 1.0, 1.0],
        [2.5, 1.0, 1.0],
        [0.1, NAN, 2.0],
        [7.25, 1.0, 1.0],
        [3.5, 1.0, NAN],
        [2.0, NAN, 2.0],
        [1e6, 1.0, 0.0],
        [NAN, 1.0, 1.0],
    ];
    let options = TrainingOptions::new(Some(0.25), encoding).unwrap();
    train(hyperparameters, &options, signature, encoder, 9, sample.view(), None).unwrap()
}

fn forest() -> Model {
    let params = IsolationForest::params().n_estimators(3).max_samples(8).check().unwrap();
    model(&params, CategoryEncoding::Frequency, "icmp")
}

fn error(text: &str) -> String {
    Model::from_json(text).unwrap_err().to_string()
}

/// The form is an interface: it changes only with its version. `UPDATE_DOCS=1` writes it anew.
#[test]
#[allow(clippy::disallowed_methods)]
fn golden_document() {
    let model = forest();
    let text = serde_json::to_string_pretty(&Document::of(&model)).unwrap() + "\n";
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(GOLDEN, &text).unwrap();
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap();
    assert_eq!(golden, text);
    assert_eq!(Model::from_json(&golden).unwrap().encode(), model.encode());
}

/// tests/fixtures/detectors/model_json.py scores with that document alone, from the description of
/// the form and the paper.
#[test]
fn another_program_scores_with_it() {
    let rows = array![
        [2.5, 1.0, 1.0],
        [1e6, 1.0, 0.0],
        [NAN, NAN, NAN],
        [-3.0, 0.0, 2.0],
        [50.0, 1.0, 3.0],
    ];
    let golden = std::fs::read_to_string(GOLDEN).unwrap();
    let scores = Model::from_json(&golden).unwrap().scores(rows.view());
    let expected = [
        0.455856872355743,
        0.5707774616237967,
        0.5707774616237967,
        0.4889564219323456,
        0.5244593139802646,
    ];
    for (score, expected) in scores.iter().zip(expected) {
        assert!((score - expected).abs() < 1e-12, "{scores:?}");
    }
}

#[test]
fn texts_and_their_categories_survive() {
    for third in ["", "a \"quoted\" \\ one", "\u{0}\n", "日本", "zzz"] {
        for encoding in [CategoryEncoding::Frequency, CategoryEncoding::OneHot] {
            let params = IsolationForest::params().n_estimators(3).check().unwrap();
            assert_round_trip(&model(&params, encoding, third));
            let sampling = Sampling { max_samples: 100, seed: u64::MAX };
            let params = KMeans::params().sampling(sampling).check().unwrap();
            assert_round_trip(&model(&params, encoding, third));
        }
    }
}

/// A model of the first format becomes one of the second, with the same scores.
#[test]
fn the_first_format_is_written_as_the_second() {
    let first = Model::decode(include_bytes!("../golden/isolation_forest_v1.model")).unwrap();
    let text = first.to_json().unwrap();
    assert!(text.contains("\"statistics\":[],\"calibration\":null,"), "{text}");
    let second = Model::from_json(&text).unwrap();
    assert_eq!((first.version, second.version), (1, 2));
    assert_eq!(second.encode(), first.encode());
    let rows = usual(50);
    assert_eq!(second.scores(rows.view()), first.scores(rows.view()));
}

#[test]
fn changes_of_a_model_are_read() {
    let model = forest();
    let text = model.to_json().unwrap();
    let threshold = format!("\"threshold\":{}", model.threshold);
    let changed = text.replacen(&threshold, "\"threshold\":0.75", 1);
    assert_ne!(changed, text);
    let changed = Model::from_json(&changed).unwrap();
    assert_eq!(changed.threshold, 0.75);
    assert_eq!(Model { threshold: model.threshold, ..changed }, model);
    // Spaces and line ends do not matter, nor how a number is written.
    let spaced = text
        .replace(',', " ,\r\n\t")
        .replace("\"contamination\":0.25", "\"contamination\" : 25e-2");
    assert_eq!(Model::from_json(&spaced).unwrap(), model);
}

#[test]
fn errors_say_what_is_wrong_and_where() {
    let text = forest().to_json().unwrap();
    let leaf = text.find("{\"leaf\":{\"rows\":").unwrap();
    let first_leaf = &text[leaf..leaf + text[leaf..].find("}}").unwrap() + 2];
    let cases = [
        ("\"algorithm\":", "\"algorithms\":", "missing field `algorithm` at line 1 column "),
        (
            "udfs-model/2",
            "udfs-model/3",
            "the format is `udfs-model/3`; hint: this program reads `udfs-model/2`",
        ),
        (
            "isolation_forest",
            "isolation",
            "the algorithm `isolation` is unknown; hint: known are isolation_forest, ext",
        ),
        (
            "\"number\"",
            "\"numeric\"",
            "unknown variant `numeric`, expected one of `number`, `boolean`, `timestamp`, `text` at line 1 column ",
        ),
        (
            "\"boolean\"",
            "\"text\"",
            "feature `is_ok` is of kind text: `categories` must be a list of pairs",
        ),
        (
            "\"text\"",
            "\"number\"",
            "feature `proto \"1\"` is of kind number: `categories` must be left out",
        ),
        ("\"is_ok\"", "\"bytes\"", "feature `bytes` is given twice"),
        (
            "\"frequency\"",
            "\"binary\"",
            "unknown variant `binary`, expected `frequency` or `one_hot`",
        ),
        (
            "[\"icmp\",1],[\"tcp\",5]",
            "[\"tcp\",5],[\"icmp\",1]",
            "its categories are not sorted; hint: undo the last change",
        ),
        ("\"training_rows\":9", "\"training_rows\":7", "it kept more rows than it saw, or none"),
        (
            "\"sample_rows\":8,\"contamination\"",
            "\"sample_rows\":8.5,\"contamination\"",
            "invalid type: floating point `8.5`, expected u64 at line 1 column ",
        ),
        ("\"contamination\":0.25", "\"contamination\":0.75", "its contamination is out of range"),
        (
            "\"contamination\":0.25",
            "\"contamination\":0",
            "`rows\":8,\"contamination\":0.0,\"threshold\":0.",
        ),
        ("\"threshold\":", "\"threshold\":1e999,\"x\":", "number out of range at line 1 column "),
        ("\"missing\":2", "\"missing\":-2", "invalid value: integer `-2`, expected u64"),
        ("\"quantiles\":[", "\"quantiles\":[0,", "invalid length 102, expected 101 percentiles"),
        ("[0,0.", "[1,0.", "its calibration does not ascend"),
        (
            "\"n_estimators\":3",
            "\"n_estimators\":0",
            "`n_estimators` must be between 1 and 10000, got 0 at line 1 column ",
        ),
        (
            "\"n_estimators\":3",
            "\"n_estimators\":2",
            "a list of it is too long, or a count of it too small",
        ),
        (
            "\"n_estimators\":3",
            "\"n_estimators\":4",
            "a list of it is too short, or a count of it too large",
        ),
        (
            "\"n_estimators\":3",
            "\"n_estimators\":3,\"n_estimators\":3",
            "duplicate field `n_estimators`",
        ),
        (
            "\"seed\":42",
            "\"seed\":42,\"speed\":1",
            "unknown field `speed`, expected one of `n_estimators`, `max_samples`",
        ),
        (
            "\"seed\":42},\"sample_rows\":8",
            "\"seed\":42},\"sample_rows\":4294967304",
            "would become",
        ),
        ("\"column\":", "\"column\":7", "a tree cuts a feature that the model does not have"),
        ("\"column\":", "\"column\":99999", "expected u16"),
        (
            "\"Infinity\"",
            "\"infinity\"",
            "invalid value: string \"infinity\", expected a number or \"Infinity\"",
        ),
        (first_leaf, "{\"leaf\":{\"rows\":0}}", "the leaves of a tree do not add up"),
        (first_leaf, &[first_leaf, ",", first_leaf].concat(), "hint: undo the last change"),
        ("\"trees\":[[", "\"trees\":[[],[", "would become"),
        ("\"trees\":[[", "\"trees\":[[[", "expected `,` or `]` at line 1 column "),
        ("{\"format\"", "[{\"format\"", "expected"),
        ("]]}}", "]]}", "EOF while parsing an object at line 1 column "),
        ("]]}}", "]]}} {}", "trailing characters at line 1 column "),
    ];
    for (from, to, expected) in cases {
        assert!(text.contains(from), "{from} is not in {text}");
        let found = error(&text.replacen(from, to, 1));
        assert!(found.contains(expected), "{from} to {to}: {found}");
    }
}

#[test]
fn matrices_and_rows_have_their_shapes() {
    let rows = usual(40);
    let of = |params: &dyn Hyperparameters| {
        crate::detectors::laws::model(params, &rows).to_json().unwrap()
    };
    let distance = of(&Mahalanobis::params().check().unwrap());
    let wide = distance.replacen("\"precision\":[[", "\"precision\":[[0,", 1);
    assert!(
        error(&wide).contains("row 0 of a lower triangle has 2 numbers, not 1 at line 1 column ")
    );
    let neighbors = of(&NearestNeighbors::params().check().unwrap());
    for start in ["\"rows\":[[0,", "\"rows\":[[],["] {
        let uneven = neighbors.replacen("\"rows\":[[", start, 1);
        assert!(error(&uneven).contains("all rows must have as many numbers as the first one"));
    }
}

/// Neither depth nor length makes it fall over.
#[test]
fn hostile_texts_are_errors() {
    let deep = |open: &str, close: &str| open.repeat(100_000) + "0" + &close.repeat(100_000);
    let deep = [deep("[", "]"), deep("{\"leaf\":", "}"), deep("{\"options\":[", "]}")];
    let long = ["0,", "null,", "[],", "[[],[]],", "{},"].map(|item| item.repeat(300_000));
    let params = KMeans::params().check().unwrap();
    for text in [forest(), model(&params, CategoryEncoding::OneHot, "")] {
        let text = text.to_json().unwrap();
        for place in [
            "calibration",
            "detector",
            "features",
            "options",
            "quantiles",
            "seed",
            "trees",
            "clusters",
        ] {
            let place = format!("\"{place}\":");
            for value in &deep {
                error(value);
                if text.contains(&place) {
                    error(&text.replacen(&place, &format!("{place}{value},\"x\":"), 1));
                    error(&text.replacen(&place, &format!("\"x\":{value},{place}"), 1));
                }
            }
            for items in &long {
                let list = format!("{place}[");
                if text.contains(&list) {
                    error(&text.replacen(&list, &format!("{list}{items}"), 1));
                }
            }
        }
        let found = error(&text.replacen("\"seed\":", &format!("\"x\":{},\"seed\":", deep[0]), 1));
        // What a flattened structure does not know is read before it is refused.
        let flattened = found.starts_with("recursion limit exceeded at line 1 column ");
        assert!(flattened || found.starts_with("unknown field `x`"), "{found}");
    }
}

proptest! {
    #[test]
    fn any_text_is_an_error(text in ".{0,80}", brackets in "[\\[\\]{}\",:0-9a]{0,80}") {
        prop_assert!(Model::from_json(&text).is_err() && Model::from_json(&brackets).is_err());
    }

    /// The bits of a number are those of its digits, the smallest and the largest ones too.
    #[test]
    fn thresholds_survive_bit_for_bit(threshold in any::<f64>().prop_filter("finite", |x| x.is_finite())) {
        let model = Model { threshold: threshold + 0.0, ..forest() };
        let read = Model::from_json(&model.to_json().unwrap()).unwrap();
        prop_assert_eq!(read.threshold.to_bits(), model.threshold.to_bits());
    }
}
