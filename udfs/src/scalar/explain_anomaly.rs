//! `explain_anomaly(model, features[, top])`.

use std::fmt::Write;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, Float64Array, ListArray, StringArray, StringBuilder, StructArray, UInt32Array,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::arrow::temporal_conversions::timestamp_us_to_datetime;
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};
use datafusion::scalar::ScalarValue;
use ndarray::ArrayView2;

use super::{anomaly_score, scoring};
use crate::detectors::model::Model;
use crate::detectors::signature::FeatureKind;
use crate::doc::{Argument, FunctionDoc, Kind};

const NAME: &str = "explain_anomaly";

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: NAME,
    kind: Kind::Scalar,
    summary: "Says which features made the anomaly score of a row, and how much each of them.",
    syntax: "explain_anomaly(model, features[, top])",
    arguments: &[
        anomaly_score::MODEL,
        anomaly_score::FEATURES,
        Argument {
            name: "top",
            types: "integer literal",
            description: "How many features, from 1. Default: all.",
        },
    ],
    returns: "LIST of STRUCT of `feature` VARCHAR, `value` VARCHAR (as the model saw it; NULL \
              where missing) and `contribution` DOUBLE (on the scale of `anomaly_score`; positive \
              makes the row more anomalous), largest contribution first. All contributions and \
              the score of a row of which nothing is known add up to the score: see the \
              documentation of the training function for how the algorithm takes its score apart.",
    nulls: "A NULL model gives NULL. A missing feature has the value NULL and the contribution of \
            being missing.",
    empty: "No rows in, no rows out.",
    errors: "As `anomaly_score`; `top` that is not a positive integer literal.",
    determinism: "The same model and row give the same list on every machine where the algorithm \
                  does. Equal contributions stand in the order of the model's features.",
    cost: "Isolation forest: at most 5 times that of `anomaly_score`, mostly less than twice.",
    example: "SELECT e['feature'], e['value'] FROM (SELECT explain_anomaly(model, {bytes: \
              1000000000, port: 443}, 1)[1] AS e FROM (SELECT train_isolation_forest({bytes: \
              value * value, port: 443 + value % 2}, value) AS model FROM generate_series(1, \
              1000)))",
    example_result: "bytes 1000000000",
    source: "Saabas 2014, Interpreting random forests, for trees; the score's own sum elsewhere",
    related: &["anomaly_score", "model_info"],
    since: "0.1.0",
};

/// The SQL function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct ExplainAnomaly {
    signature: Signature,
}

impl ExplainAnomaly {
    pub(crate) fn new() -> Self {
        let arities = vec![TypeSignature::Any(2), TypeSignature::Any(3)];
        Self { signature: Signature::one_of(arities, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for ExplainAnomaly {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(item()))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        scoring::check_arguments(NAME, &args, 1)?;
        if let Some(top) = args.arg_fields.get(2) {
            match args.scalar_arguments.get(2).copied().flatten() {
                Some(literal) => {
                    top_of(literal)?;
                }
                None if top.data_type().is_integer() => {}
                None => {
                    return plan_err!(
                        "{NAME}: argument `top` must be an integer from 1, got {}",
                        top.data_type()
                    );
                }
            }
        }
        Ok(Arc::new(Field::new(NAME, DataType::List(item()), true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let top = match args.args.get(2) {
            None => usize::MAX,
            Some(ColumnarValue::Scalar(top)) => top_of(top)?,
            Some(ColumnarValue::Array(_)) => {
                return exec_err!(
                    "{NAME}: argument `top` must be a literal, the same for all rows"
                );
            }
        };
        scoring::judge_rows(NAME, &args, |model, rows| explain(model, rows, top))
    }
}

/// How many features, from a literal.
fn top_of(literal: &ScalarValue) -> Result<usize> {
    if literal.is_null() {
        return Ok(usize::MAX);
    }
    match literal.cast_to(&DataType::Int64) {
        Ok(ScalarValue::Int64(Some(top @ 1..))) if literal.data_type().is_integer() => {
            Ok(usize::try_from(top).unwrap_or(usize::MAX))
        }
        _ => plan_err!("{NAME}: argument `top` must be an integer from 1, got {literal}"),
    }
}

/// Of each row, the list of the `top` features that add most, equal ones in the model's order.
fn explain(model: &Model, rows: ArrayView2<'_, f64>, top: usize) -> Result<ArrayRef> {
    let contributions = model.attribute(rows).contributions;
    let features = model.signature.features();
    let top = top.min(features.len());
    let number = rows.nrows() * top;
    let mut found: Vec<u32> = Vec::with_capacity(number);
    let mut values = StringBuilder::with_capacity(number, number * 8);
    let mut parts = Vec::with_capacity(number);
    let mut order: Vec<usize> = vec![];
    for (row, contributions) in rows.rows().into_iter().zip(contributions.rows()) {
        let falling =
            |a: &usize, b: &usize| contributions[*b].total_cmp(&contributions[*a]).then(a.cmp(b));
        order.clear();
        order.extend(0..features.len());
        if top < features.len() {
            order.select_nth_unstable_by(top, falling);
            order.truncate(top);
        }
        order.sort_unstable_by(falling);
        for &feature in &order {
            found.push(feature as u32);
            show(model, feature, row[feature], &mut values)?;
            parts.push(contributions[feature]);
        }
    }
    let names = StringArray::from_iter_values(features.iter().map(|feature| &feature.name));
    let columns: Vec<ArrayRef> = vec![
        take(&names, &UInt32Array::from(found), None)?,
        Arc::new(values.finish()),
        Arc::new(Float64Array::from(parts)),
    ];
    let items = Arc::new(StructArray::try_new(fields(), columns, None)?);
    let offsets = OffsetBuffer::from_repeated_length(top, rows.nrows());
    Ok(Arc::new(ListArray::try_new(item(), offsets, items, None)?))
}

/// Appends the value of a feature, for people.
fn show(model: &Model, feature: usize, value: f64, out: &mut StringBuilder) -> std::fmt::Result {
    if value.is_nan() {
        out.append_null();
        return Ok(());
    }
    match model.signature.features()[feature].kind {
        FeatureKind::Number => write!(out, "{value}")?,
        FeatureKind::Boolean => write!(out, "{}", value != 0.0)?,
        // Microseconds, as the engine shows them; out of its range, the seconds.
        FeatureKind::Timestamp => match timestamp_us_to_datetime((value * 1e6) as i64) {
            Some(moment) => write!(out, "{moment:?}")?,
            None => write!(out, "{value}")?,
        },
        FeatureKind::Text => {
            let known = model.encoder.categories(feature);
            out.write_str(known.and_then(|known| known.text(value)).unwrap_or("(unseen)"))?;
        }
    }
    // Ends what was written.
    out.append_value("");
    Ok(())
}

fn fields() -> Fields {
    Fields::from(vec![
        Field::new("feature", DataType::Utf8, true),
        Field::new("value", DataType::Utf8, true),
        Field::new("contribution", DataType::Float64, true),
    ])
}

fn item() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Struct(fields()), true))
}
