//! Stores opened to read.

use std::time::Duration;

use pipeline::audit::{AuditStore, Lease, RunState, VersionRecord};
use pipeline::error::{ErrorKind, Result};

use crate::conformance;
use crate::fixture::Fixture;
use crate::samples::{change, object_input, param, run, table_step, version};

const HOUR: Duration = Duration::from_secs(3600);

conformance! {
    a_reader_sees_what_the_writer_sees,
    a_reader_follows_a_run,
    a_reader_cannot_write,
    a_store_before_its_first_run_reads_as_empty,
    a_reader_waits_for_a_migration,
    a_reader_refuses_what_a_writer_refuses,
}

/// Holds the lease of a run that has made `raw.events`.
async fn begun(store: &AuditStore) -> Lease {
    let run = run("r1");
    let lease = store.acquire_lease("/warehouse", &run.id, HOUR).await.unwrap();
    store.begin_run(&run, &[param("seed", "7")]).await.unwrap();
    let inputs = vec![object_input("landing.events", "file:///events.csv")];
    store.record_step(&table_step(&run.id, 1, "ingestion", "raw.events", inputs)).await.unwrap();
    lease
}

fn made() -> VersionRecord {
    version(&run("r1").id, 1, "raw.events")
}

async fn a_reader_sees_what_the_writer_sees(fixture: Fixture) {
    let writer = fixture.open().await;
    let lease = begun(&writer).await;
    writer.publish(&lease, &[change(&lease.run, 1, "raw.events")]).await.unwrap();

    let reader = fixture.open_to_read().await;
    assert_eq!(reader.location(), writer.location());
    for relation in AuditStore::relations() {
        let read = reader.read(relation.name).await.unwrap();
        assert_eq!(read, writer.read(relation.name).await.unwrap(), "{}", relation.name);
    }
    let made = made();
    assert_eq!(reader.warehouse().await.unwrap().as_deref(), Some("/warehouse"));
    assert_eq!(reader.version(&made.id).await.unwrap(), Some(made.clone()));
    assert_eq!(reader.previous_version("raw.events").await.unwrap(), Some(made.clone()));
    let found = reader.find_version("raw.events", &made.identity).await.unwrap();
    assert_eq!(found, Some(made.clone()));
    assert_eq!(reader.files(&made.id).await.unwrap().len(), 1);
    assert_eq!(reader.inputs(&made.id).await.unwrap().len(), 1);
    assert!(!reader.find_passed_check("no such identity").await.unwrap());
    assert_eq!(reader.current().await.unwrap(), [made]);
}

async fn a_reader_follows_a_run(fixture: Fixture) {
    let writer = fixture.open().await;
    let reader = fixture.open_to_read().await;
    let lease = begun(&writer).await;
    assert_eq!(reader.read("steps").await.unwrap().rows.len(), 1);
    assert!(reader.current().await.unwrap().is_empty());
    writer.publish(&lease, &[change(&lease.run, 1, "raw.events")]).await.unwrap();
    assert_eq!(reader.current().await.unwrap(), [made()]);
}

async fn a_reader_cannot_write(fixture: Fixture) {
    let store = fixture.open().await;
    let lease = begun(&store).await;
    let steps = table_step(&lease.run, 2, "ingestion", "raw.hosts", vec![]);
    let reader = fixture.open_to_read().await;
    let refused: [Result<()>; 8] = [
        reader.acquire_lease("/warehouse", &lease.run, HOUR).await.map(|_| ()),
        reader.renew_lease(&lease, HOUR).await,
        reader.release_lease(&lease).await,
        reader.publish(&lease, &[change(&lease.run, 1, "raw.events")]).await,
        reader.begin_run(&run("r2"), &[]).await,
        reader.record_step(&steps).await,
        reader.finish_run(&lease.run, RunState::Failed, None).await,
        reader.remove_versions(&lease, &[], (0, 0)).await,
    ];
    for done in refused {
        let error = done.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert!(error.message().contains("was opened to read"), "{error}");
        assert_eq!(error.context(), [("audit store", store.location().to_owned())]);
    }
    store.renew_lease(&lease, HOUR).await.unwrap();
    assert!(store.current().await.unwrap().is_empty());
}

async fn a_store_before_its_first_run_reads_as_empty(fixture: Fixture) {
    let reader = fixture.open_to_read().await;
    assert_eq!(reader.warehouse().await.unwrap(), None);
    assert!(reader.current().await.unwrap().is_empty());
    for relation in AuditStore::relations() {
        let rows = reader.read(relation.name).await.unwrap();
        assert_eq!(rows.columns.len(), relation.columns.len());
        assert!(rows.rows.is_empty());
    }
    let error = reader.begin_run(&run("r1"), &[]).await.unwrap_err();
    assert!(error.message().contains("was opened to read"), "{error}");

    // And it is as new as before.
    match fixture {
        Fixture::Sqlite { .. } => assert!(!fixture.path().parent().unwrap().exists()),
        Fixture::Postgres { .. } => {
            let made = "SELECT relname FROM pg_class
                        WHERE relnamespace = current_schema()::regnamespace";
            assert!(fixture.query(made).await.is_empty());
        }
    }
}

async fn a_reader_waits_for_a_migration(fixture: Fixture) {
    fixture.open().await;
    fixture.query("DELETE FROM migrations WHERE number = 3").await;
    let error = fixture.try_open_to_read().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.message().contains("an older pipeline: it lacks migration 0003"), "{error}");
    assert!(error.hint().unwrap().contains("run `pipeline exec` once"));
    assert!(error.context()[0].0 == "audit store");
}

async fn a_reader_refuses_what_a_writer_refuses(fixture: Fixture) {
    fixture.open().await;
    fixture.query("UPDATE migrations SET number = 999 WHERE number = 2").await;
    let newer = fixture.try_open_to_read().await.unwrap_err();
    assert_eq!(newer.kind(), ErrorKind::Configuration);
    assert_eq!(newer.report(), fixture.try_open().await.unwrap_err().report());
}
