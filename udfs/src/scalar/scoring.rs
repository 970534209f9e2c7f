//! What the functions of a model and a row share: finding the features of each row's model.

use std::collections::HashMap;

use datafusion::arrow::array::{Array, ArrayRef, BinaryViewArray, UInt32Array, new_null_array};
use datafusion::arrow::compute::{interleave, take};
use datafusion::common::{Result, internal_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs};
use datafusion::scalar::ScalarValue;
use ndarray::ArrayView2;

use super::model_argument::{ModelBytes, decode, to_views};
use crate::detectors::model::Model;
use crate::features;

/// Checks `(model, features)`, and up to `more` arguments behind them, while planning. Where the
/// field of the model says which features it has, so are the features.
pub(super) fn check_arguments(function: &str, args: &ReturnFieldArgs, more: usize) -> Result<()> {
    let [model, rows, others @ ..] = args.arg_fields else {
        return plan_err!("{function}: expected 2 arguments, got {}", args.arg_fields.len());
    };
    if others.len() > more {
        return plan_err!("{function}: expected 2 arguments, got {}", args.arg_fields.len());
    }
    features::check_model_and_features(function, model, rows)
}

/// Makes a column of the scores of the rows of each model with `judge(model, scores)`; NULL where the
/// model is NULL. A single value where both arguments are.
pub(super) fn judge_scores(
    function: &str,
    args: &ScalarFunctionArgs,
    judge: impl Fn(&Model, Vec<f64>) -> Result<ArrayRef>,
) -> Result<ColumnarValue> {
    judge_rows(function, args, |model, rows| judge(model, model.scores(rows)))
}

/// Makes a column of the rows of each model with `judge(model, rows)`; NULL where the model is NULL.
/// A single value where both arguments are.
pub(super) fn judge_rows(
    function: &str,
    args: &ScalarFunctionArgs,
    judge: impl Fn(&Model, ArrayView2<'_, f64>) -> Result<ArrayRef>,
) -> Result<ColumnarValue> {
    let [model, rows, ..] = args.args.as_slice() else {
        return internal_err!("{function}: expected 2 arguments, got {}", args.args.len());
    };
    let is_scalar = matches!((model, rows), (ColumnarValue::Scalar(_), ColumnarValue::Scalar(_)));
    let number_rows = if is_scalar { 1 } else { args.number_rows };
    let rows = rows.to_array(number_rows)?;
    let judge = |model: &[u8], rows: &ArrayRef| {
        let model = decode(function, model)?;
        judge(&model, features::matrix_of_model(function, &model, rows)?.view())
    };
    let nulls = |length| new_null_array(args.return_type(), length);
    let judged = match model {
        ColumnarValue::Scalar(model) => {
            let model = to_views(&model.to_array()?)?;
            match model.is_valid(0) {
                true => judge(model.value(0), &rows)?,
                false => nulls(number_rows),
            }
        }
        ColumnarValue::Array(models) => {
            let models = to_views(models)?;
            // What is not found in the rows of any model is the NULL in front of them.
            let mut judged = vec![nulls(1)];
            let mut found = vec![(0, 0); number_rows];
            for (bytes, positions) in group(&models) {
                for (at, row) in positions.iter().enumerate() {
                    found[*row as usize] = (judged.len(), at);
                }
                judged.push(judge(bytes, &take(&rows, &UInt32Array::from(positions), None)?)?);
            }
            let judged: Vec<&dyn Array> = judged.iter().map(AsRef::as_ref).collect();
            interleave(&judged, &found)?
        }
    };
    Ok(if is_scalar {
        ColumnarValue::Scalar(ScalarValue::try_from_array(&judged, 0)?)
    } else {
        ColumnarValue::Array(judged)
    })
}

/// The rows of each distinct model, in order of first appearance.
fn group(models: &BinaryViewArray) -> Vec<(&[u8], Vec<u32>)> {
    let mut groups: Vec<(&[u8], Vec<u32>)> = vec![];
    let mut index = HashMap::new();
    for (row, model) in models.iter().enumerate() {
        let Some(bytes) = model else { continue };
        let group = *index.entry(ModelBytes(bytes)).or_insert_with(|| {
            groups.push((bytes, vec![]));
            groups.len() - 1
        });
        groups[group].1.push(row as u32);
    }
    groups
}
