//! The schema of a source of files: inferred, compared between files, corrected by settings.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use datafusion::datasource::listing::ListingTableUrl;
use datafusion::execution::SessionState;
use datafusion::object_store::ObjectMeta;

use super::landing::{Part, unreadable};
use super::listing::shown;
use super::store::io_failure;
use crate::config::{SourceFormat, TextOptions};
use crate::error::{Error, ErrorKind, Result};

/// The one schema of all files. Text columns may differ as whole and floating-point numbers do;
/// JSON objects may leave keys out; anything else is drift, and an error.
pub(super) async fn common_schema(
    name: &str,
    url: &ListingTableUrl,
    format: SourceFormat,
    parts: &[Part],
    options: &TextOptions,
    state: &SessionState,
) -> Result<SchemaRef> {
    if let Some(declared) = declared(options).filter(|_| format == SourceFormat::Csv) {
        return Ok(declared);
    }
    let store = state
        .runtime_env()
        .object_store(url)
        .map_err(|error| io_failure(error, format!("source `{name}`: no store for its files")))?;
    let mut common: Option<(Schema, &ObjectMeta)> = None;
    for part in parts {
        for file in &part.files {
            let schema = part
                .format
                .infer_schema(state, &store, std::slice::from_ref(file))
                .await
                .map_err(|error| unreadable(name, url, file, error))?;
            let schema = match &options.names {
                Some(names) if format == SourceFormat::Csv => renamed(name, &schema, names)
                    .map_err(|error| error.with_context("file", shown(url, file)))?,
                _ => schema.as_ref().clone(),
            };
            common = Some(match common {
                None => (schema, file),
                Some((known, first)) => {
                    let merged = merge(&known, &schema, format, options).map_err(|difference| {
                        Error::new(ErrorKind::Data, format!("source `{name}`: schema drift between files: {difference}"))
                            .with_context("first file", shown(url, first))
                            .with_context("this file", shown(url, file))
                            .with_hint(format!("give such a column one type with `types = {{ column = \"VARCHAR\" }}` in [sources.{name}], or make two sources and UNION ALL BY NAME them in SQL"))
                    })?;
                    (merged, first)
                }
            });
        }
    }
    let Some((schema, _)) = common.filter(|(schema, _)| !schema.fields().is_empty()) else {
        return Err(Error::new(
            ErrorKind::Data,
            format!("source `{name}` is empty: its files have no columns"),
        ));
    };
    // A column without any value is text.
    let fields: Fields = schema
        .fields()
        .iter()
        .map(|field| match field.data_type() {
            DataType::Null => Field::new(field.name(), DataType::Utf8, true),
            _ => field.as_ref().clone().with_nullable(true),
        })
        .collect();
    Ok(Schema::new(fields).into())
}

/// The schema that `names` and `types` say, where they say all of it; the types follow later.
fn declared(options: &TextOptions) -> Option<SchemaRef> {
    let names = options.names.as_ref()?;
    let complete = names.iter().all(|name| options.types.contains_key(name));
    let field = |name: &String| Field::new(name, DataType::Utf8, true);
    complete.then(|| Arc::new(Schema::new(names.iter().map(field).collect::<Vec<_>>())))
}

fn renamed(name: &str, schema: &Schema, names: &[String]) -> Result<Schema> {
    if names.len() != schema.fields().len() {
        return Err(Error::new(
            ErrorKind::Data,
            format!(
                "source `{name}`: `names` has {} columns, the file has {}",
                names.len(),
                schema.fields().len()
            ),
        ));
    }
    let fields: Fields = schema
        .fields()
        .iter()
        .zip(names)
        .map(|(field, name)| field.as_ref().clone().with_name(name))
        .collect();
    Ok(Schema::new(fields))
}

/// The type of values of both types, where text may be read as either.
fn common_type(a: &DataType, b: &DataType) -> Option<DataType> {
    match (a, b) {
        (a, b) if a == b => Some(a.clone()),
        (DataType::Null, kind) | (kind, DataType::Null) => Some(kind.clone()),
        (DataType::Int64, DataType::Float64) | (DataType::Float64, DataType::Int64) => {
            Some(DataType::Float64)
        }
        _ => None,
    }
}

/// A schema with each column as wide as that of the same name in another.
fn widened(schema: &Schema, other: &Schema) -> Schema {
    let fields = schema.fields().iter().map(|field| {
        let other = other.field_with_name(field.name()).ok();
        let common = other.and_then(|other| common_type(field.data_type(), other.data_type()));
        let data_type = common.unwrap_or_else(|| field.data_type().clone());
        field.as_ref().clone().with_data_type(data_type)
    });
    Schema::new(fields.collect::<Vec<_>>())
}

/// Merges the schema of one more file, or says what differs.
fn merge(
    known: &Schema,
    other: &Schema,
    format: SourceFormat,
    options: &TextOptions,
) -> Result<Schema, String> {
    if format == SourceFormat::Json {
        // Objects may leave keys out.
        let other = widened(other, known);
        return Schema::try_merge([widened(known, &other), other])
            .map_err(|error| error.to_string());
    }
    let names = |schema: &Schema| -> Vec<String> {
        schema.fields().iter().map(|field| field.name().clone()).collect()
    };
    let (left, right) = (names(known), names(other));
    if left != right {
        let missing: Vec<_> = left
            .iter()
            .filter(|name| !right.contains(name))
            .map(|n| format!("`{n}` is missing"))
            .collect();
        let extra: Vec<_> = right
            .iter()
            .filter(|name| !left.contains(name))
            .map(|n| format!("`{n}` is new"))
            .collect();
        let differences = [missing, extra].concat();
        return Err(match differences.is_empty() {
            true => "the columns are in another order".into(),
            false => differences.join(", "),
        });
    }
    let fields = known
        .fields()
        .iter()
        .zip(other.fields())
        .map(|(a, b)| {
            let data_type = match common_type(a.data_type(), b.data_type()) {
                Some(data_type) => data_type,
                None if options.types.contains_key(a.name()) => a.data_type().clone(),
                None => {
                    let (name, first, this) = (a.name(), a.data_type(), b.data_type());
                    return Err(format!(
                        "`{name}` is {first} in the first file and {this} in this one"
                    ));
                }
            };
            Ok(a.as_ref().clone().with_data_type(data_type))
        })
        .collect::<Result<Fields, String>>()?;
    Ok(Schema::new(fields))
}

/// Applies the SQL types of the configuration.
pub(super) async fn with_types(
    name: &str,
    schema: SchemaRef,
    types: &BTreeMap<String, String>,
    state: &SessionState,
) -> Result<SchemaRef> {
    let mut fields: Vec<Field> =
        schema.fields().iter().map(|field| field.as_ref().clone()).collect();
    for (column, sql_type) in types {
        let Some(field) = fields.iter_mut().find(|field| field.name() == column) else {
            let columns: Vec<_> =
                schema.fields().iter().map(|field| field.name().as_str()).collect();
            return Err(Error::configuration(format!(
                "source `{name}`: `types` names the column `{column}`, which its files do not have"
            ))
            .with_context("columns", columns.join(", ")));
        };
        let plan = state.create_logical_plan(&format!("SELECT CAST(NULL AS {sql_type})")).await;
        let data_type = match &plan {
            Ok(plan) if plan.schema().fields().len() == 1 => plan.schema().field(0).data_type(),
            _ => {
                return Err(Error::configuration(format!(
                    "source `{name}`: column `{column}` has the unknown type `{sql_type}`"
                ))
                .with_hint(
                    "use a SQL type such as VARCHAR, BIGINT, DOUBLE, BOOLEAN or TIMESTAMP",
                ));
            }
        };
        *field = field.clone().with_data_type(data_type.clone());
    }
    Ok(Schema::new(fields).into())
}
