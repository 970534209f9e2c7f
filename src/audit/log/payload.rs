//! What an entry says of rows, as canonical JSON: keys sorted, no blanks.
//!
//! `put` has whole rows, without their NULLs; `set` has keys and changed columns; `delete` has
//! keys. Numbers with a fraction are texts in their shortest form that reads back equal, times are
//! ISO 8601 in UTC with microseconds. `note` has what no row says.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::entry::Draft;
use super::event;
use crate::audit::relations::{EXPLAINED, LEASES, Relation};
use crate::audit::{ColumnType, Value};
use crate::error::{Error, ErrorKind, Result};

/// Rows of a store without a log that one entry takes up.
const ADOPTED_ROWS: usize = 1000;

/// What a statement does to one row.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::audit) enum RowChange {
    /// The row of this key is this one now.
    Put(&'static Relation, Vec<Value>),
    /// These columns, key included, of an existing row have these values now.
    Set(&'static Relation, Vec<(&'static str, Value)>),
    /// The row of this key is gone.
    Delete(&'static Relation, Vec<(&'static str, Value)>),
}

type Record = BTreeMap<String, Json>;
type Tables = BTreeMap<String, Vec<Record>>;

/// The content of an entry.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Payload {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    delete: Tables,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) note: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    put: Tables,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    set: Tables,
}

impl Payload {
    pub(super) fn of<'a>(
        changes: impl IntoIterator<Item = &'a RowChange>,
        note: BTreeMap<String, String>,
    ) -> Self {
        let mut payload = Self { note, ..Self::default() };
        for change in changes {
            let named = |columns: &[(&'static str, Value)]| {
                columns.iter().map(|(name, value)| ((*name).to_owned(), to_json(value))).collect()
            };
            let (tables, table, record): (_, _, Record) = match change {
                RowChange::Put(table, row) => {
                    let columns = table.columns.iter().zip(row);
                    let stated = columns.filter(|(_, value)| **value != Value::Null);
                    let record = stated.map(|((name, _), v)| ((*name).to_owned(), to_json(v)));
                    (&mut payload.put, table, record.collect())
                }
                RowChange::Set(table, columns) => (&mut payload.set, table, named(columns)),
                RowChange::Delete(table, key) => (&mut payload.delete, table, named(key)),
            };
            tables.entry(table.name.to_owned()).or_default().push(record);
        }
        payload
    }

    pub(super) fn to_json(&self) -> Result<String> {
        serde_json::to_string(self)
            .map_err(|error| Error::internal("a log entry cannot be written").with_source(error))
    }

    /// Reads the payload of an entry.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    /// The changes, in the order in which they are to be made.
    pub(super) fn changes(&self) -> Result<Vec<RowChange>, String> {
        let mut changes = vec![];
        for (table, record) in rows(&self.delete) {
            let table = known(table)?;
            changes.push(RowChange::Delete(table, columns(table, record)?));
        }
        for (table, record) in rows(&self.put) {
            let table = known(table)?;
            let mut row = vec![Value::Null; table.columns.len()];
            for (column, value) in columns(table, record)? {
                if let Some(place) = table.position(column).and_then(|at| row.get_mut(at)) {
                    *place = value;
                }
            }
            changes.push(RowChange::Put(table, row));
        }
        for (table, record) in rows(&self.set) {
            let table = known(table)?;
            changes.push(RowChange::Set(table, columns(table, record)?));
        }
        Ok(changes)
    }
}

fn rows(tables: &Tables) -> impl Iterator<Item = (&String, &Record)> {
    tables.iter().flat_map(|(table, records)| records.iter().map(move |record| (table, record)))
}

fn known(table: &str) -> Result<&'static Relation, String> {
    let found = EXPLAINED.iter().find(|relation| relation.name == table);
    found.ok_or_else(|| format!("there is no table `{table}`"))
}

fn columns(
    table: &'static Relation,
    record: &Record,
) -> Result<Vec<(&'static str, Value)>, String> {
    let value = |(name, json): (&String, &Json)| {
        let column = table.columns.iter().find(|(known, _)| known == name);
        let (column, kind) =
            column.ok_or_else(|| format!("`{}` has no column `{name}`", table.name))?;
        let value = from_json(*kind, json)
            .ok_or_else(|| format!("`{}.{name}` cannot be {json}", table.name))?;
        Ok((*column, value))
    };
    record.iter().map(value).collect()
}

fn to_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Text(text) => text.as_str().into(),
        Value::Integer(integer) => (*integer).into(),
        Value::Real(real) => format!("{real:?}").into(),
        Value::Boolean(truth) => (*truth).into(),
        Value::Timestamp(time) => time.to_rfc3339_opts(SecondsFormat::Micros, true).into(),
    }
}

fn from_json(kind: ColumnType, json: &Json) -> Option<Value> {
    Some(match (kind, json) {
        (_, Json::Null) => Value::Null,
        (ColumnType::Text, Json::String(text)) => Value::Text(text.clone()),
        (ColumnType::Integer, Json::Number(number)) => Value::Integer(number.as_i64()?),
        (ColumnType::Real, Json::String(text)) => Value::Real(text.parse().ok()?),
        (ColumnType::Boolean, Json::Bool(truth)) => Value::Boolean(*truth),
        (ColumnType::Timestamp, Json::String(text)) => {
            Value::Timestamp(DateTime::parse_from_rfc3339(text).ok()?.to_utc())
        }
        _ => return None,
    })
}

/// The first entries of a log: the rows that are there already.
pub(in crate::audit) fn first_entries(
    tables: Vec<(&'static Relation, Vec<Vec<Value>>)>,
    now: DateTime<Utc>,
) -> Result<Vec<Draft>> {
    for lease in tables.iter().filter(|(table, _)| **table == LEASES).flat_map(|(_, rows)| rows) {
        refuse_a_live_run(lease, now)?;
    }
    let is_new = tables.iter().all(|(table, rows)| **table == LEASES || rows.is_empty());
    let event = if is_new { event::STORE_CREATED } else { event::STORE_ADOPTED };
    let put = |(table, rows): (&'static Relation, Vec<Vec<Value>>)| {
        rows.into_iter().map(move |row| RowChange::Put(table, row))
    };
    let rows: Vec<_> = tables.into_iter().flat_map(put).collect();
    rows.chunks(ADOPTED_ROWS).map(|rows| Draft::new(event, None).explaining(rows)).collect()
}

/// An older program that is at work would go on to write rows without entries.
fn refuse_a_live_run(lease: &[Value], now: DateTime<Utc>) -> Result<()> {
    let at = |column| LEASES.position(column).and_then(|at| lease.get(at));
    match (at("run"), at("expires")) {
        (Some(Value::Text(run)), Some(Value::Timestamp(expires))) if *expires > now => {
            let message = format!("run {run} of an older pipeline holds the audit store");
            Err(Error::new(ErrorKind::Conflict, message)
                .with_hint("wait for it to end: the store cannot be migrated under it"))
        }
        _ => Ok(()),
    }
}
