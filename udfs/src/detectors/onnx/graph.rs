//! The graph of a model: from one input per feature to the score.

use super::proto::{
    AttributeProto, DataType, GraphProto, ML_DOMAIN, NodeProto, TensorProto, ValueInfoProto,
};
use super::{ALERT_MARGIN, IS_ANOMALY, MISSING_TEXT, OnnxError, SCORE};
use crate::detectors::categories::{Categories, CategoryEncoding};
use crate::detectors::isolation_forest::IsolationForest;
use crate::detectors::model::Model;
use crate::detectors::signature::{Feature, FeatureKind};

/// A graph under construction.
struct Builder {
    graph: GraphProto,
    /// What the names of inner values begin with, and that of no feature.
    prefix: String,
}

/// The graph of an isolation forest.
pub(super) fn isolation_forest(
    model: &Model,
    forest: &IsolationForest,
) -> Result<GraphProto, OnnxError> {
    let features = model.signature.features();
    let mut builder = Builder::new(features);
    builder.graph.name = model.detector.algorithm().as_str().to_owned();
    let mut columns = vec![];
    for (at, feature) in features.iter().enumerate() {
        columns.extend(builder.feature(model, at, feature)?);
    }
    let row = builder.node("Concat", &columns, "row", vec![AttributeProto::int("axis", 1)]);
    let sum = builder.node("TreeEnsemble", &[row], "sum", forest.tree_ensemble());
    let trees = builder.constant("trees", &[-(forest.trees() as f64)]);
    let exponent = builder.node("Div", &[sum, trees], "exponent", vec![]);
    let two = builder.constant("two", &[2.0]);
    builder.output("Pow", &[two, exponent], SCORE, DataType::Double);
    let alert = builder.constant("alert", &[model.threshold + ALERT_MARGIN]);
    builder.output("Greater", &[SCORE.to_owned(), alert], IS_ANOMALY, DataType::Bool);
    Ok(builder.graph)
}

impl Builder {
    fn new(features: &[Feature]) -> Self {
        let underscores = |name: &str| name.len() - name.trim_start_matches('_').len();
        let most = features.iter().map(|feature| underscores(&feature.name)).max();
        let prefix = "_".repeat(most.unwrap_or(0) + 1);
        Self { graph: GraphProto::default(), prefix }
    }

    /// Adds the input of a feature; gives the columns that it becomes.
    fn feature(
        &mut self,
        model: &Model,
        at: usize,
        feature: &Feature,
    ) -> Result<Option<String>, OnnxError> {
        let name = &feature.name;
        if name.is_empty() || [SCORE, IS_ANOMALY].contains(&name.as_str()) {
            return Err(OnnxError::Name(name.clone()));
        }
        let (data_type, doc) = match feature.kind {
            FeatureKind::Number => (DataType::Double, "number; NaN where missing".to_owned()),
            FeatureKind::Boolean => {
                (DataType::Double, "truth value, 0 or 1; NaN where missing".to_owned())
            }
            FeatureKind::Timestamp => {
                (DataType::Double, "seconds since 1970 in UTC; NaN where missing".to_owned())
            }
            FeatureKind::Text => {
                (DataType::String, format!("text; `{MISSING_TEXT}` where missing"))
            }
        };
        self.graph.input.push(ValueInfoProto::column(name, data_type, &doc));
        let Some(categories) = model.encoder.categories(at) else { return Ok(Some(name.clone())) };
        if categories.iter().any(|(text, _)| text == MISSING_TEXT) {
            return Err(OnnxError::Category(name.clone()));
        }
        Ok(match model.encoder.encoding() {
            CategoryEncoding::Frequency => {
                let total = categories.total();
                let shares = categories.iter().map(|(_, rows)| rows as f64 / total);
                Some(self.lookup(at, name, categories, shares.collect(), 0.0))
            }
            CategoryEncoding::OneHot => self.one_hot(at, name, categories),
        })
    }

    /// The number of each category; NaN where the text is missing.
    fn lookup(
        &mut self,
        at: usize,
        feature: &str,
        categories: &Categories,
        mut numbers: Vec<f64>,
        unseen: f64,
    ) -> String {
        let keys = categories.iter().map(|(text, _)| text).chain([MISSING_TEXT]);
        numbers.push(f64::NAN);
        let attributes = vec![
            AttributeProto::tensor("default_tensor", TensorProto::doubles(&[unseen])),
            AttributeProto::tensor("keys_tensor", TensorProto::texts(keys)),
            AttributeProto::tensor("values_tensor", TensorProto::doubles(&numbers)),
        ];
        self.node("LabelEncoder", &[feature.to_owned()], &format!("category_{at}"), attributes)
    }

    /// A column of 0 and 1 for each category, all NaN where the text is missing; nothing where there
    /// is no category.
    fn one_hot(&mut self, at: usize, feature: &str, categories: &Categories) -> Option<String> {
        let count = categories.iter().len();
        if count == 0 {
            return None;
        }
        let positions: Vec<f64> = (0..count).map(|position| position as f64).collect();
        let category = self.lookup(at, feature, categories, positions.clone(), count as f64);
        let positions = self.constant(&format!("positions_{at}"), &positions);
        let inner = |part: &str| format!("{part}_{at}");
        let equal = self.node("Equal", &[category.clone(), positions], &inner("equal"), vec![]);
        let to_double = vec![AttributeProto::int("to", DataType::Double as i64)];
        let bits = self.node("Cast", &[equal], &inner("bits"), to_double);
        let missing = self.node("IsNaN", &[category], &inner("missing"), vec![]);
        let nan = self.constant(&inner("nan"), &[f64::NAN]);
        Some(self.node("Where", &[missing, nan, bits], &inner("one_hot"), vec![]))
    }

    /// Adds a row of constants; gives its name.
    fn constant(&mut self, name: &str, values: &[f64]) -> String {
        let name = format!("{}{name}", self.prefix);
        let dims = vec![1, values.len() as i64];
        let tensor = TensorProto { name: name.clone(), dims, ..TensorProto::doubles(values) };
        self.graph.initializer.push(tensor);
        name
    }

    /// Adds an operator; gives the name of its result.
    fn node(
        &mut self,
        operator: &str,
        inputs: &[String],
        output: &str,
        attribute: Vec<AttributeProto>,
    ) -> String {
        let output = format!("{}{output}", self.prefix);
        self.operator(operator, inputs, output.clone(), attribute);
        output
    }

    /// Adds an operator whose result is one of the graph.
    fn output(&mut self, operator: &str, inputs: &[String], output: &str, data_type: DataType) {
        self.operator(operator, inputs, output.to_owned(), vec![]);
        self.graph.output.push(ValueInfoProto::column(output, data_type, ""));
    }

    fn operator(
        &mut self,
        operator: &str,
        inputs: &[String],
        output: String,
        attribute: Vec<AttributeProto>,
    ) {
        let classical = ["LabelEncoder", "TreeEnsemble"].contains(&operator);
        self.graph.node.push(NodeProto {
            input: inputs.to_vec(),
            output: vec![output],
            op_type: operator.to_owned(),
            attribute,
            domain: if classical { ML_DOMAIN } else { "" }.to_owned(),
        });
    }
}
