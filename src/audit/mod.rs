//! The audit store: which run made what, from what, how, and which version is current.
//!
//! It is the catalog of the warehouse too: a run's versions become visible by one transaction
//! here ([`AuditStore::publish`]). One store serves one warehouse, that
//! of its first run: version ids are folders in it. SQLite and PostgreSQL share the schema, the SQL
//! and one conformance suite; a backend only runs statements.
//!
//! Every change is one transaction, durable when its method returns, and one entry of the
//! [log](LogEntry) in that transaction; a renewed lease alone is none. All methods share these
//! [kinds](ErrorKind) of errors: `Io` where the store cannot be reached or is busy for too long (a
//! retry may help), `Configuration` where it refuses the user, and `Internal` where a record
//! breaks a rule of the schema. Times are UTC, cut to microseconds; a NaN is stored as NULL.
//!
//! This room never touches DataFusion, the object store or the terminal.

mod backend;
mod inventory;
mod leases;
mod log;
mod migrations;
mod postgres;
mod reader;
mod records;
mod relations;
mod runs;
mod sqlite;
mod values;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

pub use inventory::Inventory;
pub use log::{Finding, Head, LogEntry, LogReport, Origin};
pub use records::*;
pub use relations::{Column, Relation};

use crate::error::{Error, ErrorKind, Result};
use backend::{Backend, Outcome, Write};
use log::Draft;
use values::{FromRow, Row, values};

/// The audit store. A clone shares the connection.
#[derive(Clone)]
pub struct AuditStore {
    backend: Arc<dyn Backend>,
}

impl fmt::Debug for AuditStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AuditStore").field(&self.location()).finish()
    }
}

impl AuditStore {
    /// Opens the SQLite store in the file at `path`, creating both where they do not exist, and
    /// brings its schema up to date.
    ///
    /// The file must be on a local disk: SQLite's locks do not hold on network file systems.
    ///
    /// # Errors
    /// `Configuration` where the file is not a store or was written by a newer pipeline.
    pub async fn open_sqlite(path: &Path) -> Result<Self> {
        let opened = sqlite::Sqlite::open(path).await;
        let (backend, _) =
            opened.map_err(|e| e.with_context(CONTEXT, path.display().to_string()))?;
        Ok(Self { backend: Arc::new(backend) })
    }

    /// Opens the SQLite store in the file at `path` to read. Neither the file nor its folder is
    /// changed or needs to be writable. A store that nobody has written yet reads as empty. All
    /// methods that write fail with `Internal`.
    ///
    /// # Errors
    /// `Configuration` where the file is not a store or was written by an older or newer pipeline;
    /// `Io` where a process died while writing and this one may not write, and so not repair, the
    /// file.
    pub async fn open_sqlite_to_read(path: &Path) -> Result<Self> {
        let opened = sqlite::Sqlite::open_to_read(path).await;
        let backend = opened.map_err(|e| e.with_context(CONTEXT, path.display().to_string()))?;
        Ok(Self { backend: Arc::new(backend) })
    }

    /// Connects to the PostgreSQL store at `url` (`postgresql://USER:PASSWORD@HOST:PORT/DATABASE`
    /// or libpq's `key=value` form), and brings its schema up to date.
    ///
    /// Beside what libpq knows, the URL may set: `schema`, that of the tables (default: the first
    /// of the `search_path`; made where it is missing and the user may); `statement_timeout`
    /// (default 60 s), `reconnect_deadline` (30 s), how long to try to get over an outage; `sslmode`
    /// (`disable`, `prefer`, `require`, `verify-ca` or `verify-full`), `sslrootcert`, `sslcert` and
    /// `sslkey`, as in libpq. It works behind a pooler in transaction mode.
    ///
    /// # Errors
    /// `Configuration` where the URL is malformed, the server refuses the user or its certificate
    /// is not the one asked for, the store was written by a newer pipeline, or it is older and the
    /// user may not change it. No error contains the password.
    pub async fn open_postgres(url: &str) -> Result<Self> {
        let (backend, _) = postgres::Postgres::open(url).await?;
        Ok(Self { backend: Arc::new(backend) })
    }

    /// Connects to the PostgreSQL store at `url` to read: the right to `SELECT` is enough. A store
    /// that nobody has written yet reads as empty. All methods that write fail with `Internal`.
    ///
    /// # Errors
    /// As [`open_postgres`](Self::open_postgres), and `Configuration` where the store was written
    /// by an older pipeline.
    pub async fn open_postgres_to_read(url: &str) -> Result<Self> {
        let backend = postgres::Postgres::open_to_read(url).await?;
        Ok(Self { backend: Arc::new(backend) })
    }

    /// Brings the schema of the SQLite store at `path` up to date, creating it where it does not
    /// exist. Gives the names of the migrations that this took.
    ///
    /// # Errors
    /// As [`open_sqlite`](Self::open_sqlite).
    pub async fn migrate_sqlite(path: &Path) -> Result<Vec<&'static str>> {
        let migrated = sqlite::Sqlite::open(path).await;
        let (_, applied) =
            migrated.map_err(|e| e.with_context(CONTEXT, path.display().to_string()))?;
        Ok(applied)
    }

    /// Brings the schema of the PostgreSQL store at `url` up to date: its user must own it. Gives
    /// the names of the migrations that this took.
    ///
    /// # Errors
    /// As [`open_postgres`](Self::open_postgres).
    pub async fn migrate_postgres(url: &str) -> Result<Vec<&'static str>> {
        let (_, applied) = postgres::Postgres::open(url).await?;
        Ok(applied)
    }

    /// Where the store is, without secrets: a path, or `postgresql://host:port/database`.
    pub fn location(&self) -> &str {
        self.backend.location()
    }

    /// The current versions, by relation.
    pub async fn current(&self) -> Result<Vec<VersionRecord>> {
        let clause = "WHERE id IN (SELECT version FROM current)";
        self.versions(clause, values![]).await
    }

    /// The versions that were current when a run had ended, by relation; none where it has not
    /// succeeded.
    pub async fn current_after(&self, run: &RunId) -> Result<Vec<VersionRecord>> {
        let clause = "WHERE id IN (
            SELECT version FROM publications AS latest WHERE published = (
                SELECT max(published) FROM publications
                WHERE relation = latest.relation AND published <= (
                    SELECT finished FROM runs WHERE id = ?1 AND state = 'succeeded'
                )
            )
        )";
        self.versions(clause, values![run]).await
    }

    async fn versions(&self, clause: &str, params: Vec<Value>) -> Result<Vec<VersionRecord>> {
        let mut versions: Vec<VersionRecord> =
            self.select(&relations::VERSIONS, clause, params).await?;
        // Not `ORDER BY`: PostgreSQL would follow the locale of the database.
        versions.sort_by(|a, b| a.relation.cmp(&b.relation));
        Ok(versions)
    }

    /// The version with this id.
    pub async fn version(&self, id: &VersionId) -> Result<Option<VersionRecord>> {
        self.select_first(&relations::VERSIONS, "WHERE id = ?1", values![id]).await
    }

    /// The newest version of `relation` made by a step with this identity, by any run, published
    /// or not: that is how a failed run resumes. Not one that was removed.
    pub async fn find_version(
        &self,
        relation: &str,
        identity: &str,
    ) -> Result<Option<VersionRecord>> {
        let clause = "WHERE relation = ?1 AND identity = ?2
            AND id NOT IN (SELECT version FROM removals)
            ORDER BY created DESC, id DESC LIMIT 1";
        self.select_first(&relations::VERSIONS, clause, values![relation, identity]).await
    }

    /// The newest version of `relation`, by any run, published or not. Not one that was removed.
    pub async fn previous_version(&self, relation: &str) -> Result<Option<VersionRecord>> {
        let clause = "WHERE relation = ?1
            AND id NOT IN (SELECT version FROM removals)
            ORDER BY created DESC, id DESC LIMIT 1";
        self.select_first(&relations::VERSIONS, clause, values![relation]).await
    }

    /// The files of a version, by path.
    pub async fn files(&self, version: &VersionId) -> Result<Vec<FileRecord>> {
        let mut files: Vec<FileRecord> =
            self.select(&relations::FILES, "WHERE version = ?1", values![version]).await?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    /// The direct inputs of a version, in the order in which they were recorded.
    pub async fn inputs(&self, version: &VersionId) -> Result<Vec<LineageRecord>> {
        let clause = "WHERE version = ?1 ORDER BY position";
        self.select(&relations::LINEAGE, clause, values![version]).await
    }

    /// Whether an `ASSERT` with this step identity was executed, by any run, and passed.
    pub async fn find_passed_check(&self, identity: &str) -> Result<bool> {
        let clause = "WHERE passed AND EXISTS (
            SELECT 1 FROM steps
            WHERE steps.run = checks.run AND steps.ordinal = checks.step
                AND steps.state = 'ran' AND steps.identity = ?1
        ) LIMIT 1";
        let found = self.rows(&relations::CHECKS, clause, values![identity]).await?;
        Ok(!found.is_empty())
    }

    /// The tables and views that [`read`](Self::read) knows, tables first.
    pub fn relations() -> &'static [Relation] {
        relations::ALL
    }

    /// The whole content of a table or view of [`relations`](Self::relations), in no order.
    ///
    /// # Errors
    /// `Sql` where there is none of that name.
    pub async fn read(&self, relation: &str) -> Result<Rows> {
        let known = Self::relations().iter().find(|known| known.name == relation);
        let known = known.ok_or_else(|| {
            let names: Vec<_> = Self::relations().iter().map(|known| known.name).collect();
            Error::sql(format!("the audit store has no table or view `{relation}`"))
                .with_hint(format!("it has {}", names.join(", ")))
        })?;
        let columns = known.columns.iter().map(|(name, kind)| ((*name).to_owned(), *kind));
        Ok(Rows { columns: columns.collect(), rows: self.rows(known, "", values![]).await? })
    }

    async fn select_first<T: FromRow>(
        &self,
        relation: &'static Relation,
        clause: &str,
        params: Vec<Value>,
    ) -> Result<Option<T>> {
        Ok(self.select(relation, clause, params).await?.into_iter().next())
    }

    async fn select<T: FromRow>(
        &self,
        relation: &'static Relation,
        clause: &str,
        params: Vec<Value>,
    ) -> Result<Vec<T>> {
        let rows = self.rows(relation, clause, params).await?;
        rows.into_iter().map(|row| T::from_row(&Row::new(relation.columns, row))).collect()
    }

    /// The rows of `relation` that `clause` leaves, all columns.
    async fn rows(
        &self,
        relation: &'static Relation,
        clause: &str,
        params: Vec<Value>,
    ) -> Result<Vec<Vec<Value>>> {
        let sql = format!("{} {clause}", relation.select());
        let read = self.backend.read(sql, params, relation.columns).await;
        read.map_err(|e| self.in_context(e))
    }

    /// Without an entry only what is no change of a run: the renewal of a lease.
    async fn write(&self, batch: Vec<Write>, entry: Option<Draft>) -> Result<Outcome> {
        self.backend.write(batch, entry).await.map_err(|e| self.in_context(e))
    }

    fn conflict(&self, message: String) -> Error {
        self.in_context(Error::new(ErrorKind::Conflict, message))
    }

    fn in_context(&self, error: Error) -> Error {
        error.with_context(CONTEXT, self.location())
    }
}

/// The key under which every error of this room names the store.
const CONTEXT: &str = "audit store";
