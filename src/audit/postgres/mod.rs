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
use futures::future::{join, join3};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use super::backend::{Backend, Outcome, Write};
use super::reader::Reader;
use super::relations::Column;
use super::{CONTEXT, ColumnType, Value};
use crate::error::{Error, Result};
use address::Address;
use failure::Failure;
use link::{Link, Session, Work};
use schema::{Migrate, Probe};

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

    async fn write(&self, batch: Vec<Write>) -> Result<Outcome> {
        self.link.run(&Batch(batch)).await
    }

    async fn read(
        &self,
        sql: String,
        params: Vec<Value>,
        columns: &'static [Column],
    ) -> Result<Vec<Vec<Value>>> {
        let rows = self.link.run(&Query { sql: numbered(&sql), params }).await?;
        let value_of = |row: &Row| {
            let columns = columns.iter().enumerate();
            columns.map(|(index, (_, kind))| value(row, index, *kind)).collect()
        };
        Ok(rows.iter().map(value_of).collect::<Result<_, tokio_postgres::Error>>()?)
    }
}

/// A batch of changes. What it adds has ids that only this run gives, which were all new when its
/// commit was sent; so where one is taken at the next try, it was us. Locks make that try wait for
/// the end of a transaction that the server has not given up yet.
struct Batch(Vec<Write>);

#[async_trait]
impl Work for Batch {
    type Done = Outcome;

    async fn attempt(&self, client: &mut Client, session: Session<'_>) -> Result<Outcome, Failure> {
        let transaction = session.answered(client.transaction()).await?;
        let work = async {
            for (index, write) in self.0.iter().enumerate() {
                let params: Vec<_> = write.params.iter().map(typed).collect();
                let sql = numbered(&write.sql);
                let changed = session.answered(transaction.execute_typed(&sql, &params)).await?;
                if write.guard && changed == 0 {
                    return Ok(Outcome::Refused(index));
                }
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
            Err(failure) if session.in_doubt && failure.is_duplicate() => Ok(Outcome::Committed),
            Ok(Outcome::Refused(_)) if session.in_doubt => Err(Failure::Unclear),
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
