//! A fresh audit store for each test.

use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use chrono::Utc;
use pipeline::audit::AuditStore;
use pipeline::error::Result;
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use crate::common::postgres::announced;

/// An empty place for an audit store, gone after the test.
#[derive(Debug, Clone)]
pub(crate) enum Fixture {
    Sqlite {
        folder: Arc<TempDir>,
    },
    /// With `pooled`, behind a pooler that gives each transaction another connection.
    Postgres {
        schema: String,
        pooled: bool,
    },
}

/// Runs a test on SQLite.
pub(crate) async fn with_sqlite<F>(test: impl FnOnce(Fixture) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    test(Fixture::Sqlite { folder: Arc::new(TempDir::new().unwrap()) }).await;
}

/// Runs a test on PostgreSQL, in a schema of its own.
pub(crate) async fn with_postgres<F>(test: impl FnOnce(Fixture) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    in_schema(false, test).await;
}

/// Runs a test on PostgreSQL behind a pooler in transaction mode, in a schema of its own.
pub(crate) async fn with_pooler<F>(test: impl FnOnce(Fixture) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    in_schema(true, test).await;
}

async fn in_schema<F>(pooled: bool, test: impl FnOnce(Fixture) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    // Leftovers of a killed run on the same server have another time.
    static TESTS: AtomicU32 = AtomicU32::new(0);
    let number = TESTS.fetch_add(1, Ordering::Relaxed);
    let schema = format!("test_{}_{number}", Utc::now().timestamp_micros());
    let fixture = Fixture::Postgres { schema: schema.clone(), pooled };
    fixture.query(&format!("CREATE SCHEMA {schema}")).await;
    let done = tokio::spawn(test(fixture.clone())).await;
    fixture.query(&format!("DROP SCHEMA {schema} CASCADE")).await;
    if let Err(failure) = done {
        resume_unwind(failure.into_panic());
    }
}

impl Fixture {
    /// Opens the store over a connection of its own.
    pub(crate) async fn open(&self) -> AuditStore {
        self.try_open().await.unwrap()
    }

    pub(crate) async fn try_open(&self) -> Result<AuditStore> {
        match self {
            Self::Sqlite { .. } => AuditStore::open_sqlite(&self.path()).await,
            Self::Postgres { .. } => AuditStore::open_postgres(&self.url()).await,
        }
    }

    /// Opens the store to read, over a connection of its own.
    pub(crate) async fn open_to_read(&self) -> AuditStore {
        self.try_open_to_read().await.unwrap()
    }

    pub(crate) async fn try_open_to_read(&self) -> Result<AuditStore> {
        match self {
            Self::Sqlite { .. } => AuditStore::open_sqlite_to_read(&self.path()).await,
            Self::Postgres { .. } => AuditStore::open_postgres_to_read(&self.url()).await,
        }
    }

    /// Runs statements behind the store's back; the rows as text.
    pub(crate) async fn query(&self, sql: &str) -> Vec<Vec<String>> {
        match self {
            Self::Sqlite { .. } => {
                std::fs::create_dir_all(self.path().parent().unwrap()).unwrap();
                let connection = rusqlite::Connection::open(self.path()).unwrap();
                let mut statement = connection.prepare(sql).unwrap();
                let width = statement.column_count();
                let row = |row: &rusqlite::Row<'_>| (0..width).map(|i| row.get(i)).collect();
                statement.query_map([], row).unwrap().map(Result::unwrap).collect()
            }
            Self::Postgres { .. } => {
                let messages = self.connect().await.simple_query(sql).await.unwrap();
                let row = |message: SimpleQueryMessage| match message {
                    SimpleQueryMessage::Row(row) => {
                        let text = |i| row.get(i).unwrap_or_default().to_owned();
                        Some((0..row.len()).map(text).collect())
                    }
                    _ => None,
                };
                messages.into_iter().filter_map(row).collect()
            }
        }
    }

    /// A connection to PostgreSQL behind the store's back.
    pub(crate) async fn connect(&self) -> Client {
        let url = self.direct_url();
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// The file of a SQLite store, in a folder that does not exist yet.
    pub(crate) fn path(&self) -> PathBuf {
        match self {
            Self::Sqlite { folder } => folder.path().join("new folder").join("audit.db"),
            Self::Postgres { .. } => panic!("a PostgreSQL store has no file"),
        }
    }

    /// The URL of a PostgreSQL store; its connections carry the schema as their name.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Postgres { schema, pooled: true } => {
                let pooler = announced("PIPELINE_TEST_PGBOUNCER");
                format!("{pooler}?schema={schema}&application_name={schema}")
            }
            _ => self.direct_url(),
        }
    }

    fn direct_url(&self) -> String {
        match self {
            Self::Sqlite { .. } => panic!("a SQLite store has no URL"),
            Self::Postgres { schema, .. } => {
                let server = server_url();
                format!("{server}?options=-csearch_path%3D{schema}&application_name={schema}")
            }
        }
    }
}

/// The URL of the test server, without options.
pub(crate) fn server_url() -> String {
    announced("PIPELINE_TEST_POSTGRES")
}
