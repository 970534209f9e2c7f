//! Least privileges: `k8s/postgres/roles.sql` as it is shipped, and what each role can and cannot.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use pipeline::audit::{AuditStore, Lease, RunState};
use pipeline::error::ErrorKind;

use crate::common::Project;
use crate::common::postgres::{Server, program, psql, query};
use crate::samples::{change, param, run, table_step, text};

const USERS: &str = "
    CREATE ROLE migrator LOGIN IN ROLE pipeline_owner;
    ALTER ROLE migrator SET role = pipeline_owner;
    CREATE ROLE job LOGIN IN ROLE pipeline_writer;
    CREATE ROLE analyst LOGIN IN ROLE pipeline_reader";

/// A server whose database belongs to an administrator who is no superuser.
struct Store(Server);

impl Store {
    async fn new() -> Self {
        let server = tokio::task::spawn_blocking(|| Server::start(&[])).await.unwrap();
        server.query("CREATE ROLE admin LOGIN CREATEROLE");
        server.query("CREATE DATABASE audit OWNER admin");
        Self(server)
    }

    /// The URL for PostgreSQL's own tools.
    fn plain(&self, user: &str) -> String {
        format!("postgresql://{user}@127.0.0.1:{}/audit", self.0.port())
    }

    fn url(&self, user: &str) -> String {
        format!("{}?schema=pipeline", self.plain(user))
    }

    fn grant(&self) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("k8s/postgres/roles.sql");
        let output = Command::new(program("psql"))
            .args(["-X", "-q", "-v", "schema=pipeline", "-f"])
            .arg(script)
            .arg(self.plain("admin"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Whether the server says that the user lacks a right.
    fn denies(&self, user: &str, sql: &str) -> bool {
        let done =
            psql(&self.plain(user), &format!("SET search_path = pipeline; BEGIN; {sql}; ROLLBACK"));
        match done {
            Ok(_) => false,
            Err(error)
                if error.contains("permission denied") || error.contains("must be owner") =>
            {
                true
            }
            Err(error) => panic!("{user}: {sql}: {error}"),
        }
    }
}

/// The store's tables, as the database tells.
fn tables(store: &Store) -> Vec<String> {
    let sql = "SELECT relname FROM pg_class
               WHERE relnamespace = 'pipeline'::regnamespace AND relkind = 'r' ORDER BY relname";
    query(&store.plain("migrator"), sql)
}

/// One whole run, as `pipeline exec` does it.
async fn runs(store: &AuditStore, id: &str) -> Lease {
    let run = run(id);
    let hour = Duration::from_secs(3600);
    let lease = store.acquire_lease("/warehouse", &run.id, hour).await.unwrap();
    store.begin_run(&run, &[param("seed", "7")]).await.unwrap();
    let step = table_step(&run.id, 1, "ingestion", "raw.events", vec![]);
    store.record_step(&step).await.unwrap();
    store.renew_lease(&lease, hour).await.unwrap();
    store.publish(&lease, &[change(&run.id, 1, "raw.events")]).await.unwrap();
    store.release_lease(&lease).await.unwrap();
    lease
}

#[tokio::test]
async fn each_role_does_its_work_and_nothing_else() {
    let store = Store::new().await;
    store.grant();
    store.grant();
    query(&store.plain("admin"), USERS);

    // Before the first migration the writer cannot run, and says who must do what.
    let early = AuditStore::open_postgres(&store.url("job")).await.unwrap_err();
    assert_eq!(early.kind(), ErrorKind::Configuration, "{}", early.report());
    assert!(early.message().contains("needs migration 0001_tables"), "{}", early.report());
    assert!(early.hint().unwrap().contains("pipeline audit migrate"), "{}", early.report());
    let empty = AuditStore::open_postgres_to_read(&store.url("analyst")).await.unwrap();
    assert!(empty.current().await.unwrap().is_empty());

    let applied = AuditStore::migrate_postgres(&store.url("migrator")).await.unwrap();
    assert_eq!(applied[0], "0001_tables");
    assert!(AuditStore::migrate_postgres(&store.url("migrator")).await.unwrap().is_empty());
    store.grant();

    let writer = AuditStore::open_postgres(&store.url("job")).await.unwrap();
    runs(&writer, "r1").await;
    let dropped = runs(&writer, "r2").await;
    let failing = run("r3");
    let lease =
        writer.acquire_lease("/warehouse", &failing.id, Duration::from_secs(3600)).await.unwrap();
    writer.begin_run(&failing, &[]).await.unwrap();
    writer.finish_run(&failing.id, RunState::Failed, Some("no")).await.unwrap();
    assert_ne!(lease.token, dropped.token);

    let reader = AuditStore::open_postgres_to_read(&store.url("analyst")).await.unwrap();
    for relation in AuditStore::relations() {
        reader.read(relation.name).await.unwrap();
    }
    assert_eq!(reader.current().await.unwrap().len(), 1);
    assert_eq!(reader.read("runs").await.unwrap().rows.len(), 3);
    assert_eq!(reader.read("runs").await.unwrap().rows[0][1], text("succeeded"));

    for table in tables(&store) {
        let column = &query(
            &store.plain("migrator"),
            &format!(
                "SELECT attname FROM pg_attribute
                 WHERE attrelid = 'pipeline.{table}'::regclass AND attnum = 1"
            ),
        )[0];
        let update = format!("UPDATE {table} SET {column} = {column}");
        let delete = format!("DELETE FROM {table}");
        let insert = format!("INSERT INTO {table} SELECT * FROM {table} WHERE false");
        // History is added to and never changed; ids are nobody's to change.
        assert_eq!(store.denies("job", &update), table != "leases", "{update}");
        assert_eq!(store.denies("job", &delete), table != "current", "{delete}");
        let fixed = ["leases", "migrations"].contains(&table.as_str());
        assert_eq!(store.denies("job", &insert), fixed, "{insert}");
        for change in [&update, &delete, &insert] {
            assert!(store.denies("analyst", change), "{change}");
        }
        for user in ["job", "analyst"] {
            for change in ["TRUNCATE", "DROP TABLE"] {
                let sql = format!("{change} {table}");
                assert!(store.denies(user, &sql), "{user}: {sql}");
            }
        }
    }
    for user in ["job", "analyst"] {
        assert!(store.denies(user, "CREATE TABLE theirs (x int)"), "{user}");
        assert!(store.denies(user, "ALTER TABLE runs ADD COLUMN theirs int"), "{user}");
        assert!(store.denies(user, "CREATE SCHEMA theirs"), "{user}");
        assert!(store.denies(user, "SET LOCAL ROLE pipeline_owner"), "{user}");
    }
    assert!(
        !store.denies("job", "UPDATE runs SET state = state, finished = finished, error = error")
    );
}

#[tokio::test]
async fn what_a_later_migration_adds_is_history_at_once() {
    let store = Store::new().await;
    store.grant();
    query(&store.plain("admin"), USERS);
    AuditStore::migrate_postgres(&store.url("migrator")).await.unwrap();
    query(&store.plain("migrator"), "CREATE TABLE pipeline.later (x int)");
    assert!(!store.denies("job", "INSERT INTO later VALUES (1)"));
    assert!(!store.denies("analyst", "SELECT * FROM later"));
    for sql in ["UPDATE later SET x = 2", "DELETE FROM later"] {
        assert!(store.denies("job", sql), "{sql}");
    }
    store.grant();
    assert!(!store.denies("job", "INSERT INTO later VALUES (1)"));
    assert!(store.denies("job", "DELETE FROM later"));
    assert!(store.denies("analyst", "INSERT INTO later VALUES (1)"));
}

#[tokio::test]
async fn a_pending_migration_is_for_the_owner() {
    let store = Store::new().await;
    store.grant();
    query(&store.plain("admin"), USERS);
    AuditStore::migrate_postgres(&store.url("migrator")).await.unwrap();
    store.grant();
    let newest = "DELETE FROM pipeline.migrations
                  WHERE number = (SELECT max(number) FROM pipeline.migrations) RETURNING name";
    let newest = query(&store.plain("migrator"), newest);
    let error = AuditStore::open_postgres(&store.url("job")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{}", error.report());
    assert!(error.message().contains(&newest[0]), "{}", error.report());
    assert!(error.hint().unwrap().contains("pipeline audit migrate"), "{}", error.report());
}

#[tokio::test]
async fn the_program_needs_no_more_than_its_role() {
    let store = Store::new().await;
    store.grant();
    query(&store.plain("admin"), USERS);
    let project = Project::shipped(200);
    let run = |user: &str, arguments: &[&str]| {
        let url = store.url(user);
        let arguments = [arguments, &["--audit", &url]].concat();
        let seen = project.run(&arguments);
        assert!(!seen.stderr.contains("a bug"), "{}", seen.stderr);
        (seen.code, seen.stdout + &seen.stderr)
    };
    let (code, said) = run("job", &["exec", "sql"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("hint: run `pipeline audit migrate` as the owner"), "{said}");
    for (user, expected) in [("job", 2), ("analyst", 2), ("migrator", 0), ("job", 0)] {
        let (code, said) = run(user, &["audit", "migrate"]);
        assert_eq!(code, expected, "{user}: {said}");
    }
    let (_, said) = run("migrator", &["audit", "migrate"]);
    assert!(said.contains("/audit is up to date"), "{said}");
    store.grant();

    for again in ["9 relations published", "0 steps ran, 15 reused"] {
        let (code, said) = run("job", &["exec", "sql"]);
        assert_eq!(code, 0, "{said}");
        assert!(said.contains(again), "{said}");
    }
    for arguments in [
        &["sql", "SELECT count(*) FROM eval.scores"][..],
        &["sql", "SELECT * FROM audit.model_provenance"],
        &["exec", "sql", "--dry-run"],
    ] {
        let (code, said) = run("analyst", arguments);
        assert_eq!(code, 0, "{arguments:?}: {said}");
    }
    let (code, said) = run("analyst", &["exec", "sql"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("error: PostgreSQL denies access to the tables"), "{said}");
    assert!(said.contains("roles.sql"), "{said}");
}
