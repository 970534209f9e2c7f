//! `explain_anomaly(model, features[, top])`.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float64Array, ListArray, StringArray, StructArray};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
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
        scoring::judge_rows(NAME, &args, |model, rows| Ok(explain(model, rows, top)), to_array)
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

/// A feature, its value and what it adds.
type Part = (String, Option<String>, f64);

fn explain(model: &Model, rows: ArrayView2<'_, f64>, top: usize) -> Vec<Vec<Part>> {
    let contributions = model.attribute(rows).contributions;
    let features = model.signature.features();
    let explain_row =
        |(row, contributions): (ndarray::ArrayView1<'_, f64>, ndarray::ArrayView1<'_, f64>)| {
            let mut order: Vec<usize> = (0..features.len()).collect();
            order.sort_by(|a, b| contributions[*b].total_cmp(&contributions[*a]));
            let part = |at: usize| {
                (features[at].name.clone(), shown(model, at, row[at]), contributions[at])
            };
            order.into_iter().take(top).map(part).collect()
        };
    rows.rows().into_iter().zip(contributions.rows()).map(explain_row).collect()
}

/// The value of a feature, for people.
fn shown(model: &Model, feature: usize, value: f64) -> Option<String> {
    if value.is_nan() {
        return None;
    }
    Some(match model.signature.features()[feature].kind {
        FeatureKind::Number => value.to_string(),
        FeatureKind::Boolean => (value != 0.0).to_string(),
        FeatureKind::Timestamp => {
            // Microseconds, as the engine shows them; out of its range, the seconds.
            let micros = ScalarValue::TimestampMicrosecond(Some((value * 1e6) as i64), None);
            micros.to_array().ok().and_then(|array| {
                datafusion::arrow::util::display::array_value_to_string(&array, 0).ok()
            })?
        }
        FeatureKind::Text => {
            let known = model.encoder.categories(feature);
            known.and_then(|known| known.text(value)).unwrap_or("(unseen)").to_owned()
        }
    })
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

fn to_array(explained: Vec<Option<Vec<Part>>>) -> Result<ArrayRef> {
    let all: Vec<&Part> = explained.iter().flatten().flatten().collect();
    let parts = || all.iter();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(parts().map(|(feature, ..)| feature))),
        Arc::new(StringArray::from_iter(parts().map(|(_, value, _)| value.as_ref()))),
        Arc::new(Float64Array::from_iter_values(parts().map(|(.., contribution)| *contribution))),
    ];
    let items = Arc::new(StructArray::try_new(fields(), columns, None)?);
    let lengths = explained.iter().map(|parts| parts.as_ref().map_or(0, Vec::len));
    let offsets = OffsetBuffer::from_lengths(lengths);
    let valid: NullBuffer = explained.iter().map(Option::is_some).collect();
    Ok(Arc::new(ListArray::try_new(item(), offsets, items, Some(valid))?))
}
