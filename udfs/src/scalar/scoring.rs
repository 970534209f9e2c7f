//! What `anomaly_score` and `is_anomaly` share: finding the features of each row's model.

use std::collections::HashMap;

use datafusion::arrow::array::{Array, ArrayRef, BinaryViewArray, UInt32Array};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{
    Result, exec_datafusion_err, internal_err, plan_datafusion_err, plan_err,
};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs};
use datafusion::scalar::ScalarValue;
use ndarray::Array2;

use super::model_argument::{ModelBytes, check_type, decode, to_views};
use crate::detectors::model::{Model, Signature};
use crate::features;

/// Checks `(model, features)` while planning. Where the field of the model says which features it
/// has, so are the features.
pub(super) fn check_arguments(function: &str, args: &ReturnFieldArgs) -> Result<()> {
    let [model, rows] = args.arg_fields else {
        return plan_err!("{function}: expected 2 arguments, got {}", args.arg_fields.len());
    };
    check_type(function, model)?;
    if rows.data_type() == &DataType::Null {
        return Ok(());
    }
    let fields = features::struct_fields(function, rows)?;
    let known = model.metadata().get(features::METADATA_KEY);
    if let Some(signature) = known.and_then(|text| Signature::parse(text)) {
        features::positions(&signature, fields)
            .map_err(|error| plan_datafusion_err!("{function}: {error}"))?;
    }
    Ok(())
}

/// Applies `verdict(model, score)` to each row; None where the model is NULL. A single value
/// where both arguments are.
pub(super) fn score<T: Copy>(
    function: &str,
    args: &ScalarFunctionArgs,
    verdict: impl Fn(&Model, f64) -> T,
    to_array: impl Fn(Vec<Option<T>>) -> ArrayRef,
) -> Result<ColumnarValue> {
    let [model, rows] = args.args.as_slice() else {
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
                for (out, score) in verdicts.iter_mut().zip(scores(function, &model, &rows)?) {
                    *out = Some(verdict(&model, score));
                }
            }
        }
        ColumnarValue::Array(models) => {
            let models = to_views(models)?;
            for (bytes, positions) in group(&models) {
                let model = decode(function, bytes)?;
                let rows = take(&rows, &UInt32Array::from(positions.clone()), None)?;
                for (row, score) in positions.iter().zip(scores(function, &model, &rows)?) {
                    verdicts[*row as usize] = Some(verdict(&model, score));
                }
            }
        }
    }
    let verdicts = to_array(verdicts);
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

fn scores(function: &str, model: &Model, rows: &ArrayRef) -> Result<Vec<f64>> {
    let width = model.signature.features().len();
    let records = if rows.data_type() == &DataType::Null {
        Array2::from_elem((rows.len(), width), f64::NAN)
    } else {
        let rows = features::struct_array(function, rows)?;
        let positions = features::positions(&model.signature, rows.fields())
            .map_err(|error| exec_datafusion_err!("{function}: {error}"))?;
        features::matrix(rows, &positions)?
    };
    Ok(model.detector.scores(records.view()))
}
