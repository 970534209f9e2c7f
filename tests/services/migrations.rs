//! Opening a store: empty, again, and where it is not ours.

use pipeline::audit::{AuditStore, ColumnType};
use pipeline::error::ErrorKind;

use crate::conformance;
use crate::fixture::Fixture;

conformance! {
    a_store_is_created_once_and_opened_often,
    several_processes_may_create_a_store_at_once,
    relations_are_as_declared,
    a_changed_migration_is_refused,
    a_newer_store_is_refused,
    tables_of_another_program_are_left_alone,
    an_unknown_relation_is_refused,
}

async fn a_store_is_created_once_and_opened_often(fixture: Fixture) {
    fixture.open().await;
    let history = "SELECT name, checksum FROM migrations ORDER BY number";
    let created = fixture.query(history).await;
    assert_eq!(created[0][0], "0001_tables");

    fixture.open().await;
    assert_eq!(fixture.query(history).await, created);
}

async fn several_processes_may_create_a_store_at_once(fixture: Fixture) {
    let open = || {
        let fixture = fixture.clone();
        tokio::spawn(async move { fixture.open().await })
    };
    let opening: Vec<_> = (0..8).map(|_| open()).collect();
    for opened in opening {
        assert!(opened.await.unwrap().current().await.unwrap().is_empty());
    }
}

async fn relations_are_as_declared(fixture: Fixture) {
    let store = fixture.open().await;
    for relation in AuditStore::relations() {
        let name = relation.name;
        let columns = match fixture {
            Fixture::Sqlite { .. } => format!("SELECT name, type FROM pragma_table_info('{name}')"),
            Fixture::Postgres { .. } => format!(
                "SELECT column_name, data_type FROM information_schema.columns \
                 WHERE table_schema = current_schema() AND table_name = '{name}' \
                 ORDER BY ordinal_position"
            ),
        };
        let columns = fixture.query(&columns).await;
        assert_eq!(columns.len(), relation.columns.len(), "columns of {name}");
        for (actual, (column, kind)) in columns.iter().zip(relation.columns) {
            assert_eq!(actual[0], *column, "in {name}");
            let kinds = match actual[1].to_lowercase().as_str() {
                "text" => &[ColumnType::Text][..],
                "bigint" => &[ColumnType::Integer],
                "double precision" => &[ColumnType::Real],
                "boolean" => &[ColumnType::Boolean],
                "timestamptz" | "timestamp with time zone" => &[ColumnType::Timestamp],
                // Computed columns of SQLite have no type.
                "" => &[ColumnType::Text, ColumnType::Boolean, ColumnType::Timestamp],
                other => panic!("{name}.{column} has type {other}"),
            };
            assert!(kinds.contains(kind), "{name}.{column} is {}", actual[1]);
        }
        let rows = store.read(name).await.unwrap();
        assert_eq!(rows.columns.len(), relation.columns.len());
        // The one lease and the entry that explains it are there from the beginning.
        let expected = usize::from(["leases", "log"].contains(&name));
        assert_eq!(rows.rows.len(), expected, "rows of {name}");
    }
}

async fn a_changed_migration_is_refused(fixture: Fixture) {
    fixture.open().await;
    fixture.query("UPDATE migrations SET checksum = 'other' WHERE number = 2").await;
    let error = fixture.try_open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.message().contains("migration 0002_views"), "{error}");
}

async fn a_newer_store_is_refused(fixture: Fixture) {
    fixture.open().await;
    let newer = "INSERT INTO migrations VALUES (999, 'future', 'x', '2026-01-01T00:00:00Z')";
    fixture.query(newer).await;
    let error = fixture.try_open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.message().contains("written by a newer pipeline"), "{error}");
}

async fn tables_of_another_program_are_left_alone(fixture: Fixture) {
    fixture.query("CREATE TABLE params (theirs TEXT)").await;
    let error = fixture.try_open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{}", error.report());
    assert!(error.message().contains("tables of another program"), "{error}");
    // Nothing was added: `runs` comes before `params`.
    fixture.query("CREATE TABLE runs (ours TEXT)").await;
}

async fn an_unknown_relation_is_refused(fixture: Fixture) {
    let error = fixture.open().await.read("runs; DROP TABLE runs").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Sql);
    assert!(error.hint().unwrap().contains("model_provenance"));
}
