//! A relation's schema as JSON: readable by people, and enough to plan without opening a file.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A column, or a field of one. Nested types name their kind and list their fields; all others
/// are in Arrow's text form.
#[derive(Serialize, Deserialize)]
struct Column {
    name: String,
    #[serde(rename = "type")]
    data_type: String,
    nullable: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    fields: Vec<Column>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, String>,
}

pub(crate) fn to_json(schema: &Schema) -> String {
    let columns: Vec<_> = schema.fields().iter().map(column).collect();
    serde_json::json!(columns).to_string()
}

pub(crate) fn from_json(text: &str) -> Result<SchemaRef> {
    let unreadable = || Error::internal("a stored schema is not readable");
    let columns: Vec<Column> =
        serde_json::from_str(text).map_err(|error| unreadable().with_source(error))?;
    let fields = columns.into_iter().map(field).collect::<Result<Fields, ArrowError>>();
    let fields = fields.map_err(|error| unreadable().with_source(error))?;
    Ok(Arc::new(Schema::new(fields)))
}

fn column(field: &FieldRef) -> Column {
    let (data_type, fields) = match field.data_type() {
        DataType::Struct(fields) => ("Struct".into(), fields.iter().map(column).collect()),
        DataType::List(item) => ("List".into(), vec![column(item)]),
        DataType::LargeList(item) => ("LargeList".into(), vec![column(item)]),
        DataType::Map(entries, _) => ("Map".into(), vec![column(entries)]),
        other => (other.to_string(), vec![]),
    };
    Column {
        name: field.name().clone(),
        data_type,
        nullable: field.is_nullable(),
        fields,
        metadata: field.metadata().clone().into_iter().collect(),
    }
}

fn field(column: Column) -> Result<FieldRef, ArrowError> {
    let mut fields = column.fields.into_iter().map(field).collect::<Result<Vec<_>, _>>()?;
    let data_type = match (column.data_type.as_str(), fields.pop()) {
        ("Struct", last) => DataType::Struct(fields.into_iter().chain(last).collect()),
        ("List", Some(item)) => DataType::List(item),
        ("LargeList", Some(item)) => DataType::LargeList(item),
        ("Map", Some(entries)) => DataType::Map(entries, false),
        (text, _) => text.parse()?,
    };
    let field = Field::new(column.name, data_type, column.nullable);
    Ok(Arc::new(field.with_metadata(column.metadata.into_iter().collect())))
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::datatypes::TimeUnit;

    use super::*;

    #[test]
    fn every_type_a_pipeline_stores_survives_the_text_form() {
        let note = |text: &str| [("k".to_owned(), text.to_owned())].into();
        let inner = Fields::from(vec![
            Field::new("a \"quoted\" name", DataType::Float64, true).with_metadata(note("v,\"w\"")),
            Field::new("b", DataType::Utf8View, false),
        ]);
        let item = Field::new_list_field(DataType::Struct(inner.clone()), true);
        let types = [
            DataType::Null,
            DataType::Boolean,
            DataType::Int8,
            DataType::UInt64,
            DataType::Float32,
            DataType::Decimal128(20, 4),
            DataType::Utf8,
            DataType::Utf8View,
            DataType::LargeUtf8,
            DataType::Binary,
            DataType::BinaryView,
            DataType::FixedSizeBinary(16),
            DataType::Date32,
            DataType::Timestamp(TimeUnit::Microsecond, None),
            DataType::Timestamp(TimeUnit::Nanosecond, Some("+00:00".into())),
            DataType::Dictionary(DataType::Int32.into(), DataType::Utf8.into()),
            DataType::Struct(Fields::empty()),
            DataType::Struct(inner),
            DataType::List(Arc::new(item.clone())),
            DataType::LargeList(Arc::new(item)),
        ];
        let fields = types.into_iter().enumerate().map(|(i, data_type)| {
            Field::new(format!("c{i}"), data_type, i % 2 == 0).with_metadata(note("x"))
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        assert_eq!(from_json(&to_json(&schema)).unwrap(), schema);
    }
}
