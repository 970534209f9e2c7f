//! Features in Arrow: a struct of numbers and truth values, and how it becomes a matrix.

use datafusion::arrow::array::{Array, AsArray, StructArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Fields, Float64Type};
use datafusion::common::{Result, exec_err, plan_datafusion_err, plan_err};
use ndarray::Array2;
use thiserror::Error;

use crate::detectors::model::{Feature, FeatureKind, Signature};

/// Key in the metadata of a model's field: the features of the model, as the text form of
/// [`Signature`]. It lets a query that scores with wrong features fail while it is planned.
pub(crate) const METADATA_KEY: &str = "udfs.model.features";

/// The fields of the argument `features`, or a plan error.
pub(crate) fn struct_fields<'a>(function: &str, argument: &'a Field) -> Result<&'a Fields> {
    match argument.data_type() {
        DataType::Struct(fields) => Ok(fields),
        other => plan_err!(
            "{function}: argument `features` must be a struct, got {other}; hint: name the \
             features in a struct literal, `{{ln_bytes: ln(1 + bytes), is_tcp: proto = 'tcp'}}`"
        ),
    }
}

/// The signature of a model trained on these fields, or a plan error.
pub(crate) fn signature(function: &str, fields: &Fields) -> Result<Signature> {
    let features = fields
        .iter()
        .map(|field| match kind(field.data_type()) {
            Some(kind) => Ok(Feature { name: field.name().clone(), kind }),
            None => plan_err!(
                "{function}: feature `{}` is of type {}; a feature is a number or a boolean; \
                 hint: encode it, `proto = 'tcp'`, or cast it, `CAST({} AS DOUBLE)`",
                field.name(),
                field.data_type(),
                field.name()
            ),
        })
        .collect::<Result<Vec<_>>>()?;
    Signature::new(features).map_err(|error| plan_datafusion_err!("{function}: {error}"))
}

fn kind(data_type: &DataType) -> Option<FeatureKind> {
    match data_type {
        DataType::Boolean => Some(FeatureKind::Boolean),
        numeric if numeric.is_numeric() => Some(FeatureKind::Number),
        _ => None,
    }
}

/// How a struct fails to give a model its features.
#[derive(Debug, Error)]
pub(crate) enum FeatureMismatch {
    #[error("the model wants feature `{name}` ({kind}), got {got}{hint}")]
    Missing { name: String, kind: FeatureKind, got: String, hint: String },
    #[error(
        "the model wants feature `{name}` as {kind}, got {got}; hint: compute it as in training, \
         or cast it"
    )]
    Type { name: String, kind: FeatureKind, got: DataType },
}

/// Finds the features of a model in a struct by name. A column of type NULL fits every feature,
/// which is then missing in all rows; columns that the model does not know are ignored.
pub(crate) fn positions(
    signature: &Signature,
    fields: &Fields,
) -> Result<Vec<usize>, FeatureMismatch> {
    signature
        .features()
        .iter()
        .map(|feature| {
            let Some((position, field)) = fields.find(&feature.name) else {
                return Err(missing(feature, fields));
            };
            match field.data_type() {
                DataType::Null => Ok(position),
                got if kind(got) == Some(feature.kind) => Ok(position),
                got => Err(FeatureMismatch::Type {
                    name: feature.name.clone(),
                    kind: feature.kind,
                    got: got.clone(),
                }),
            }
        })
        .collect()
}

fn missing(feature: &Feature, fields: &Fields) -> FeatureMismatch {
    let names: Vec<_> = fields.iter().map(|field| format!("`{}`", field.name())).collect();
    let nearest = fields
        .iter()
        .map(|field| (strsim::jaro_winkler(&feature.name, field.name()), field.name()))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(similarity, _)| *similarity > 0.8);
    FeatureMismatch::Missing {
        name: feature.name.clone(),
        kind: feature.kind,
        got: names.join(", "),
        hint: match nearest {
            Some((_, name)) => format!("; hint: did you mean `{name}`?"),
            None => "; hint: score with the features of training".to_owned(),
        },
    }
}

/// The columns at `positions` as a matrix, NaN where a value or its whole struct is NULL.
pub(crate) fn matrix(features: &StructArray, positions: &[usize]) -> Result<Array2<f64>> {
    let mut matrix = Array2::from_elem((features.len(), positions.len()), f64::NAN);
    for (mut column, position) in matrix.columns_mut().into_iter().zip(positions) {
        let values = cast(features.column(*position), &DataType::Float64)?;
        let values = values.as_primitive::<Float64Type>();
        for (row, (value, cell)) in values.iter().zip(&mut column).enumerate() {
            if let Some(value) = value
                && features.is_valid(row)
            {
                *cell = value;
            }
        }
    }
    Ok(matrix)
}

/// The argument `features` at execution.
pub(crate) fn struct_array<'a>(function: &str, array: &'a dyn Array) -> Result<&'a StructArray> {
    match array.as_struct_opt() {
        Some(features) => Ok(features),
        None => {
            exec_err!("{function}: argument `features` must be a struct, got {}", array.data_type())
        }
    }
}
