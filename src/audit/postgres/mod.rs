//! The PostgreSQL backend: one connection, opened again once where it was lost.

mod address;
mod failure;

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::{Mutex, MutexGuard};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, GenericClient, NoTls, Row};

use super::backend::{Backend, Outcome, Write};
use super::migrations::{self, Applied};
use super::reader::Reader;
use super::relations::Column;
use super::{CONTEXT, ColumnType, Value};
use crate::error::{Error, ErrorKind, Result};
use failure::{Failure, is_lost, unreachable};

/// How long to wait before a lost connection is opened again: doubled with each failure.
const BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_secs(8);

/// Lets one process at a time migrate; released at the end of the transaction, whatever happens.
const MIGRATION_LOCK: &str = "SELECT pg_advisory_xact_lock(hashtext('pipeline audit store'))";

/// A client whose machine died must not keep its locks: the server cannot see that for hours.
const TRANSACTION_LIMITS: &str = "
    SET LOCAL lock_timeout = '30s';
    SET LOCAL idle_in_transaction_session_timeout = '30s'";

pub(super) struct Postgres {
    config: Config,
    location: String,
    client: Mutex<Client>,
}

impl Postgres {
    pub(super) async fn open(url: &str) -> Result<Self> {
        let (config, location) = address::parse(url)?;
        let opened = async {
            let mut client = connect(&config).await?;
            migrate(&mut client).await?;
            Ok(client)
        };
        let client = opened.await.map_err(|e: Error| e.with_context(CONTEXT, &location))?;
        Ok(Self { config, location, client: Mutex::new(client) })
    }

    /// Opens a store with the right to `SELECT` alone.
    pub(super) async fn open_to_read(url: &str) -> Result<Reader<Self>> {
        let (config, location) = address::parse(url)?;
        let opened = async {
            let client = connect(&config).await?;
            let readable = migrations::readable(&history(&client).await?)?;
            Ok(readable.then_some(client))
        };
        let client = opened.await.map_err(|e: Error| e.with_context(CONTEXT, &location))?;
        let backend = client.map(|client| Self {
            config,
            location: location.clone(),
            client: Mutex::new(client),
        });
        Ok(Reader { location, backend })
    }

    async fn reconnect(&self, client: &mut MutexGuard<'_, Client>) -> Result<()> {
        tracing::warn!(store = self.location, "lost the connection to the audit store");
        // A server that restarts is away for some seconds; a lease lasts longer than all tries.
        let mut wait = BACKOFF;
        loop {
            tokio::time::sleep(wait).await;
            match connect(&self.config).await {
                Ok(new) => {
                    **client = new;
                    return Ok(());
                }
                Err(error) if error.kind() != ErrorKind::Io || wait >= LONGEST_BACKOFF => {
                    return Err(error);
                }
                Err(_) => wait *= 2,
            }
        }
    }
}

#[async_trait]
impl Backend for Postgres {
    fn location(&self) -> &str {
        &self.location
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
        let mut client = self.client.lock().await;
        match transact(&mut client, &batch).await {
            // Without a COMMIT the server has undone the batch: it is safe to send it again.
            Err(Failure::BeforeCommit(e)) if is_lost(&e) => {
                self.reconnect(&mut client).await?;
                Ok(transact(&mut client, &batch).await?)
            }
            done => Ok(done?),
        }
    }

    async fn read(
        &self,
        sql: String,
        params: Vec<Value>,
        columns: &'static [Column],
    ) -> Result<Vec<Vec<Value>>> {
        let sql = numbered(&sql);
        let params: Vec<_> = params.iter().map(typed).collect();
        let mut client = self.client.lock().await;
        let rows = match client.query_typed(&sql, &params).await {
            Err(e) if is_lost(&e) => {
                self.reconnect(&mut client).await?;
                client.query_typed(&sql, &params).await?
            }
            done => done?,
        };
        let value_of = |row: &Row| {
            let columns = columns.iter().enumerate();
            columns.map(|(index, (_, kind))| value(row, index, *kind)).collect()
        };
        Ok(rows.iter().map(value_of).collect::<Result<_, tokio_postgres::Error>>()?)
    }
}

async fn connect(config: &Config) -> Result<Client> {
    let (client, connection) = config.connect(NoTls).await.map_err(unreachable)?;
    // Ends with the client. Its error reaches whoever waits for an answer.
    tokio::spawn(connection);
    Ok(client)
}

/// Brings the schema up to date: all pending migrations or none.
async fn migrate(client: &mut Client) -> Result<()> {
    let transaction = client.transaction().await?;
    transaction.batch_execute(TRANSACTION_LIMITS).await?;
    transaction.batch_execute(MIGRATION_LOCK).await?;
    let applied = history(&transaction).await?;
    if applied.is_empty() {
        transaction.batch_execute(migrations::CREATE_HISTORY).await?;
    }
    for migration in migrations::pending(&applied)? {
        let changed = transaction.batch_execute(migration.postgres()).await;
        changed.map_err(|e| match e.code() {
            Some(&SqlState::DUPLICATE_TABLE) => {
                migrations::foreign_tables(migration).with_source(e)
            }
            _ => e.into(),
        })?;
        let (number, name, checksum) = (migration.number, migration.name, migration.checksum());
        let sql = numbered(migrations::APPEND_HISTORY);
        transaction.execute(&sql, &[&number, &name, &checksum, &Utc::now()]).await?;
    }
    Ok(transaction.commit().await?)
}

/// What the store has gone through; nothing where it is new.
async fn history(client: &impl GenericClient) -> Result<Vec<Applied>> {
    const STATE: &str =
        "SELECT current_schema() IS NOT NULL, to_regclass('migrations') IS NOT NULL";
    let state = client.query_typed_one(STATE, &[]).await?;
    // Else a store whose schema is hidden from this user would look new.
    if !state.try_get::<_, bool>(0)? {
        return Err(Error::configuration("PostgreSQL has no schema for the tables, or hides it")
            .with_hint("create the schema that `search_path` names, or grant the user its usage"));
    }
    if !state.try_get::<_, bool>(1)? {
        return Ok(vec![]);
    }
    let rows = client.query_typed(migrations::READ_HISTORY, &[]).await?;
    let applied =
        rows.iter().map(|row| Ok(Applied { number: row.try_get(0)?, checksum: row.try_get(1)? }));
    Ok(applied.collect::<Result<_, tokio_postgres::Error>>()?)
}

async fn transact(client: &mut Client, batch: &[Write]) -> Result<Outcome, Failure> {
    let transaction = client.transaction().await?;
    transaction.batch_execute(TRANSACTION_LIMITS).await?;
    for (index, write) in batch.iter().enumerate() {
        let params: Vec<_> = write.params.iter().map(typed).collect();
        let changed = transaction.execute_typed(&numbered(&write.sql), &params).await?;
        if write.guard && changed == 0 {
            transaction.rollback().await?;
            return Ok(Outcome::Refused(index));
        }
    }
    transaction.commit().await.map_err(Failure::AtCommit)?;
    Ok(Outcome::Committed)
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
