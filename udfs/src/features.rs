//! Features in Arrow: a struct of numbers, truth values, timestamps and texts, and how it becomes a
//! matrix.

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, StringViewArray, StructArray,
};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Fields, Float64Type, Int64Type, TimeUnit};
use datafusion::common::{Result, exec_datafusion_err, exec_err, plan_datafusion_err, plan_err};
use ndarray::Array2;
use thiserror::Error;

use crate::detectors::model::Model;
use crate::detectors::signature::{Feature, FeatureKind, Signature};
use crate::scalar::model_argument::check_type;

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
                "{function}: feature `{}` is of type {}; a feature is a number, a boolean, a \
                 timestamp or a string; hint: make one of it, or leave it out",
                field.name(),
                field.data_type()
            ),
        })
        .collect::<Result<Vec<_>>>()?;
    Signature::new(features).map_err(|error| plan_datafusion_err!("{function}: {error}"))
}

fn kind(data_type: &DataType) -> Option<FeatureKind> {
    match data_type {
        DataType::Boolean => Some(FeatureKind::Boolean),
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => {
            Some(FeatureKind::Timestamp)
        }
        DataType::Dictionary(_, values) => kind(values),
        numeric if numeric.is_numeric() => Some(FeatureKind::Number),
        text if text.is_string() => Some(FeatureKind::Text),
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

/// The values of the features at `positions` as a matrix, NaN where a value or its whole struct is
/// NULL; a text becomes what `code` makes of it and the number of its feature.
pub(crate) fn matrix(
    features: &StructArray,
    signature: &Signature,
    positions: &[usize],
    mut code: impl FnMut(usize, &str) -> f64,
) -> Result<Array2<f64>> {
    let mut matrix = Array2::from_elem((features.len(), positions.len()), f64::NAN);
    for (at, (feature, position)) in signature.features().iter().zip(positions).enumerate() {
        let column = features.column(*position);
        let mut cells = matrix.column_mut(at);
        if feature.kind == FeatureKind::Text {
            for (row, text) in texts(features, column)?.iter().enumerate() {
                if let Some(text) = text {
                    cells[row] = code(at, text);
                }
            }
            continue;
        }
        for (row, (value, cell)) in numbers(column)?.iter().zip(&mut cells).enumerate() {
            if let Some(value) = value
                && features.is_valid(row)
            {
                *cell = value;
            }
        }
    }
    Ok(matrix)
}

/// Numbers as DOUBLE, timestamps as seconds since 1970 in UTC.
fn numbers(column: &ArrayRef) -> Result<Float64Array> {
    const INSTANT: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);
    let column = match kind(column.data_type()) {
        Some(FeatureKind::Timestamp) => {
            let instants = match column.data_type() {
                DataType::Timestamp(_, zone) => {
                    cast(column, &DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))?
                }
                _ => cast(column, &INSTANT)?,
            };
            let micros = cast(&instants, &DataType::Int64)?;
            let micros = micros.as_primitive::<Int64Type>();
            return Ok(micros.unary(|micros| micros as f64 / 1e6));
        }
        _ => cast(column, &DataType::Float64)?,
    };
    Ok(column.as_primitive::<Float64Type>().clone())
}

/// The texts of a column of a struct, NULL where the whole struct is.
pub(crate) fn texts(features: &StructArray, column: &ArrayRef) -> Result<StringViewArray> {
    let texts = cast(column, &DataType::Utf8View)?;
    let texts = texts.as_string_view();
    let valid = NullBuffer::union(texts.nulls(), features.nulls());
    Ok(StringViewArray::try_new(texts.views().clone(), texts.data_buffers().to_vec(), valid)?)
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

/// Checks the types of a model and of features while planning. Where the field of the model says
/// which features it has, so are the features.
pub(crate) fn check_model_and_features(function: &str, model: &Field, rows: &Field) -> Result<()> {
    check_type(function, model)?;
    if rows.data_type() == &DataType::Null {
        return Ok(());
    }
    let fields = struct_fields(function, rows)?;
    let known = model.metadata().get(METADATA_KEY);
    if let Some(signature) = known.and_then(|text| Signature::parse(text)) {
        positions(&signature, fields)
            .map_err(|error| plan_datafusion_err!("{function}: {error}"))?;
    }
    Ok(())
}

/// The features of a model, a row each: texts as the positions of their categories.
pub(crate) fn matrix_of_model(
    function: &str,
    model: &Model,
    rows: &ArrayRef,
) -> Result<Array2<f64>> {
    let width = model.signature.features().len();
    if rows.data_type() == &DataType::Null {
        return Ok(Array2::from_elem((rows.len(), width), f64::NAN));
    }
    let rows = struct_array(function, rows)?;
    let positions = positions(&model.signature, rows.fields())
        .map_err(|error| exec_datafusion_err!("{function}: {error}"))?;
    let position = |feature, text: &str| {
        model.encoder.categories(feature).map_or(f64::NAN, |known| known.position(text))
    };
    matrix(rows, &model.signature, &positions, position)
}
