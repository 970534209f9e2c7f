//! The SQLite backend: one file beside the warehouse, no server.
//!
//! Times are text, ISO 8601 in UTC with six decimals, so that the order of text is that of time.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
use rusqlite::types::{ToSqlOutput, Type};
use rusqlite::{Connection, ErrorCode, Row, ToSql, TransactionBehavior, params_from_iter};

use super::backend::{Backend, Outcome, Write};
use super::migrations::{self, Applied};
use super::relations::Column;
use super::{ColumnType, Value};
use crate::error::{Error, ErrorKind, Result};

/// How long a statement waits for another process before it fails.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) struct Sqlite {
    location: String,
    connection: Arc<Mutex<Connection>>,
}

impl Sqlite {
    pub(super) async fn open(path: &Path) -> Result<Self> {
        let location = path.display().to_string();
        let path = path.to_owned();
        let connection = blocking(move || {
            let mut connection = connect(&path)?;
            migrate(&mut connection)?;
            Ok(connection)
        })
        .await?;
        Ok(Self { location, connection: Arc::new(Mutex::new(connection)) })
    }

    async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let connection = Arc::clone(&self.connection);
        // A panic under the lock leaves no harm: its transaction was rolled back.
        blocking(move || work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner))).await
    }
}

#[async_trait]
impl Backend for Sqlite {
    fn location(&self) -> &str {
        &self.location
    }

    async fn now(&self) -> Result<DateTime<Utc>> {
        Ok(Utc::now())
    }

    async fn write(&self, batch: Vec<Write>) -> Result<Outcome> {
        self.call(move |connection| {
            // Takes the write lock at once: a later upgrade could fail against another writer.
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for (index, write) in batch.into_iter().enumerate() {
                let changed = transaction
                    .prepare_cached(&write.sql)?
                    .execute(params_from_iter(write.params))?;
                if write.guard && changed == 0 {
                    return Ok(Outcome::Refused(index));
                }
            }
            transaction.commit()?;
            Ok(Outcome::Committed)
        })
        .await
    }

    async fn read(
        &self,
        sql: String,
        params: Vec<Value>,
        columns: &'static [Column],
    ) -> Result<Vec<Vec<Value>>> {
        self.call(move |connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map(params_from_iter(params), |row| {
                let columns = columns.iter().enumerate();
                columns.map(|(index, (_, kind))| value(row, index, *kind)).collect()
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| Error::internal("a statement of the audit store was cut off").with_source(e))?
}

fn connect(path: &Path) -> Result<Connection> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .map_err(|e| Error::io("the folder of the audit store is not there").with_source(e))?;
    }
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // WAL: analysts read while a run writes. FULL: a published run survives a power failure.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(connection)
}

/// Brings the schema up to date: all pending migrations or none.
fn migrate(connection: &mut Connection) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(migrations::CREATE_HISTORY)?;
    let applied: Vec<Applied> = transaction
        .prepare(migrations::READ_HISTORY)?
        .query_map([], |row| Ok(Applied { number: row.get(0)?, checksum: row.get(1)? }))?
        .collect::<rusqlite::Result<_>>()?;
    for migration in migrations::pending(&applied)? {
        match transaction.execute_batch(&migration.sqlite()) {
            // Without the statement, which is pages long.
            Err(rusqlite::Error::SqlInputError { msg, .. }) => {
                return Err(migrations::foreign_tables(migration).with_source(msg));
            }
            done => done?,
        }
        let now = Value::from(Utc::now());
        transaction.execute(
            migrations::APPEND_HISTORY,
            (migration.number, migration.name, migration.checksum(), now),
        )?;
    }
    transaction.commit()?;
    Ok(())
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => rusqlite::types::Null.into(),
            Self::Text(text) => text.as_str().into(),
            Self::Integer(integer) => (*integer).into(),
            Self::Real(real) => (*real).into(),
            Self::Boolean(truth) => (*truth).into(),
            Self::Timestamp(time) => time.to_rfc3339_opts(SecondsFormat::Micros, true).into(),
        })
    }
}

fn value(row: &Row<'_>, index: usize, kind: ColumnType) -> rusqlite::Result<Value> {
    Ok(match kind {
        ColumnType::Text => row.get::<_, Option<String>>(index)?.into(),
        ColumnType::Integer => row.get::<_, Option<i64>>(index)?.into(),
        ColumnType::Real => row.get::<_, Option<f64>>(index)?.into(),
        ColumnType::Boolean => row.get::<_, Option<bool>>(index)?.into(),
        ColumnType::Timestamp => {
            let text: Option<String> = row.get(index)?;
            let time = text.map(|text| DateTime::parse_from_rfc3339(&text)).transpose();
            time.map_err(|e| {
                rusqlite::Error::FromSqlConversionFailure(index, Type::Text, Box::new(e))
            })?
            .map(|time| time.to_utc())
            .into()
        }
    })
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use ErrorCode::*;
        let new = match error.sqlite_error_code() {
            Some(DatabaseBusy | DatabaseLocked) => {
                Self::io("the audit store was busy for too long")
                    .with_hint("another process is writing to it; try again")
            }
            Some(
                CannotOpen
                | ReadOnly
                | DiskFull
                | SystemIoFailure
                | PermissionDenied
                | FileLockingProtocolFailed,
            ) => Self::io("the audit store cannot be read or written"),
            Some(NotADatabase | DatabaseCorrupt) => {
                Self::new(ErrorKind::Configuration, "this file is not a sound SQLite database")
            }
            _ => Self::internal("the audit store refused a statement"),
        };
        new.with_source(error)
    }
}
