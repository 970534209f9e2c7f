//! What a database must do for the audit store: run statements. It knows nothing of runs.
//!
//! Statements are written with numbered placeholders (`?1`) for both dialects.

use std::borrow::Cow;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::Value;
use super::log::{Draft, RowChange};
use super::relations::{Column, Relation};
use crate::error::Result;

/// One changing statement.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) sql: Cow<'static, str>,
    pub(super) params: Vec<Value>,
    /// Whether it must change at least one row, or else the whole batch is undone.
    pub(super) guard: bool,
    /// What it does, for the log.
    pub(super) change: Option<RowChange>,
}

impl Write {
    /// A statement that may change any number of rows.
    pub(super) fn new(sql: &'static str, params: Vec<Value>) -> Self {
        Self { sql: sql.into(), params, guard: false, change: None }
    }

    /// A statement that must change at least one row: the batch's condition.
    pub(super) fn guard(sql: &'static str, params: Vec<Value>) -> Self {
        Self { guard: true, ..Self::new(sql, params) }
    }

    /// A new row of `relation`, with a value for each of its columns.
    pub(super) fn insert(relation: &'static Relation, row: Vec<Value>) -> Self {
        let change = Some(RowChange::Put(relation, row.clone()));
        Self { sql: relation.insert().into(), params: row, guard: false, change }
    }

    /// Says what the statement does to a row, where it does anything.
    pub(super) fn that(self, change: RowChange) -> Self {
        Self { change: Some(change), ..self }
    }
}

/// How a batch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Outcome {
    /// All of it is durable.
    Committed,
    /// The guard at this position changed no row; nothing was changed.
    Refused(usize),
}

/// A database that holds an audit store, at the schema of this binary.
#[async_trait]
pub(super) trait Backend: Send + Sync {
    /// Where the store is, without secrets.
    fn location(&self) -> &str;

    /// The time that leases are measured with: one clock for all writers where there is one.
    async fn now(&self) -> Result<DateTime<Utc>>;

    /// Runs the batch in order in one transaction and appends the entry to the log, durable when
    /// this returns. Whoever appends waits for the one before: the chain does not fork.
    async fn write(&self, batch: Vec<Write>, entry: Option<Draft>) -> Result<Outcome>;

    /// Runs a query whose result has `columns`.
    async fn read(
        &self,
        sql: String,
        params: Vec<Value>,
        columns: &'static [Column],
    ) -> Result<Vec<Vec<Value>>>;
}
