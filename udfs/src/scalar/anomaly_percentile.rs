//! `anomaly_percentile(model, features)`.

use std::sync::Arc;

use datafusion::arrow::array::Float64Array;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::model_argument::calibration;
use super::{anomaly_score, scoring};
use crate::doc::{FunctionDoc, Kind};

const NAME: &str = "anomaly_percentile";

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: NAME,
    kind: Kind::Scalar,
    summary: "Says how unusual the anomaly score of a row is: the share of the training sample \
              that scores at most as high, in percent. Comparable between algorithms.",
    syntax: "anomaly_percentile(model, features)",
    arguments: &[anomaly_score::MODEL, anomaly_score::FEATURES],
    returns: "DOUBLE from 0 (below every training score) to 100 (at or above the highest). An \
              ensemble is the mean of the percentiles of its models, as in the example.",
    nulls: "As `anomaly_score`: a NULL model gives NULL, NULL features are missing.",
    empty: "No rows in, no rows out. A model trained on one row knows 0 and 100 alone.",
    errors: "As `anomaly_score`; a model of format version 1, which has no calibration.",
    determinism: "The same model and row give the same bits on every machine where the algorithm \
                  does.",
    cost: "As `anomaly_score`, and a binary search among at most 1024 scores. A sample of up to \
           1024 rows is kept exactly; of a larger one 512 scores at equal distances, with linear \
           interpolation, and the 512 highest.",
    example: "WITH rows AS (SELECT value AS id, {x: value, y: value % 10} AS features FROM \
              generate_series(1, 1000)), models AS (SELECT train_isolation_forest(features, id, \
              {seed: 1}) AS a, train_isolation_forest(features, id, {seed: 2}) AS b FROM rows) \
              SELECT (anomaly_percentile(a, {x: 90000, y: 50}) + anomaly_percentile(b, {x: 90000, \
              y: 50})) / 2 AS percentile FROM models",
    example_result: "99.65",
    source: "scipy.stats.percentileofscore with kind='weak'",
    related: &["anomaly_score", "alert_threshold"],
    since: "0.1.0",
};

/// The SQL function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct AnomalyPercentile {
    signature: Signature,
}

impl AnomalyPercentile {
    pub(crate) fn new() -> Self {
        Self { signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for AnomalyPercentile {
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
        scoring::judge_scores(NAME, &args, |model, scores| {
            let calibration = calibration(NAME, model)?;
            let percentiles = scores.into_iter().map(|score| calibration.percentile(score));
            Ok(Arc::new(Float64Array::from_iter_values(percentiles)))
        })
    }
}
