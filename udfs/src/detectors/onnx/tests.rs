use linfa::ParamGuard;
use ndarray::Array2;

use super::proto::{GraphProto, NodeProto};
use super::*;
use crate::detectors::categories::{CategoryCounts, CategoryEncoding, Encoder};
use crate::detectors::mahalanobis::Mahalanobis;
use crate::detectors::signature::{Feature, FeatureKind, Signature};
use crate::detectors::training::{Hyperparameters, TrainingOptions, train};

/// A model of rows without randomness; texts have the categories `a` and `b`, 30 and 10 rows, and
/// those given.
fn model(
    hyperparameters: &dyn Hyperparameters,
    features: &[(&str, FeatureKind)],
    encoding: CategoryEncoding,
    more: &[&str],
) -> Vec<u8> {
    let of = |(name, kind): &(&str, FeatureKind)| Feature { name: (*name).into(), kind: *kind };
    let signature = Signature::new(features.iter().map(of).collect()).unwrap();
    let mut counts = CategoryCounts::new("text".into(), encoding);
    counts.count("a", 30).unwrap();
    counts.count("b", 10).unwrap();
    more.iter().for_each(|text| counts.count(text, 1).unwrap());
    let texts = features.iter().filter(|(_, kind)| *kind == FeatureKind::Text).count();
    let encoder = Encoder::new(&signature, encoding, vec![counts.categories(); texts]);
    let options = TrainingOptions::new(Some(0.1), encoding).unwrap();
    let rows = Array2::from_shape_fn((40, features.len()), |(row, column)| {
        ((row * 7 + column) % 40 / 30) as f64 + (column == 0) as u8 as f64 * row as f64
    });
    train(hyperparameters, &options, signature, encoder, 40, rows.view(), None).unwrap().encode()
}

fn forest(features: &[(&str, FeatureKind)], encoding: CategoryEncoding) -> Vec<u8> {
    let params = IsolationForest::params().n_estimators(3).max_samples(16).check().unwrap();
    model(&params, features, encoding, &[])
}

const MIXED: [(&str, FeatureKind); 4] = [
    ("bytes", FeatureKind::Number),
    ("__seen", FeatureKind::Boolean),
    ("at", FeatureKind::Timestamp),
    ("proto", FeatureKind::Text),
];

fn graph(onnx: &[u8]) -> GraphProto {
    ModelProto::decode(onnx).unwrap().graph.unwrap()
}

fn operators(graph: &GraphProto) -> Vec<&str> {
    graph.node.iter().map(|node| node.op_type.as_str()).collect()
}

fn attribute<'a>(node: &'a NodeProto, name: &str) -> &'a proto::TensorProto {
    node.attribute.iter().find(|a| a.name == name).unwrap().t.as_ref().unwrap()
}

/// tests/model_export/onnx.rs runs such files with onnxruntime; this hash says that they are still those.
#[test]
fn the_same_model_gives_the_same_bytes_in_every_version() {
    let model = forest(&MIXED, CategoryEncoding::Frequency);
    let mut onnx = ModelProto::decode(to_onnx(&model).unwrap().as_slice()).unwrap();
    assert_eq!(onnx.encode_to_vec(), to_onnx(&model).unwrap());
    onnx.producer_version.clear();
    let hash = twox_hash::XxHash3_64::oneshot(&onnx.encode_to_vec());
    assert_eq!(format!("{hash:016x}"), "7d70a6e55d11af51");
}

#[test]
fn every_feature_is_an_input_of_its_name_and_type() {
    let graph = graph(&to_onnx(&forest(&MIXED, CategoryEncoding::Frequency)).unwrap());
    let inputs: Vec<_> =
        graph.input.iter().map(|input| (input.name.as_str(), input.doc_string.as_str())).collect();
    assert_eq!(
        inputs,
        [
            ("bytes", "number; NaN where missing"),
            ("__seen", "truth value, 0 or 1; NaN where missing"),
            ("at", "seconds since 1970 in UTC; NaN where missing"),
            ("proto", r"text; `\N` where missing"),
        ]
    );
    let outputs: Vec<_> = graph.output.iter().map(|output| output.name.as_str()).collect();
    assert_eq!(outputs, ["score", "is_anomaly"]);
    // Inner names begin with an underscore more than any feature.
    let inner = graph
        .node
        .iter()
        .flat_map(|node| &node.output)
        .filter(|name| !outputs.contains(&name.as_str()));
    assert!(inner.clone().count() > 0 && inner.clone().all(|name| name.starts_with("___")));
}

/// 30 and 10 of 40 rows; unseen texts have no row, `\N` is missing.
#[test]
fn frequencies_are_looked_up_in_the_graph() {
    let graph = graph(&to_onnx(&forest(&MIXED, CategoryEncoding::Frequency)).unwrap());
    assert_eq!(
        operators(&graph),
        ["LabelEncoder", "Concat", "TreeEnsemble", "Div", "Pow", "Greater"]
    );
    let lookup = &graph.node[0];
    assert_eq!(attribute(lookup, "keys_tensor").string_data, [&b"a"[..], b"b", br"\N"]);
    let shares = proto::TensorProto::doubles(&[0.75, 0.25, f64::NAN]);
    assert_eq!(attribute(lookup, "values_tensor"), &shares);
    assert_eq!(attribute(lookup, "default_tensor"), &proto::TensorProto::doubles(&[0.0]));
}

#[test]
fn one_hot_columns_are_made_in_the_graph() {
    let graph = graph(&to_onnx(&forest(&MIXED, CategoryEncoding::OneHot)).unwrap());
    let encode = ["LabelEncoder", "Equal", "Cast", "IsNaN", "Where"];
    let score = ["Concat", "TreeEnsemble", "Div", "Pow", "Greater"];
    assert_eq!(operators(&graph), [encode, score].concat());
    // Unseen texts have a position that no column has.
    let unseen = attribute(&graph.node[0], "default_tensor");
    assert_eq!(unseen, &proto::TensorProto::doubles(&[2.0]));
}

#[test]
fn metadata_tells_the_digest_and_the_threshold_of_the_model() {
    let bytes = forest(&MIXED, CategoryEncoding::Frequency);
    let model = Model::decode(&bytes).unwrap();
    let onnx = ModelProto::decode(to_onnx(&bytes).unwrap().as_slice()).unwrap();
    let find = |key: &str| {
        let entry = onnx.metadata_props.iter().find(|entry| entry.key == key);
        entry.unwrap().value.clone()
    };
    assert_eq!(find("udfs.model.digest"), format!("{:032x}", digest(&bytes).unwrap()));
    assert_eq!(find("udfs.model.threshold").parse(), Ok(model.threshold));
    assert_eq!(find("udfs.model.contamination"), "0.1");
    assert_eq!(find("udfs.model.n_estimators"), "3");
    assert_eq!(find("udfs.model.features"), "bytes:number,__seen:boolean,at:timestamp,proto:text");
    let keys: Vec<_> = onnx.metadata_props.iter().map(|entry| &entry.key).collect();
    assert!(keys.is_sorted());
}

#[test]
fn what_onnx_cannot_hold_is_an_error() {
    let error = |model: &[u8]| to_onnx(model).unwrap_err().to_string();
    assert!(error(b"nothing").contains("these bytes are not a model"));

    let mahalanobis = Mahalanobis::params().check().unwrap();
    let other = model(&mahalanobis, &MIXED[..1], CategoryEncoding::Frequency, &[]);
    assert_eq!(
        error(&other),
        "a model of algorithm `mahalanobis` cannot be written as ONNX, only one of \
         `isolation_forest`; hint: train it with `train_isolation_forest`, or score with \
         `anomaly_score`"
    );

    for name in ["", "score", "is_anomaly"] {
        let bytes = forest(&[(name, FeatureKind::Number)], CategoryEncoding::Frequency);
        assert!(error(&bytes).starts_with(&format!("feature `{name}` cannot be an input of ONNX")));
    }
    let params = IsolationForest::params().n_estimators(3).check().unwrap();
    for encoding in [CategoryEncoding::Frequency, CategoryEncoding::OneHot] {
        let bytes = model(&params, &MIXED[2..], encoding, &[r"\N", ""]);
        assert!(error(&bytes).starts_with(r"feature `proto` has the category `\N`"));
    }
}
