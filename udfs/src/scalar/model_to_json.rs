//! `model_to_json(model)`.

use std::sync::Arc;

use datafusion::arrow::array::StringViewBuilder;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::anomaly_score;
use super::model_argument::{check_one, describe_models};
use crate::doc::{FunctionDoc, Kind};

const NAME: &str = "model_to_json";

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: NAME,
    kind: Kind::Scalar,
    summary: "Writes all that a model is as JSON: to read it, compare two of them, change one, or \
              use it in other programs.",
    syntax: "model_to_json(model)",
    arguments: &[anomaly_score::MODEL],
    returns: "VARCHAR: an object on one line, with the fields `format` (`udfs-model/2`), `algorithm`, \
              `features` (name, kind and, of a text, its `categories` with their rows), \
              `categories`, `training_rows`, `sample_rows`, `contamination` (null where not given), \
              `threshold`, `statistics` (per feature), `calibration` ([rank, score] pairs) and \
              `detector`: its `options` by their names in SQL (null where the default depends on the \
              data) and what was learned. Trees are lists of nodes in preorder; a `column` counts \
              from 0. Names and their order are stable. Numbers have as many digits as their bits \
              need; the threshold of a cut between present and missing values is `\"Infinity\"`.",
    nulls: "A NULL model gives NULL.",
    empty: "No rows in, no rows out.",
    errors: "Bytes that are not a model, are damaged, or have another version.",
    determinism: "Depends on the model alone: equal models have equal texts. `model_from_json` gives \
                  the same bytes back for a model of format version 2; for one of version 1 it gives \
                  the version 2 of it, without the statistics and the calibration that it lacks.",
    cost: "Decodes each model once and holds its text, 2 to 6 times as long as its bytes: some \
           megabytes for a forest of 100 trees.",
    example: "SELECT substr(model_to_json(model), 1, 99) FROM (SELECT train_robust_z_score({bytes: \
              value}, value) AS model FROM generate_series(1, 9))",
    example_result: "{\"format\":\"udfs-model/2\",\"algorithm\":\"robust_z_score\",\"features\":[{\"name\":\"bytes\",\"kind\":\"number\"}]",
    source: "The model format of this crate; JSON: RFC 8259",
    related: &["model_from_json", "model_info", "model_features"],
    since: "0.1.0",
};

/// The SQL function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct ModelToJson {
    signature: Signature,
}

impl ModelToJson {
    pub(crate) fn new() -> Self {
        Self { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for ModelToJson {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        check_one(NAME, &args)?;
        Ok(Arc::new(Field::new(NAME, DataType::Utf8View, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        describe_models(NAME, &args, |models| {
            // Views: the texts of a batch together may be longer than 2 GiB.
            let mut texts = StringViewBuilder::new();
            for model in models {
                let Some((model, _)) = model else {
                    texts.append_null();
                    continue;
                };
                let text = model.to_json();
                let text = text.map_err(|error| exec_datafusion_err!("{NAME}: {error}"))?;
                texts.try_append_value(text)?;
            }
            Ok(Arc::new(texts.finish()))
        })
    }
}
