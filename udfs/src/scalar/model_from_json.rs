//! `model_from_json(json)`.

use std::sync::Arc;

use datafusion::arrow::array::{AsArray, BinaryViewBuilder};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_datafusion_err, internal_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use crate::detectors::model::Model;
use crate::doc::{Argument, FunctionDoc, Kind};

const NAME: &str = "model_from_json";

const JSON: Argument = Argument {
    name: "json",
    types: "VARCHAR",
    description: "What `model_to_json` gives, as it is or changed. Spaces, line ends and the order \
                  of fields do not matter.",
};

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: NAME,
    kind: Kind::Scalar,
    summary: "Reads a model from JSON.",
    syntax: "model_from_json(json)",
    arguments: &[JSON],
    returns: "BINARY: a model for `anomaly_score` and its relatives, equal byte for byte to the one \
              that `model_to_json` was given.",
    nulls: "NULL gives NULL. Numbers of JSON are never NaN or infinite.",
    empty: "No rows in, no rows out.",
    errors: "Text that is not JSON, with line and column; an unknown, missing or repeated field; a \
             value of another type or out of its range; lists whose lengths do not fit together; \
             whatever no training gives, such as a tree whose leaves do not share out its rows. \
             Nothing is accepted that would not be accepted as BINARY, and nothing is altered.",
    determinism: "Depends on the text alone. The bits of numbers are those nearest to their digits.",
    cost: "A few passes over each text, every row anew. Memory is proportional to the text: about \
           twice its length beside it.",
    example: "SELECT model = model_from_json(model_to_json(model)) FROM (SELECT \
              train_robust_z_score({bytes: value}, value) AS model FROM generate_series(1, 9))",
    example_result: "true",
    source: "The model format of this crate; JSON: RFC 8259",
    related: &["model_to_json", "model_info"],
    since: "0.1.0",
};

/// The SQL function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct ModelFromJson {
    signature: Signature,
}

impl ModelFromJson {
    pub(crate) fn new() -> Self {
        Self { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for ModelFromJson {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::BinaryView)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let [json] = args.arg_fields else {
            return plan_err!("{NAME}: expected 1 argument, got {}", args.arg_fields.len());
        };
        let data_type = match json.data_type() {
            DataType::Dictionary(_, values) => values,
            other => other,
        };
        if !(data_type.is_string() || data_type.is_null()) {
            return plan_err!("{NAME}: argument `json` must be VARCHAR, got {}", json.data_type());
        }
        Ok(Arc::new(Field::new(NAME, DataType::BinaryView, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [json] = args.args.as_slice() else {
            return internal_err!("{NAME}: expected 1 argument, got {}", args.args.len());
        };
        let is_scalar = matches!(json, ColumnarValue::Scalar(_));
        let texts = json.to_array(if is_scalar { 1 } else { args.number_rows })?;
        let texts = cast(&texts, &DataType::Utf8View)?;
        let mut models = BinaryViewBuilder::new();
        for text in texts.as_string_view() {
            let Some(text) = text else {
                models.append_null();
                continue;
            };
            let model = Model::from_json(text)
                .map_err(|error| exec_datafusion_err!("{NAME}: argument `json`: {error}"))?;
            models.try_append_value(model.encode())?;
        }
        let models = models.finish();
        Ok(match is_scalar {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&models, 0)?),
            false => ColumnarValue::Array(Arc::new(models)),
        })
    }
}
