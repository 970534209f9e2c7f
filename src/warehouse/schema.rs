//! A relation's schema as JSON: readable by people, and enough to plan without opening a file.

use std::collections::BTreeMap;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

#[derive(Serialize, Deserialize)]
struct Column {
    name: String,
    #[serde(rename = "type")]
    data_type: String,
    nullable: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, String>,
}

/// The schema that a version gets: that of the plan, without metadata inside nested types, which
/// the text form of a type does not carry.
pub(crate) fn stored_schema(schema: &Schema) -> SchemaRef {
    let fields: Fields = schema
        .fields()
        .iter()
        .map(|field| {
            let stored = plain(field.data_type());
            field.as_ref().clone().with_data_type(stored)
        })
        .collect();
    Schema::new(fields).into()
}

fn plain(data_type: &DataType) -> DataType {
    let bare = |field: &FieldRef| -> FieldRef {
        Field::new(field.name(), plain(field.data_type()), field.is_nullable()).into()
    };
    match data_type {
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(bare).collect()),
        DataType::List(field) => DataType::List(bare(field)),
        DataType::LargeList(field) => DataType::LargeList(bare(field)),
        DataType::FixedSizeList(field, size) => DataType::FixedSizeList(bare(field), *size),
        DataType::Map(field, sorted) => DataType::Map(bare(field), *sorted),
        other => other.clone(),
    }
}

pub(crate) fn to_json(schema: &Schema) -> String {
    let columns: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| Column {
            name: field.name().clone(),
            data_type: field.data_type().to_string(),
            nullable: field.is_nullable(),
            metadata: field.metadata().clone().into_iter().collect(),
        })
        .collect();
    serde_json::json!(columns).to_string()
}

pub(crate) fn from_json(text: &str) -> Result<SchemaRef> {
    let columns: Vec<Column> = serde_json::from_str(text)
        .map_err(|error| Error::internal("a stored schema is not readable").with_source(error))?;
    let fields = columns
        .into_iter()
        .map(|column| {
            let data_type: DataType = column.data_type.parse().map_err(|error: ArrowError| {
                Error::internal(format!(
                    "a stored type is not readable: {}",
                    column.data_type
                ))
                .with_source(error)
            })?;
            Ok(Field::new(column.name, data_type, column.nullable)
                .with_metadata(column.metadata.into_iter().collect()))
        })
        .collect::<Result<Fields>>()?;
    Ok(Schema::new(fields).into())
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::datatypes::TimeUnit;

    use super::*;

    #[test]
    fn every_type_a_pipeline_stores_survives_the_text_form() {
        let inner = Fields::from(vec![
            Field::new("a \"quoted\" name", DataType::Float64, true),
            Field::new("b", DataType::Utf8View, false),
        ]);
        let types = [
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
            DataType::Date32,
            DataType::Timestamp(TimeUnit::Microsecond, None),
            DataType::Timestamp(TimeUnit::Nanosecond, Some("+00:00".into())),
            DataType::Dictionary(DataType::Int32.into(), DataType::Utf8.into()),
            DataType::Struct(inner.clone()),
            DataType::List(Field::new_list_field(DataType::Struct(inner), true).into()),
        ];
        let fields: Fields = types
            .into_iter()
            .enumerate()
            .map(|(i, data_type)| Field::new(format!("c{i}"), data_type, i % 2 == 0))
            .collect();
        let mut fields: Vec<Field> = fields.iter().map(|f| f.as_ref().clone()).collect();
        fields[0].set_metadata([("k".to_owned(), "v,\"w\"".to_owned())].into());
        let schema = stored_schema(&Schema::new(fields));
        assert_eq!(from_json(&to_json(&schema)).unwrap(), schema);
    }
}
