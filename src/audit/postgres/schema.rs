//! The tables of a store in PostgreSQL: whether they are there, and how they come to be.

use async_trait::async_trait;
use chrono::Utc;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, IsolationLevel, Transaction};

use super::address::{Address, quoted};
use super::failure::Failure;
use super::link::{Session, Work};
use super::{append, lock_head, numbered, rows_of};
use crate::audit::log;
use crate::audit::migrations::{self, Applied, Migration};
use crate::audit::relations::EXPLAINED;
use crate::error::{Error, Result};

/// Lets one process at a time migrate; released at the end of the transaction, whatever happens.
const MIGRATION_LOCK: &str = "SELECT pg_advisory_xact_lock(hashtext('pipeline audit store'))";

/// Brings the schema up to date, all pending migrations or none, and gives their names. Where none
/// is pending, the right to read is enough.
pub(super) struct Migrate;

#[async_trait]
impl Work for Migrate {
    type Done = Vec<&'static str>;

    async fn attempt(
        &self,
        client: &mut Client,
        session: Session<'_>,
    ) -> Result<Vec<&'static str>, Failure> {
        if let Some(applied) = history(client, session).await?
            && migrations::pending(&applied)?.is_empty()
        {
            return Ok(vec![]);
        }
        let begin = client.build_transaction().isolation_level(IsolationLevel::ReadCommitted);
        let transaction = session.answered(begin.start()).await?;
        session.answered(transaction.batch_execute(&session.address.settings)).await?;
        session.answered(transaction.batch_execute(MIGRATION_LOCK)).await?;
        let mut applied = read(&transaction, session).await?;
        if applied.is_none()
            && let Some(schema) = &session.address.schema
        {
            let create = format!("CREATE SCHEMA {}", quoted(schema));
            let created = session.answered(transaction.batch_execute(&create)).await;
            created.map_err(|failure| match failure.is_denied() {
                true => missing(session.address).into(),
                false => failure,
            })?;
            applied = Some(vec![]);
        }
        let applied = applied.ok_or_else(|| missing(session.address))?;
        let pending = migrations::pending(&applied)?;
        if applied.is_empty() {
            let created = session.answered(transaction.batch_execute(migrations::CREATE_HISTORY));
            created.await.map_err(|failure| denied(failure, pending))?;
        }
        for migration in pending {
            let changed = session.answered(apply(&transaction, migration)).await;
            changed.map_err(|failure| match failure {
                Failure::Postgres(e) if e.code() == Some(&SqlState::DUPLICATE_TABLE) => {
                    migrations::foreign_tables(migration).with_source(e).into()
                }
                other => denied(other, pending),
            })?;
        }
        if migrations::begin_log(pending) {
            begin_log(&transaction, session).await?;
        }
        // Sent again after a lost answer, it finds nothing pending.
        session.answered(transaction.commit()).await?;
        Ok(pending.iter().map(|migration| migration.name).collect())
    }
}

/// Whether the schema of this binary is there: false where nobody has written the store yet.
pub(super) struct Probe;

#[async_trait]
impl Work for Probe {
    type Done = bool;

    async fn attempt(&self, client: &mut Client, session: Session<'_>) -> Result<bool, Failure> {
        let applied = history(client, session).await?;
        // Else a store whose schema is misspelt would look new.
        let applied = applied.ok_or_else(|| missing(session.address))?;
        Ok(migrations::readable(&applied)?)
    }
}

/// Takes what the store holds into its log.
async fn begin_log(transaction: &Transaction<'_>, session: Session<'_>) -> Result<(), Failure> {
    let mut tables = vec![];
    for table in EXPLAINED {
        let rows = session.answered(transaction.query_typed(&table.select(), &[])).await?;
        tables.push((table, rows_of(&rows, table.columns)?));
    }
    let (_, now) = session.answered(lock_head(transaction)).await?;
    for entry in log::first_entries(tables, now)? {
        let head = session.answered(lock_head(transaction)).await?;
        session.answered(append(transaction, &entry, head)).await?;
    }
    Ok(())
}

async fn apply(
    transaction: &Transaction<'_>,
    migration: &Migration,
) -> Result<(), tokio_postgres::Error> {
    transaction.batch_execute(migration.postgres()).await?;
    let sql = numbered(migrations::APPEND_HISTORY);
    let (number, name, checksum) = (migration.number, migration.name, migration.checksum());
    let row: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 4] = [
        (&number, Type::INT8),
        (&name, Type::TEXT),
        (&checksum, Type::TEXT),
        (&Utc::now(), Type::TIMESTAMPTZ),
    ];
    transaction.execute_typed(&sql, &row).await.map(|_| ())
}

/// What the store has gone through: nothing where it is new, None where it has no schema.
async fn history(
    client: &mut Client,
    session: Session<'_>,
) -> Result<Option<Vec<Applied>>, Failure> {
    let transaction = client.build_transaction().read_only(true).start();
    let transaction = session.answered(transaction).await?;
    session.answered(transaction.batch_execute(&session.address.settings)).await?;
    let applied = read(&transaction, session).await?;
    session.answered(transaction.commit()).await?;
    Ok(applied)
}

async fn read(
    transaction: &Transaction<'_>,
    session: Session<'_>,
) -> Result<Option<Vec<Applied>>, Failure> {
    const STATE: &str =
        "SELECT current_schema() IS NOT NULL, to_regclass('migrations') IS NOT NULL,
        EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)";
    let named = &[(&session.address.schema as _, Type::TEXT)];
    let state = session.answered(transaction.query_typed_one(STATE, named)).await?;
    let (usable, migrated, exists): (bool, bool, bool) =
        (state.try_get(0)?, state.try_get(1)?, state.try_get(2)?);
    match (usable, exists) {
        (false, true) => return Err(hidden(session.address).into()),
        (false, false) if session.address.schema.is_none() => {
            return Err(missing(session.address).into());
        }
        (false, false) => return Ok(None),
        (true, _) if !migrated => return Ok(Some(vec![])),
        (true, _) => {}
    }
    let rows = session.answered(transaction.query_typed(migrations::READ_HISTORY, &[])).await?;
    let applied =
        rows.iter().map(|row| Ok(Applied { number: row.try_get(0)?, checksum: row.try_get(1)? }));
    Ok(Some(applied.collect::<Result<_, tokio_postgres::Error>>()?))
}

fn missing(address: &Address) -> Error {
    match &address.schema {
        Some(name) => {
            Error::configuration(format!("PostgreSQL has no schema `{name}` for the tables"))
                .with_hint(format!(
                    "let an administrator run k8s/postgres/roles.sql, or CREATE SCHEMA {} AUTHORIZATION the owner",
                    quoted(name)
                ))
        }
        None => Error::configuration("PostgreSQL has no schema for the tables, or hides it")
            .with_hint("create the schema that `search_path` names, or grant the user its usage"),
    }
}

fn hidden(address: &Address) -> Error {
    let name = address.schema.as_deref().unwrap_or_default();
    Error::configuration(format!("PostgreSQL denies access to the schema `{name}`"))
        .with_hint(format!("GRANT USAGE ON SCHEMA {} TO the user", quoted(name)))
}

/// The failure of a migration; where a right is missing, who has it.
fn denied(failure: Failure, pending: &[Migration]) -> Failure {
    match failure {
        Failure::Postgres(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            let names: Vec<_> = pending.iter().map(|migration| migration.name).collect();
            Error::configuration(format!(
                "the store needs migration {}, which this user has no right to make",
                names.join(", ")
            ))
            .with_hint("run `pipeline audit migrate` as the owner of its tables")
            .with_source(error)
            .into()
        }
        other => other,
    }
}
