//! `anomaly_score(model, features)`.

use std::sync::Arc;

use datafusion::arrow::array::Float64Array;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::scoring;
use crate::doc::{Argument, FunctionDoc, Kind};

const NAME: &str = "anomaly_score";

pub(super) const MODEL: Argument = Argument {
    name: "model",
    types: "BINARY",
    description: "A model made by a `train_*` function: one for all rows, `(SELECT model FROM \
                  models.m)`, or a column, as from a join that gives each segment its model.",
};

pub(super) const FEATURES: Argument = Argument {
    name: "features",
    types: "STRUCT of numbers, booleans, timestamps, dates and strings",
    description: "The features of the row, found by name. Fields that the model does not know \
                  are ignored.",
};

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: NAME,
    kind: Kind::Scalar,
    summary: "Scores how anomalous a row is under a model.",
    syntax: "anomaly_score(model, features)",
    arguments: &[MODEL, FEATURES],
    returns: "DOUBLE; larger is more anomalous. Isolation forest: in (0, 1]; near 1 is an \
              anomaly, well below 0.5 is usual, all near 0.5 means that nothing stands out. It is \
              scikit-learn's `-score_samples`; its `decision_function` is the threshold of \
              `model_info` minus this score.",
    nulls: "A NULL model gives NULL. A NULL or NaN feature is missing, and goes the way that the \
            model drew for missing values. A NULL struct is a row with all features missing.",
    empty: "No rows in, no rows out.",
    errors: "A feature of the model that is absent or of another kind: while planning where the \
             model comes straight from training or from a table that keeps its metadata, else \
             while running. Bytes that are not a model, are damaged, or have another version.",
    determinism: "The same model and row give the same bits on every machine.",
    cost: "`n_estimators` x height comparisons per row. A model is decoded once, not once per row \
           or batch.",
    example: "SELECT round(anomaly_score(model, {bytes: 1000}), 2), round(anomaly_score(model, \
              {bytes: 1000000000}), 2) FROM (SELECT train_isolation_forest({bytes: value * value * \
              value}, value) AS model FROM generate_series(1, 1000))",
    example_result: "0.43 0.7",
    source: "Liu, Ting, Zhou 2008, Isolation Forest, ICDM, equation 2",
    related: &["is_anomaly", "train_isolation_forest", "model_info"],
    since: "0.1.0",
};

/// The SQL function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct AnomalyScore {
    signature: Signature,
}

impl AnomalyScore {
    pub(crate) fn new() -> Self {
        Self { signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for AnomalyScore {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        scoring::check_arguments(NAME, &args, 0)?;
        Ok(Arc::new(Field::new(NAME, DataType::Float64, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        scoring::judge_scores(NAME, &args, |_, scores| Ok(Arc::new(Float64Array::from(scores))))
    }
}
