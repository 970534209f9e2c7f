//! `alert_threshold(model, rate)`.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, Float64Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::{Result, exec_err, internal_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use super::anomaly_score;
use super::model_argument::{calibration, check_type, decode, to_views};
use crate::doc::{Argument, FunctionDoc, Kind};

const NAME: &str = "alert_threshold";

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: NAME,
    kind: Kind::Scalar,
    summary: "Gives the anomaly score above which a share of the training sample lies: the \
              threshold for a wanted rate of alerts.",
    syntax: "alert_threshold(model, rate)",
    arguments: &[
        anomaly_score::MODEL,
        Argument {
            name: "rate",
            types: "number",
            description: "Wanted share of rows above the threshold, from 0 to 1: 0.001 for one \
                          row in a thousand.",
        },
    ],
    returns: "DOUBLE on the scale of `anomaly_score`; `anomaly_score(model, features) > \
              alert_threshold(model, 0.001)` is true for about one row in a thousand like those \
              of training.",
    nulls: "NULL where an argument is NULL.",
    empty: "No rows in, no rows out. A model trained on one row has one threshold.",
    errors: "A rate outside 0 to 1; a model of format version 1, which has no calibration; bytes \
             that are not a model.",
    determinism: "Depends on the model and the rate alone.",
    cost: "Decodes each model once; a binary search among at most 1024 scores.",
    example: "SELECT round(alert_threshold(model, 0.01), 2) FROM (SELECT \
              train_isolation_forest({x: value * value}, value) AS model FROM \
              generate_series(1, 1000))",
    example_result: "0.64",
    source: "numpy.quantile of the training scores at 1 - rate, linear interpolation",
    related: &["anomaly_percentile", "is_anomaly", "model_info"],
    since: "0.1.0",
};

/// The SQL function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct AlertThreshold {
    signature: Signature,
}

impl AlertThreshold {
    pub(crate) fn new() -> Self {
        Self { signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for AlertThreshold {
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
        let [model, rate] = args.arg_fields else {
            return plan_err!("{NAME}: expected 2 arguments, got {}", args.arg_fields.len());
        };
        check_type(NAME, model)?;
        if !(rate.data_type().is_numeric() || rate.data_type().is_null()) {
            return plan_err!("{NAME}: argument `rate` must be a number, got {}", rate.data_type());
        }
        Ok(Arc::new(Field::new(NAME, DataType::Float64, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [models, rates] = args.args.as_slice() else {
            return internal_err!("{NAME}: expected 2 arguments, got {}", args.args.len());
        };
        let is_scalar =
            matches!((models, rates), (ColumnarValue::Scalar(_), ColumnarValue::Scalar(_)));
        let rows = if is_scalar { 1 } else { args.number_rows };
        let models = to_views(&models.to_array(rows)?)?;
        let rates = cast(&rates.to_array(rows)?, &DataType::Float64)?;
        let pairs = models.iter().zip(rates.as_primitive::<Float64Type>());
        let thresholds = pairs
            .map(|pair| match pair {
                (Some(_), Some(rate)) if !(0.0..=1.0).contains(&rate) => {
                    exec_err!("{NAME}: argument `rate` must be from 0 to 1, got {rate}")
                }
                (Some(model), Some(rate)) => {
                    let model = decode(NAME, model)?;
                    Ok(Some(calibration(NAME, &model)?.threshold(rate)))
                }
                _ => Ok(None),
            })
            .collect::<Result<Float64Array>>()?;
        Ok(if is_scalar {
            let threshold = (!thresholds.is_null(0)).then(|| thresholds.value(0));
            ColumnarValue::Scalar(ScalarValue::Float64(threshold))
        } else {
            ColumnarValue::Array(Arc::new(thresholds))
        })
    }
}
