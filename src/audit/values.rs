//! Between Rust values and the store's [`Value`]s.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

use super::relations::Column;
use super::{FileRecord, InputKind, LineageRecord, RelationKind, RunId, Value};
use super::{VersionId, VersionRecord};
use crate::error::{Error, ErrorKind, Result};

/// A list of [`Value`]s from anything that turns into one.
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$($crate::audit::Value::from($value)),*] };
}
pub(super) use values;

impl From<String> for Value {
    /// PostgreSQL has no place for the character NUL; both dialects store U+FFFD instead.
    fn from(text: String) -> Self {
        Self::Text(if text.contains('\0') { text.replace('\0', "\u{FFFD}") } else { text })
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<&RunId> for Value {
    fn from(id: &RunId) -> Self {
        id.as_str().into()
    }
}

impl From<&VersionId> for Value {
    fn from(id: &VersionId) -> Self {
        id.as_str().into()
    }
}

impl From<i64> for Value {
    fn from(integer: i64) -> Self {
        Self::Integer(integer)
    }
}

impl From<f64> for Value {
    /// SQLite has no NaN; both dialects store NULL instead.
    fn from(real: f64) -> Self {
        if real.is_nan() { Self::Null } else { Self::Real(real) }
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Boolean(truth)
    }
}

impl From<DateTime<Utc>> for Value {
    /// Cut to the microseconds that both dialects keep.
    fn from(time: DateTime<Utc>) -> Self {
        Self::Timestamp(time.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(time))
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// The error of a value that the program does not write: somebody else did.
pub(super) fn unreadable() -> Error {
    Error::new(ErrorKind::Data, "the audit store holds a value that cannot be in its column")
        .with_hint("`pipeline audit verify` finds it")
}

/// What a column of a row can be read as.
pub(super) trait FromValue: Sized {
    fn from_value(value: Value) -> Option<Self>;
}

macro_rules! from_value {
    ($($type:ty: $pattern:pat => $result:expr;)+) => {
        $(impl FromValue for $type {
            fn from_value(value: Value) -> Option<Self> {
                match value { $pattern => $result, _ => None }
            }
        })+
    };
}

from_value! {
    String: Value::Text(text) => Some(text);
    i64: Value::Integer(integer) => Some(integer);
    DateTime<Utc>: Value::Timestamp(time) => Some(time);
    RunId: Value::Text(text) => Some(Self::new(text));
    VersionId: Value::Text(text) => Some(Self::new(text));
    RelationKind: Value::Text(text) => Self::parse(&text);
    InputKind: Value::Text(text) => Self::parse(&text);
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::from_value(value).map(Some),
        }
    }
}

/// A row of a relation, read by column name.
pub(super) struct Row {
    columns: &'static [Column],
    values: Vec<Value>,
}

impl Row {
    pub(super) fn new(columns: &'static [Column], values: Vec<Value>) -> Self {
        Self { columns, values }
    }

    pub(super) fn get<T: FromValue>(&self, column: &str) -> Result<T> {
        let index = self.columns.iter().position(|(name, _)| *name == column);
        let value = index.and_then(|index| self.values.get(index));
        value.cloned().and_then(T::from_value).ok_or_else(|| {
            let message = format!("the audit store holds {value:?} in column {column}");
            Error::internal(message)
        })
    }
}

/// A record read from a row of its relation.
pub(super) trait FromRow: Sized {
    fn from_row(row: &Row) -> Result<Self>;
}

impl FromRow for VersionRecord {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            relation: row.get("relation")?,
            kind: row.get("kind")?,
            definition: row.get("definition")?,
            rows: row.get("rows")?,
            bytes: row.get("bytes")?,
            schema: row.get("schema")?,
            fingerprint: row.get("fingerprint")?,
            identity: row.get("identity")?,
            run: row.get("run")?,
            created: row.get("created")?,
        })
    }
}

impl FromRow for FileRecord {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            path: row.get("path")?,
            size: row.get("size")?,
            etag: row.get("etag")?,
            rows: row.get("rows")?,
            digest: row.get("digest")?,
        })
    }
}

impl FromRow for LineageRecord {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            relation: row.get("relation")?,
            kind: row.get("kind")?,
            source: row.get("source")?,
            fingerprint: row.get("fingerprint")?,
            size: row.get("size")?,
            etag: row.get("etag")?,
            modified: row.get("modified")?,
        })
    }
}
