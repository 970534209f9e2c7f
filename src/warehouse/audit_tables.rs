//! The audit store as read-only tables `audit.NAME`. Small enough to be read whole.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion::catalog::{MemTable, SchemaProvider, TableProvider};
use datafusion::error::Result;

use crate::audit::{AuditStore, ColumnType, Rows, Value};

/// The schema `audit`.
#[derive(Debug)]
pub(super) struct AuditTables(AuditStore);

impl AuditTables {
    pub(super) fn new(store: AuditStore) -> Self {
        Self(store)
    }

    /// Names of its tables and views.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        AuditStore::relations().iter().map(|relation| relation.name)
    }
}

#[async_trait]
impl SchemaProvider for AuditTables {
    fn table_names(&self) -> Vec<String> {
        Self::names().map(str::to_owned).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if !self.table_exist(name) {
            return Ok(None);
        }
        let batch = to_batch(&self.0.read(name).await?)?;
        Ok(Some(Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]])?)))
    }

    fn table_exist(&self, name: &str) -> bool {
        Self::names().any(|known| known == name)
    }
}

fn to_batch(rows: &Rows) -> Result<RecordBatch> {
    let fields = rows.columns.iter().map(|(name, kind)| Field::new(name, data_type(*kind), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let columns = rows.columns.iter().enumerate().map(|(i, (_, kind))| {
        to_array(*kind, rows.rows.iter().map(|row| row.get(i).unwrap_or(&Value::Null)))
    });
    Ok(RecordBatch::try_new(schema, columns.collect())?)
}

fn data_type(kind: ColumnType) -> DataType {
    match kind {
        ColumnType::Text => DataType::Utf8,
        ColumnType::Integer => DataType::Int64,
        ColumnType::Real => DataType::Float64,
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
    }
}

/// A value of another type than its column's reads as NULL.
fn to_array<'a>(kind: ColumnType, values: impl Iterator<Item = &'a Value>) -> ArrayRef {
    match kind {
        ColumnType::Text => Arc::new(StringArray::from_iter(values.map(|value| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        }))),
        ColumnType::Integer => Arc::new(Int64Array::from_iter(values.map(|value| match value {
            Value::Integer(number) => Some(*number),
            _ => None,
        }))),
        ColumnType::Real => Arc::new(Float64Array::from_iter(values.map(|value| match value {
            Value::Real(number) => Some(*number),
            _ => None,
        }))),
        ColumnType::Boolean => Arc::new(BooleanArray::from_iter(values.map(|value| match value {
            Value::Boolean(truth) => Some(*truth),
            _ => None,
        }))),
        ColumnType::Timestamp => {
            Arc::new(TimestampMicrosecondArray::from_iter(values.map(|value| match value {
                Value::Timestamp(time) => Some(time.timestamp_micros()),
                _ => None,
            })))
        }
    }
}
