//! One model among what is published, for other programs.

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::common::TableReference;
use udfs::detectors::model::Model;
use udfs::detectors::onnx;

use super::diagnose::{closest, with_own_hint};
use super::query::{Rows, Workbench};
use crate::audit::RunId;
use crate::config::Settings;
use crate::error::{Error, ErrorKind, Result};

/// Which model.
#[derive(Debug, Clone)]
pub struct Choice {
    /// The table or view that holds it, `models.isolation_forest`.
    pub relation: String,
    /// As published when this run had ended; none for now.
    pub run: Option<RunId>,
    /// Its column; none for the one that is BINARY.
    pub column: Option<String>,
    /// A condition that its row alone meets; none where there is one row.
    pub condition: Option<String>,
}

/// Finds a model; gives its bytes, which are checked to be one.
///
/// # Errors
/// `Sql` where the relation or the condition is wrong; `Configuration` where there is no such
/// column or run; `Data` where what was found is not exactly one model.
pub async fn find(settings: &Settings, choice: &Choice) -> Result<Vec<u8>> {
    let workbench = match &choice.run {
        None => Workbench::open(settings).await?,
        Some(run) => Workbench::open_after(settings, run).await?,
    };
    let relation = TableReference::parse_str(&choice.relation);
    // Two rows tell that there are more than one. A comment in the condition ends with its line.
    let condition = choice.condition.as_deref().unwrap_or("true");
    let from = relation.to_quoted_string();
    let query = format!("SELECT * FROM {from} WHERE (\n{condition}\n) LIMIT 2");
    let rows = workbench.start(&query).await?;
    let schema = rows.schema();
    let column = column(choice, &schema)?;
    let model = only(rows, column).await.map_err(|error| {
        let name = schema.field(column).name();
        error.with_context("column", format!("{}.{name}", choice.relation))
    })?;
    match model {
        Found::One(model) => Ok(model),
        Found::None => {
            let relation = &choice.relation;
            Err(match &choice.condition {
                None => Error::new(ErrorKind::Data, format!("{relation} has no rows")),
                Some(condition) => {
                    let message = format!("no row of {relation} meets the condition");
                    Error::new(ErrorKind::Data, message).with_context("where", condition)
                }
            })
        }
        Found::Many => {
            let others = names(&schema, |data_type| !data_type.is_binary());
            let message = format!("{} has more than one row", choice.relation);
            let hint = "pick a model by a condition that its row alone meets, --where CONDITION";
            Err(Error::new(ErrorKind::Data, message)
                .with_context("columns", others.join(", "))
                .with_hint(hint))
        }
    }
}

/// A model as the bytes of an ONNX file.
///
/// # Errors
/// `Data` where ONNX cannot hold it.
pub fn to_onnx(model: &[u8]) -> Result<Vec<u8>> {
    onnx::to_onnx(model).map_err(|error| with_own_hint(ErrorKind::Data, &error.to_string()))
}

/// A model as JSON, on one line.
///
/// # Errors
/// `Data` where the bytes are no model.
pub fn to_json(model: &[u8]) -> Result<Vec<u8>> {
    let unreadable = |error: String| with_own_hint(ErrorKind::Data, &error);
    let model = Model::decode(model).map_err(|error| unreadable(error.to_string()))?;
    let mut json = model.to_json().map_err(|error| unreadable(error.to_string()))?;
    json.push('\n');
    Ok(json.into_bytes())
}

/// The position of the column that holds the model.
fn column(choice: &Choice, schema: &Schema) -> Result<usize> {
    let binary = names(schema, DataType::is_binary);
    let relation = &choice.relation;
    let name = match (&choice.column, binary.as_slice()) {
        (Some(name), _) => name,
        (None, [name]) => name,
        (None, []) => {
            let all = names(schema, |_| true);
            let message = format!("{relation} holds no model: none of its columns is BINARY");
            return Err(
                Error::new(ErrorKind::Data, message).with_context("columns", all.join(", "))
            );
        }
        (None, many) => {
            return Err(Error::configuration(format!(
                "{relation} has {} columns that may hold a model",
                many.len()
            ))
            .with_context("columns", many.join(", "))
            .with_hint("name one with --column"));
        }
    };
    let error = match schema.column_with_name(name) {
        Some((position, field)) if field.data_type().is_binary() => return Ok(position),
        Some((_, field)) => Error::configuration(format!(
            "column `{name}` of {relation} holds no model: it is {}, not BINARY",
            field.data_type()
        )),
        None => Error::configuration(format!("{relation} has no column `{name}`")),
    };
    Err(match closest(name, &binary) {
        Some(meant) => error.with_hint(format!("did you mean `{meant}`?")),
        None => error.with_context("columns", binary.join(", ")),
    })
}

fn names(schema: &Schema, of: impl Fn(&DataType) -> bool) -> Vec<String> {
    let fields = schema.fields().iter().filter(|field| of(field.data_type()));
    fields.map(|field| field.name().clone()).collect()
}

enum Found {
    None,
    One(Vec<u8>),
    Many,
}

/// The model in the only row.
async fn only(mut rows: Rows, column: usize) -> Result<Found> {
    let mut found = Found::None;
    while let Some(batch) = rows.next().await? {
        for row in 0..batch.num_rows() {
            if let Found::One(_) = found {
                return Ok(Found::Many);
            }
            found = Found::One(model(batch.column(column), row)?);
        }
    }
    Ok(found)
}

fn model(column: &ArrayRef, row: usize) -> Result<Vec<u8>> {
    let views = cast(column, &DataType::BinaryView)
        .map_err(|error| Error::internal("a model cannot be read").with_source(error))?;
    if views.is_null(row) {
        return Err(Error::new(ErrorKind::Data, "the model is NULL")
            .with_hint("a `train_*` function gives NULL where it sees no rows"));
    }
    let bytes = views.as_binary_view().value(row);
    match Model::decode(bytes) {
        Ok(_) => Ok(bytes.to_vec()),
        Err(error) => Err(with_own_hint(ErrorKind::Data, &error.to_string())),
    }
}
