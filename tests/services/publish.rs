//! Publish: all or nothing.

use std::time::Duration;

use pipeline::audit::{AuditStore, Change, Lease, RunId, RunState, Value, VersionId};
use pipeline::error::ErrorKind;

use crate::conformance;
use crate::fixture::Fixture;
use crate::samples::{change, column, run, table_step, text, version_id};

conformance! {
    a_publish_makes_versions_current_and_ends_the_run,
    a_failing_publish_changes_nothing,
    a_run_publishes_once,
    a_dropped_relation_is_not_current_any_more,
    the_past_is_what_was_current_when_a_run_had_ended,
}

async fn a_publish_makes_versions_current_and_ends_the_run(fixture: Fixture) {
    let store = fixture.open().await;
    let (run, lease) = made(&store, "r1").await;
    store.publish(&lease, &both(&run)).await.unwrap();

    let current = store.current().await.unwrap();
    let ids: Vec<_> = current.into_iter().map(|version| version.id).collect();
    assert_eq!(ids, [version_id(&run, 1, "raw.events"), version_id(&run, 2, "silver.flows")]);
    let runs = store.read("runs").await.unwrap();
    assert_eq!(column(&runs, "state"), [text("succeeded")]);
    assert!(matches!(column(&runs, "finished")[..], [Value::Timestamp(_)]));
    assert_eq!(store.read("publications").await.unwrap().rows.len(), 2);
}

async fn a_failing_publish_changes_nothing(fixture: Fixture) {
    let store = fixture.open().await;
    let (first, lease) = made(&store, "r1").await;
    store.publish(&lease, &both(&first)).await.unwrap();
    store.release_lease(&lease).await.unwrap();
    let before = store.current().await.unwrap();

    let (second, lease) = made(&store, "r2").await;
    let mut changes = both(&second);
    changes.push(Change {
        relation: "eval.scores".into(),
        version: Some(VersionId::new("eval/scores/nobody made this")),
    });
    let error = store.publish(&lease, &changes).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert_eq!(store.current().await.unwrap(), before);
    assert_eq!(store.read("publications").await.unwrap().rows.len(), 2);
    let mut states = column(&store.read("runs").await.unwrap(), "state");
    states.sort_by_key(|state| format!("{state:?}"));
    assert_eq!(states, [text("running"), text("succeeded")]);

    store.publish(&lease, &both(&second)).await.unwrap();
    assert_ne!(store.current().await.unwrap(), before);
}

async fn a_run_publishes_once(fixture: Fixture) {
    let store = fixture.open().await;
    let (run, lease) = made(&store, "r1").await;
    store.publish(&lease, &both(&run)).await.unwrap();
    let error = store.publish(&lease, &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.message().contains("has ended already"), "{error}");
}

async fn a_dropped_relation_is_not_current_any_more(fixture: Fixture) {
    let store = fixture.open().await;
    let (first, lease) = made(&store, "r1").await;
    store.publish(&lease, &both(&first)).await.unwrap();
    store.release_lease(&lease).await.unwrap();

    let (_, lease) = made(&store, "r2").await;
    let dropped = Change { relation: "raw.events".into(), version: None };
    store.publish(&lease, &[dropped]).await.unwrap();
    let current = store.current().await.unwrap();
    assert_eq!(current.len(), 1);
    assert_eq!(current[0].relation, "silver.flows");

    let published = column(&store.read("publications").await.unwrap(), "version");
    assert_eq!(published.iter().filter(|version| **version == Value::Null).count(), 1);
    assert!(store.version(&version_id(&first, 1, "raw.events")).await.unwrap().is_some());
}

async fn the_past_is_what_was_current_when_a_run_had_ended(fixture: Fixture) {
    let store = fixture.open().await;
    let past = async |run: &str| -> Vec<VersionId> {
        let versions = store.current_after(&RunId::new(run)).await.unwrap();
        versions.into_iter().map(|version| version.id).collect()
    };
    let (first, lease) = made(&store, "r1").await;
    store.publish(&lease, &both(&first)).await.unwrap();
    store.release_lease(&lease).await.unwrap();

    let (second, lease) = made(&store, "r2").await;
    let dropped = Change { relation: "raw.events".into(), version: None };
    store.publish(&lease, &[dropped, change(&second, 2, "silver.flows")]).await.unwrap();
    store.release_lease(&lease).await.unwrap();

    // One that has nothing to publish, and one that fails.
    let (third, lease) = made(&store, "r3").await;
    store.finish_run(&third, RunState::Succeeded, None).await.unwrap();
    store.release_lease(&lease).await.unwrap();
    let (fourth, lease) = made(&store, "r4").await;
    store.finish_run(&fourth, RunState::Failed, Some("no")).await.unwrap();
    store.release_lease(&lease).await.unwrap();

    let flows = [version_id(&second, 2, "silver.flows")];
    assert_eq!(
        past("r1").await,
        [version_id(&first, 1, "raw.events"), version_id(&first, 2, "silver.flows")]
    );
    assert_eq!(past("r2").await, flows);
    assert_eq!(past("r3").await, flows);
    assert_eq!(past("r4").await, []);
    assert_eq!(past("unknown").await, []);
}

/// A run that holds the lease and has made `raw.events` and `silver.flows`.
async fn made(store: &AuditStore, id: &str) -> (RunId, Lease) {
    let run = run(id);
    let hour = Duration::from_secs(3600);
    let lease = store.acquire_lease("w", &run.id, hour).await.unwrap();
    store.begin_run(&run, &[]).await.unwrap();
    let flows = table_step(&run.id, 2, "transformation", "silver.flows", vec![]);
    store.record_step(&table_step(&run.id, 1, "ingestion", "raw.events", vec![])).await.unwrap();
    store.record_step(&flows).await.unwrap();
    (run.id, lease)
}

fn both(run: &RunId) -> Vec<Change> {
    vec![change(run, 2, "silver.flows"), change(run, 1, "raw.events")]
}
