//! What the functions of a model and a row share: finding the features of each row's model.

use std::collections::HashMap;

use datafusion::arrow::array::{Array, ArrayRef, BinaryViewArray, UInt32Array};
use datafusion::arrow::compute::take;
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

/// Applies `verdict(model, score)` to each row; None where the model is NULL. A single value
/// where both arguments are.
pub(super) fn score<T: Clone>(
    function: &str,
    args: &ScalarFunctionArgs,
    verdict: impl Fn(&Model, f64) -> Result<T>,
    to_array: impl FnOnce(Vec<Option<T>>) -> Result<ArrayRef>,
) -> Result<ColumnarValue> {
    let judge = |model: &Model, rows: ArrayView2<'_, f64>| {
        model.scores(rows).into_iter().map(|score| verdict(model, score)).collect()
    };
    judge_rows(function, args, judge, to_array)
}

/// Applies `judge(model, rows)`, which gives a verdict per row, to the rows of each model; None where
/// the model is NULL. A single value where both arguments are.
pub(super) fn judge_rows<T: Clone>(
    function: &str,
    args: &ScalarFunctionArgs,
    judge: impl Fn(&Model, ArrayView2<'_, f64>) -> Result<Vec<T>>,
    to_array: impl FnOnce(Vec<Option<T>>) -> Result<ArrayRef>,
) -> Result<ColumnarValue> {
    let [model, rows, ..] = args.args.as_slice() else {
        return internal_err!("{function}: expected 2 arguments, got {}", args.args.len());
    };
    let is_scalar = matches!((model, rows), (ColumnarValue::Scalar(_), ColumnarValue::Scalar(_)));
    let number_rows = if is_scalar { 1 } else { args.number_rows };
    let rows = rows.to_array(number_rows)?;
    let mut verdicts = vec![None; number_rows];
    match model {
        ColumnarValue::Scalar(model) => {
            let model = to_views(&model.to_array()?)?;
            if model.is_valid(0) {
                let model = decode(function, model.value(0))?;
                let judged =
                    judge(&model, features::matrix_of_model(function, &model, &rows)?.view())?;
                verdicts = judged.into_iter().map(Some).collect();
            }
        }
        ColumnarValue::Array(models) => {
            let models = to_views(models)?;
            for (bytes, positions) in group(&models) {
                let model = decode(function, bytes)?;
                let rows = take(&rows, &UInt32Array::from(positions.clone()), None)?;
                let judged =
                    judge(&model, features::matrix_of_model(function, &model, &rows)?.view())?;
                for (row, verdict) in positions.into_iter().zip(judged) {
                    verdicts[row as usize] = Some(verdict);
                }
            }
        }
    }
    let verdicts = to_array(verdicts)?;
    Ok(if is_scalar {
        ColumnarValue::Scalar(ScalarValue::try_from_array(&verdicts, 0)?)
    } else {
        ColumnarValue::Array(verdicts)
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
