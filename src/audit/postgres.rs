//! The PostgreSQL backend: one connection, opened again once where it was lost.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::{Mutex, MutexGuard};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, NoTls, Row};

use super::backend::{Backend, Outcome, Write};
use super::migrations::{self, Applied};
use super::relations::Column;
use super::{CONTEXT, ColumnType, Value};
use crate::error::{Error, Result};

/// How long to wait for a connection, and for the server to confirm what was sent, where the URL
/// does not say.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait before a lost connection is opened again.
const BACKOFF: Duration = Duration::from_secs(1);

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
        let config = parse(url)?;
        let location = location(&config);
        let opened = async {
            let mut client = connect(&config).await?;
            migrate(&mut client).await?;
            Ok(client)
        };
        let client = opened
            .await
            .map_err(|e: Error| e.with_context(CONTEXT, &location))?;
        Ok(Self {
            config,
            location,
            client: Mutex::new(client),
        })
    }

    async fn reconnect(&self, client: &mut MutexGuard<'_, Client>) -> Result<()> {
        tracing::warn!(
            store = self.location,
            "lost the connection to the audit store"
        );
        tokio::time::sleep(BACKOFF).await;
        **client = connect(&self.config).await?;
        Ok(())
    }
}

#[async_trait]
impl Backend for Postgres {
    fn location(&self) -> &str {
        &self.location
    }

    async fn now(&self) -> Result<DateTime<Utc>> {
        const NOW: &[Column] = &[("now", ColumnType::Timestamp)];
        let rows = self
            .read("SELECT clock_timestamp()".to_owned(), vec![], NOW)
            .await?;
        match rows.into_iter().flatten().next() {
            Some(Value::Timestamp(now)) => Ok(now),
            other => Err(Error::internal(format!(
                "the server's clock says {other:?}"
            ))),
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
            columns
                .map(|(index, (_, kind))| value(row, index, *kind))
                .collect()
        };
        Ok(rows
            .iter()
            .map(value_of)
            .collect::<Result<_, tokio_postgres::Error>>()?)
    }
}

fn parse(url: &str) -> Result<Config> {
    // The parser's own message may quote a badly escaped password, so it is left out.
    let mut config: Config = url.parse().map_err(|_| {
        Error::configuration("the URL of the audit store is malformed").with_hint(
            "write postgresql://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=prefer, with reserved \
             characters of the password percent-encoded",
        )
    })?;
    if config.get_ssl_mode() == SslMode::Require {
        return Err(Error::configuration(
            "sslmode=require: this pipeline cannot encrypt connections to PostgreSQL",
        )
        .with_hint("use sslmode=prefer or sslmode=disable inside a trusted network"));
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(TIMEOUT);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(TIMEOUT);
    }
    if config.get_application_name().is_none() {
        config.application_name("pipeline");
    }
    Ok(config)
}

/// The address without user, password and options.
fn location(config: &Config) -> String {
    let hosts = config.get_hosts().iter().enumerate().map(|(index, host)| {
        let port = config.get_ports().get(index).or(config.get_ports().first());
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        match host {
            Host::Tcp(name) => format!("{name}{port}"),
            Host::Unix(folder) => format!("{}{port}", folder.display()),
        }
    });
    let hosts: Vec<_> = hosts.collect();
    format!(
        "postgresql://{}/{}",
        hosts.join(","),
        config.get_dbname().unwrap_or_default()
    )
}

async fn connect(config: &Config) -> Result<Client> {
    let (client, connection) = config.connect(NoTls).await.map_err(|e| {
        // Answers of the server have a code; without one the world or the URL is at fault.
        let refused = e.code().is_none() && !is_lost(&e) && e.source().is_some();
        let error = if refused {
            Error::configuration("PostgreSQL cannot be reached with this URL")
        } else if e.code().is_none() {
            Error::io("PostgreSQL cannot be reached")
        } else {
            return e.into();
        };
        error.with_source(e)
    })?;
    // Ends with the client. Its error reaches whoever waits for an answer.
    tokio::spawn(connection);
    Ok(client)
}

/// Brings the schema up to date: all pending migrations or none.
async fn migrate(client: &mut Client) -> Result<()> {
    let transaction = client.transaction().await?;
    transaction.batch_execute(TRANSACTION_LIMITS).await?;
    transaction.batch_execute(MIGRATION_LOCK).await?;
    let exists = "SELECT to_regclass('migrations') IS NOT NULL";
    if !transaction
        .query_one(exists, &[])
        .await?
        .try_get::<_, bool>(0)?
    {
        transaction
            .batch_execute(migrations::CREATE_HISTORY)
            .await?;
    }
    let rows = transaction
        .query_typed(migrations::READ_HISTORY, &[])
        .await?;
    let applied = rows.iter().map(|row| {
        Ok(Applied {
            number: row.try_get(0)?,
            checksum: row.try_get(1)?,
        })
    });
    let applied = applied.collect::<Result<Vec<_>, tokio_postgres::Error>>()?;
    for migration in migrations::pending(&applied)? {
        transaction.batch_execute(migration.postgres()).await?;
        let (number, name, checksum) = (migration.number, migration.name, migration.checksum());
        let sql = numbered(migrations::APPEND_HISTORY);
        transaction
            .execute(&sql, &[&number, &name, &checksum, &Utc::now()])
            .await?;
    }
    Ok(transaction.commit().await?)
}

/// How a transaction failed.
enum Failure {
    /// Nothing was changed.
    BeforeCommit(tokio_postgres::Error),
    /// Where the connection was lost, nobody knows whether all or nothing was changed.
    AtCommit(tokio_postgres::Error),
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::BeforeCommit(error)
    }
}

async fn transact(client: &mut Client, batch: &[Write]) -> Result<Outcome, Failure> {
    let transaction = client.transaction().await?;
    transaction.batch_execute(TRANSACTION_LIMITS).await?;
    for (index, write) in batch.iter().enumerate() {
        let params: Vec<_> = write.params.iter().map(typed).collect();
        let changed = transaction
            .execute_typed(&numbered(&write.sql), &params)
            .await?;
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

/// Whether the connection broke, rather than a statement.
fn is_lost(error: &tokio_postgres::Error) -> bool {
    let broken = || {
        error
            .source()
            .is_some_and(|source| source.is::<io::Error>())
    };
    error.is_closed() || broken() || error.code().is_some_and(is_outage)
}

/// Classes 08 (connection exception) and 57P (shutdown, starting up).
fn is_outage(code: &SqlState) -> bool {
    code.code().starts_with("08") || code.code().starts_with("57P")
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        let code = error.code().map(SqlState::code).unwrap_or_default();
        let new = match code {
            _ if is_lost(&error) => Self::io("the connection to PostgreSQL was lost"),
            "55P03" | "40P01" => Self::io("the audit store was busy for too long")
                .with_hint("another process holds a lock in it; try again"),
            "3D000" => Self::configuration("PostgreSQL has no such database"),
            "3F000" => Self::configuration("PostgreSQL has no schema to put the tables in")
                .with_hint("create the schema that `search_path` names"),
            "42501" => Self::configuration("PostgreSQL denies access to the tables"),
            "42P07" => Self::configuration("the schema holds tables of another program")
                .with_hint("give the store a schema of its own: ?options=-csearch_path%3Dpipeline"),
            _ if code.starts_with("28") => Self::configuration("PostgreSQL refuses the user"),
            _ if code.starts_with("53") => Self::io("PostgreSQL is out of resources"),
            _ => Self::internal("the audit store refused a statement"),
        };
        new.with_source(error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::AtCommit(e) if is_lost(&e) => Self::io(
                "the connection to PostgreSQL was lost in a commit: the change may have been made",
            )
            .with_source(e),
            Failure::BeforeCommit(e) | Failure::AtCommit(e) => e.into(),
        }
    }
}
