//! The PostgreSQL backend: each batch and each query is one transaction, done again after an
//! outage.

mod address;
mod failure;
mod link;
mod parameters;
mod schema;
mod tls;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::future::{join, join3, try_join};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, IsolationLevel, Row, Transaction};

use super::backend::{Backend, Outcome, Write};
use super::log::{self, Draft};
use super::reader::Reader;
use super::relations::{Column, LOG};
use super::values::{self, values};
use super::{CONTEXT, ColumnType, LogEntry, Value};
use crate::error::{Error, Result};
use address::Address;
use failure::Failure;
use link::{Link, Session, Work};
use schema::{Migrate, Probe};

/// Lets one transaction at a time append to the log: the row is there for ever, and unlike a session
/// lock this one ends with the transaction, so that it works behind a pooler too.
const LOG_LOCK: &str = "SELECT 1 FROM leases FOR UPDATE";

/// Reads what [`log::READ_HEAD`] does, and the time; a row of NULLs and the time where the log is
/// empty. A statement of its own: it sees what was committed while the lock was waited for.
const READ_HEAD: &str = "
    SELECT h.sequence, h.hash, clock_timestamp()
    FROM (SELECT 1) AS one
    LEFT JOIN (SELECT sequence, hash FROM log ORDER BY sequence DESC LIMIT 1) AS h ON TRUE";

pub(super) struct Postgres {
    link: Link,
}

impl Postgres {
    /// Opens a store and brings its schema up to date; gives the names of the migrations it took.
    pub(super) async fn open(url: &str) -> Result<(Self, Vec<&'static str>)> {
        let address = Address::parse(url)?;
        let location = address.location.clone();
        let opened = async {
            let link = Link::open(address).await?;
            let applied = link.run(&Migrate).await?;
            Ok((Self { link }, applied))
        };
        opened.await.map_err(|e: Error| e.with_context(CONTEXT, location))
    }

    /// Opens a store with the right to `SELECT` alone.
    pub(super) async fn open_to_read(url: &str) -> Result<Reader<Self>> {
        let address = Address::parse(url)?;
        let location = address.location.clone();
        let opened = async {
            let link = Link::open(address).await?;
            let readable = link.run(&Probe).await?;
            Ok(readable.then_some(Self { link }))
        };
        let backend = opened.await.map_err(|e: Error| e.with_context(CONTEXT, &location))?;
        Ok(Reader { location, backend })
    }
}

#[async_trait]
impl Backend for Postgres {
    fn location(&self) -> &str {
        &self.link.address.location
    }

    async fn now(&self) -> Result<DateTime<Utc>> {
        const NOW: &[Column] = &[("now", ColumnType::Timestamp)];
        let rows = self.read("SELECT clock_timestamp()".to_owned(), vec![], NOW).await?;
        match rows.into_iter().flatten().next() {
            Some(Value::Timestamp(now)) => Ok(now),
            other => Err(Error::internal(format!("the server's clock says {other:?}"))),
        }
    }

    async fn write(&self, batch: Vec<Write>, entry: Option<Draft>) -> Result<Outcome> {
        self.link.run(&Batch { writes: batch, entry }).await
    }

    async fn read(
        &self,
        sql: String,
        params: Vec<Value>,
        columns: &'static [Column],
    ) -> Result<Vec<Vec<Value>>> {
        let rows = self.link.run(&Query { sql: numbered(&sql), params }).await?;
        rows_of(&rows, columns)
    }
}

fn rows_of(rows: &[Row], columns: &[Column]) -> Result<Vec<Vec<Value>>> {
    let value_of = |row: &Row| {
        let columns = columns.iter().enumerate();
        columns.map(|(index, (_, kind))| value(row, index, *kind)).collect()
    };
    let rows = rows.iter().map(value_of).collect::<Result<_, tokio_postgres::Error>>();
    rows.map_err(|e| values::unreadable().with_source(e))
}

/// A batch of changes. Sent again after its commit went unanswered, it finds its entry in the log
/// where it was made: run, event and payload tell an entry from all others. The lock on the log makes
/// that try wait for the end of a transaction that the server has not given up yet. Without an
/// entry it may be made twice.
struct Batch {
    writes: Vec<Write>,
    /// What it adds to the log.
    entry: Option<Draft>,
}

#[async_trait]
impl Work for Batch {
    type Done = Outcome;

    async fn attempt(&self, client: &mut Client, session: Session<'_>) -> Result<Outcome, Failure> {
        // What was committed while the lock was waited for must be seen, whatever the role's default.
        let begin = client.build_transaction().isolation_level(IsolationLevel::ReadCommitted);
        let transaction = session.answered(begin.start()).await?;
        let work = async {
            // First of all: who takes the lock after another could wait for it in a circle.
            let head = match &self.entry {
                Some(_) => Some(session.answered(lock_head(&transaction)).await?),
                None => None,
            };
            if let Some(entry) = self.entry.as_ref().filter(|_| session.in_doubt)
                && session.answered(is_logged(&transaction, entry)).await?
            {
                return Ok(Outcome::Committed);
            }
            for (index, write) in self.writes.iter().enumerate() {
                let params: Vec<_> = write.params.iter().map(typed).collect();
                let sql = numbered(&write.sql);
                let changed = session.answered(transaction.execute_typed(&sql, &params)).await?;
                if write.guard && changed == 0 {
                    return Ok(Outcome::Refused(index));
                }
            }
            if let Some((entry, head)) = self.entry.as_ref().zip(head) {
                session.answered(append(&transaction, entry, head)).await?;
            }
            Ok::<_, Failure>(Outcome::Committed)
        };
        // Sent together. Where the settings are refused, so is everything after them.
        let settings = transaction.batch_execute(&session.address.settings);
        let (settings, outcome) = join(session.answered(settings), work).await;
        settings?;
        match outcome {
            Ok(Outcome::Committed) => {
                let committed = session.answered(transaction.commit()).await;
                committed.map_err(Failure::at_commit)?;
                Ok(Outcome::Committed)
            }
            Ok(refused) => {
                session.answered(transaction.rollback()).await?;
                Ok(refused)
            }
            Err(failure) => Err(failure),
        }
    }
}

/// A query, with placeholders of PostgreSQL.
struct Query {
    sql: String,
    params: Vec<Value>,
}

#[async_trait]
impl Work for Query {
    type Done = Vec<Row>;

    /// Sends everything together: it takes one round trip.
    async fn attempt(
        &self,
        client: &mut Client,
        session: Session<'_>,
    ) -> Result<Vec<Row>, Failure> {
        let params: Vec<_> = self.params.iter().map(typed).collect();
        let begin = format!("BEGIN READ ONLY; {}", session.address.settings);
        let answers = join3(
            client.batch_execute(&begin),
            client.query_typed(&self.sql, &params),
            client.batch_execute("COMMIT"),
        );
        let rows = async {
            let (begun, rows, ended) = answers.await;
            begun.and(rows).and_then(|rows| ended.map(|()| rows))
        };
        session.answered(rows).await
    }
}

/// Where the log ends.
type End = (Option<log::Link>, DateTime<Utc>);

/// The end of the log and the server's time, with the right to append until the end of the
/// transaction. Both statements travel together: one round trip.
async fn lock_head(transaction: &Transaction<'_>) -> Result<End, tokio_postgres::Error> {
    let lock = transaction.batch_execute(LOG_LOCK);
    let ((), row) = try_join(lock, transaction.query_typed_one(READ_HEAD, &[])).await?;
    let (sequence, hash): (Option<i64>, Option<String>) = (row.try_get(0)?, row.try_get(1)?);
    let head = sequence.zip(hash).map(|(sequence, hash)| log::Link { sequence, hash });
    Ok((head, row.try_get(2)?))
}

/// Whether the entry was appended already.
async fn is_logged(
    transaction: &Transaction<'_>,
    entry: &Draft,
) -> Result<bool, tokio_postgres::Error> {
    const FIND: &str = "SELECT EXISTS (
        SELECT 1 FROM log WHERE run IS NOT DISTINCT FROM $1 AND event = $2 AND payload = $3
    )";
    let LogEntry { run, event, payload, .. } = entry.seal(None, DateTime::UNIX_EPOCH);
    let values = values![run.as_ref(), event, payload];
    let params: Vec<_> = values.iter().map(typed).collect();
    transaction.query_typed_one(FIND, &params).await?.try_get(0)
}

async fn append(
    transaction: &Transaction<'_>,
    entry: &Draft,
    (head, now): End,
) -> Result<(), tokio_postgres::Error> {
    let row = entry.seal(head, now).into_row();
    let params: Vec<_> = row.iter().map(typed).collect();
    transaction.execute_typed(&numbered(&LOG.insert()), &params).await.map(|_| ())
}

/// PostgreSQL's placeholders: `?1` becomes `$1`. Our statements have no other question mark.
fn numbered(sql: &str) -> String {
    sql.replace('?', "$")
}

/// A parameter with its type, so that a statement needs one round trip and no prepared name.
fn typed(value: &Value) -> (&(dyn ToSql + Sync), Type) {
    const NULL: Option<&str> = None;
    match value {
        Value::Null => (&NULL, Type::UNKNOWN),
        Value::Text(text) => (text, Type::TEXT),
        Value::Integer(integer) => (integer, Type::INT8),
        Value::Real(real) => (real, Type::FLOAT8),
        Value::Boolean(truth) => (truth, Type::BOOL),
        Value::Timestamp(time) => (time, Type::TIMESTAMPTZ),
    }
}

fn value(row: &Row, index: usize, kind: ColumnType) -> Result<Value, tokio_postgres::Error> {
    Ok(match kind {
        ColumnType::Text => row.try_get::<_, Option<String>>(index)?.into(),
        ColumnType::Integer => row.try_get::<_, Option<i64>>(index)?.into(),
        ColumnType::Real => row.try_get::<_, Option<f64>>(index)?.into(),
        ColumnType::Boolean => row.try_get::<_, Option<bool>>(index)?.into(),
        ColumnType::Timestamp => row.try_get::<_, Option<DateTime<Utc>>>(index)?.into(),
    })
}
