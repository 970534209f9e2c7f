//! The SQLite backend: one file beside the warehouse, no server.
//!
//! The journal is SQLite's default, which is deleted at the end of a transaction, and not a
//! write-ahead log. A log lets a long read and a commit overlap, but its readers must be able to
//! write to the folder, which another user or a read-only mount is not. Here reads and transactions
//! take milliseconds, and wait for each other.
//!
//! Times are text, ISO 8601 in UTC with six decimals, so that the order of text is that of time.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
use rusqlite::types::{ToSqlOutput, Type};
use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension, Row, ToSql, Transaction,
    TransactionBehavior, ffi, params_from_iter,
};

use super::backend::{Backend, Outcome, Write};
use super::log::{self, Draft, Link};
use super::migrations::{self, Applied};
use super::reader::Reader;
use super::relations::{Column, EXPLAINED, LOG};
use super::{ColumnType, Value, values};
use crate::error::{Error, ErrorKind, Result};

/// How long a statement waits for another process before it fails.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) struct Sqlite {
    location: String,
    connection: Arc<Mutex<Connection>>,
}

impl Sqlite {
    /// Opens a store and brings its schema up to date; gives the names of the migrations it took.
    pub(super) async fn open(path: &Path) -> Result<(Self, Vec<&'static str>)> {
        let file = path.to_owned();
        let (connection, applied) = blocking(move || {
            let mut connection = connect(&file)?;
            let applied = migrate(&mut connection)?;
            Ok((connection, applied))
        })
        .await?;
        Ok((Self::new(path, connection), applied))
    }

    /// Opens a store without changing what it holds.
    pub(super) async fn open_to_read(path: &Path) -> Result<Reader<Self>> {
        let file = path.to_owned();
        let connection = blocking(move || connect_to_read(&file)).await?;
        let backend = connection.map(|connection| Self::new(path, connection));
        Ok(Reader { location: path.display().to_string(), backend })
    }

    fn new(path: &Path, connection: Connection) -> Self {
        Self { location: path.display().to_string(), connection: Arc::new(Mutex::new(connection)) }
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

    async fn write(&self, batch: Vec<Write>, entry: Option<Draft>) -> Result<Outcome> {
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
            if let Some(entry) = &entry {
                append(&transaction, entry)?;
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
        self.call(move |connection| rows(connection, &sql, params, columns)).await
    }
}

fn rows(
    connection: &Connection,
    sql: &str,
    params: Vec<Value>,
    columns: &[Column],
) -> Result<Vec<Vec<Value>>> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params_from_iter(params), |row| {
        let columns = columns.iter().enumerate();
        columns.map(|(index, (_, kind))| value(row, index, *kind)).collect()
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Appends to the log. The transaction holds the write lock: nobody else appends meanwhile.
fn append(transaction: &Transaction<'_>, entry: &Draft) -> Result<()> {
    let mut head = transaction.prepare_cached(log::READ_HEAD)?;
    let head = head.query_row([], |row| Ok(Link { sequence: row.get(0)?, hash: row.get(1)? }));
    let sealed = entry.seal(head.optional()?, Utc::now());
    transaction.prepare_cached(&LOG.insert())?.execute(params_from_iter(sealed.into_row()))?;
    Ok(())
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
    // A published run survives a power failure: that the journal is deleted is synced too.
    connection.pragma_update(None, "synchronous", "EXTRA")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(connection)
}

/// None where nobody has written the store yet.
fn connect_to_read(path: &Path) -> Result<Option<Connection>> {
    let exists = path.try_exists();
    if !exists.map_err(|e| Error::io("the audit store cannot be read").with_source(e))? {
        return Ok(None);
    }
    // What a dead writer has left half-written must be undone before it can be read, so the file is
    // opened to write; where it is write-protected, SQLite opens it to read. No second mutex: the
    // connection is behind ours.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(migrations::readable(&history(&connection)?)?.then_some(connection))
}

/// What the store has gone through; nothing where it is new.
fn history(connection: &Connection) -> Result<Vec<Applied>> {
    if !connection.table_exists(None, "migrations")? {
        return Ok(vec![]);
    }
    let mut statement = connection.prepare(migrations::READ_HISTORY)?;
    let applied = statement
        .query_map([], |row| Ok(Applied { number: row.get(0)?, checksum: row.get(1)? }))?;
    Ok(applied.collect::<rusqlite::Result<_>>()?)
}

/// Brings the schema up to date: all pending migrations or none.
fn migrate(connection: &mut Connection) -> Result<Vec<&'static str>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(migrations::CREATE_HISTORY)?;
    let pending = migrations::pending(&history(&transaction)?)?;
    for migration in pending {
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
    if migrations::begin_log(pending) {
        let mut tables = vec![];
        for table in EXPLAINED {
            tables.push((table, rows(&transaction, &table.select(), vec![], table.columns)?));
        }
        for entry in log::first_entries(tables, Utc::now())? {
            append(&transaction, &entry)?;
        }
    }
    transaction.commit()?;
    Ok(pending.iter().map(|migration| migration.name).collect())
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
        use rusqlite::Error::{
            FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType,
        };
        if let FromSqlConversionFailure(..) | InvalidColumnType(..) | IntegralValueOutOfRange(..) =
            &error
        {
            return values::unreadable().with_source(error);
        }
        let extended = error.sqlite_error().map(|error| error.extended_code);
        let new = match error.sqlite_error_code() {
            // Left by the dead process: a reader may not play the journal back.
            Some(ReadOnly) if extended == Some(ffi::SQLITE_READONLY_ROLLBACK) => {
                Self::io("the audit store must be repaired: a process died while writing to it")
                    .with_hint("the next command of somebody who may write the file repairs it")
            }
            Some(DatabaseBusy | DatabaseLocked) => {
                Self::io("the audit store was busy for too long")
                    .with_hint("another process is writing to it; try again")
            }
            Some(DiskFull) => Self::io("the disk of the audit store is full")
                .with_hint("free some space; nothing was published, and the next run resumes"),
            Some(
                CannotOpen
                | ReadOnly
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
