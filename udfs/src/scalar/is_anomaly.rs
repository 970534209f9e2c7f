//! `is_anomaly(model, features)`.

use std::sync::Arc;

use datafusion::arrow::array::BooleanArray;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::{anomaly_score, scoring};
use crate::doc::{FunctionDoc, Kind};

const NAME: &str = "is_anomaly";

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: NAME,
    kind: Kind::Scalar,
    summary: "Tells whether the anomaly score of a row is above the threshold of the model.",
    syntax: "is_anomaly(model, features)",
    arguments: &[anomaly_score::MODEL, anomaly_score::FEATURES],
    returns: "BOOLEAN: `anomaly_score(model, features) > model_info(model).threshold`. The \
              threshold is the algorithm's (0.5 for an isolation forest), or set in training so \
              that the share `contamination` of the sampled rows is above.",
    nulls: "As `anomaly_score`: a NULL model gives NULL, NULL features are missing.",
    empty: "No rows in, no rows out.",
    errors: "As `anomaly_score`.",
    determinism: "The same model and row give the same answer on every machine.",
    cost: "As `anomaly_score`.",
    example: "SELECT is_anomaly(model, {bytes: 1000}), is_anomaly(model, {bytes: 1000000000}) FROM \
              (SELECT train_isolation_forest({bytes: value * value * value}, value, \
              {contamination: 0.01}) AS model FROM generate_series(1, 1000))",
    example_result: "false true",
    source: "scikit-learn IsolationForest.predict, with contamination as its percentile rule",
    related: &["anomaly_score", "train_isolation_forest", "model_info"],
    since: "0.1.0",
};

/// The SQL function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct IsAnomaly {
    signature: Signature,
}

impl IsAnomaly {
    pub(crate) fn new() -> Self {
        Self { signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for IsAnomaly {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        scoring::check_arguments(NAME, &args, 0)?;
        Ok(Arc::new(Field::new(NAME, DataType::Boolean, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        scoring::judge_scores(NAME, &args, |model, scores| {
            let answers = scores.into_iter().map(|score| score > model.threshold);
            Ok(Arc::new(BooleanArray::from_iter(answers.map(Some))))
        })
    }
}
