//! The log: one entry for each change, one chain whoever writes, and the tables follow from it.

use std::time::Duration;

use pipeline::audit::*;
use pipeline::error::ErrorKind;

use crate::conformance;
use crate::fixture::Fixture;
use crate::samples::{
    at, change, column, object_input, param, run, step, table_step, text, version_id, version_input,
};

const HOUR: Duration = Duration::from_secs(3600);

conformance! {
    every_change_is_one_entry_that_explains_it,
    what_changes_nothing_is_no_entry,
    concurrent_writers_keep_one_chain,
    a_store_from_before_the_log_is_adopted,
    a_large_store_is_adopted_in_pieces,
    numbers_times_and_absence_are_explained_exactly,
    a_reader_verifies,
    a_run_under_way_is_no_finding,
    removed_versions_are_not_used_again,
    the_inventory_tells_who_needs_what,
}

/// The store must fit its log; the events in order.
async fn events(store: &AuditStore) -> Vec<String> {
    let report = store.verify_log().await.unwrap();
    assert_eq!(report.findings, [], "{:?}", report.findings);
    let log = store.read("log").await.unwrap();
    assert_eq!(report.entries, log.rows.len() as u64);
    let mut events: Vec<_> = column(&log, "sequence")
        .into_iter()
        .zip(column(&log, "event"))
        .map(|entry| match entry {
            (Value::Integer(sequence), Value::Text(event)) => (sequence, event),
            other => panic!("{other:?}"),
        })
        .collect();
    events.sort();
    events.into_iter().map(|(_, event)| event).collect()
}

async fn every_change_is_one_entry_that_explains_it(fixture: Fixture) {
    let store = fixture.open().await;
    assert_eq!(events(&store).await, ["store.created"]);
    let (dead, alive) = (run("dead"), run("alive"));
    let mut expected = vec!["store.created"];
    macro_rules! appends {
        ($($event:literal)+) => {
            expected.extend([$($event),+]);
            assert_eq!(events(&store).await, expected);
        };
    }

    store.acquire_lease("w", &dead.id, Duration::ZERO).await.unwrap();
    appends!("lease.acquired");
    store.begin_run(&dead, &[]).await.unwrap();
    appends!("run.begun");
    let lease = store.acquire_lease("w", &alive.id, HOUR).await.unwrap();
    appends!("lease.acquired");
    store.begin_run(&alive, &[param("seed", "7")]).await.unwrap();
    appends!("run.abandoned" "run.begun");
    let source = object_input("landing.events", "s3://landing/events.csv");
    let made = table_step(&alive.id, 1, "ingestion", "raw.events", vec![source]);
    store.record_step(&made).await.unwrap();
    appends!("step.recorded");
    let mut checked = step(&alive.id, 2, "evaluation");
    checked.check = Some(CheckRecord {
        condition: "a".into(),
        message: "b".into(),
        passed: false,
        offending: Some(1),
    });
    store.record_step(&checked).await.unwrap();
    appends!("step.recorded");
    store.record_step(&table_step(&alive.id, 3, "ingestion", "raw.more", vec![])).await.unwrap();
    appends!("step.recorded");
    let (first, second) = (change(&alive.id, 1, "raw.events"), change(&alive.id, 3, "raw.more"));
    store.publish(&lease, &[first, second]).await.unwrap();
    appends!("published");
    store.release_lease(&lease).await.unwrap();
    appends!("lease.released");

    let next = run("next");
    let lease = store.acquire_lease("w", &next.id, HOUR).await.unwrap();
    store.begin_run(&next, &[]).await.unwrap();
    store.record_step(&table_step(&next.id, 1, "ingestion", "raw.events", vec![])).await.unwrap();
    appends!("lease.acquired" "run.begun" "step.recorded");
    let made = version_id(&next.id, 1, "raw.events");
    store.remove_versions(&lease, std::slice::from_ref(&made), (2, 345)).await.unwrap();
    appends!("versions.removed");
    store.finish_run(&next.id, RunState::Cancelled, Some("SIGTERM")).await.unwrap();
    appends!("run.ended");
    store.finish_run(&dead.id, RunState::Failed, Some("late, but true")).await.unwrap();
    appends!("run.ended");

    // Current is replaced, and dropped.
    let last = run("last");
    store.release_lease(&lease).await.unwrap();
    let lease = store.acquire_lease("w", &last.id, HOUR).await.unwrap();
    store.begin_run(&last, &[]).await.unwrap();
    store.record_step(&table_step(&last.id, 1, "ingestion", "raw.events", vec![])).await.unwrap();
    let dropped = Change { relation: "raw.more".into(), version: None };
    store.publish(&lease, &[change(&last.id, 1, "raw.events"), dropped]).await.unwrap();
    appends!("lease.released" "lease.acquired" "run.begun" "step.recorded" "published");

    let report = store.verify_log().await.unwrap();
    assert_eq!(report.versions.len(), 4);
    let origin = &report.versions[&version_id(&alive.id, 1, "raw.events")];
    assert_eq!((origin.entry, origin.manifest.as_deref()), (7, Some(&*"m".repeat(64))));
    assert_eq!(report.sealed, 10, "the publish whose lease was released");
    assert_eq!(report.head, store.head().await.unwrap());
}

async fn what_changes_nothing_is_no_entry(fixture: Fixture) {
    let store = fixture.open().await;
    let (holder, other) = (run("holder"), run("other"));
    let lease = store.acquire_lease("w", &holder.id, HOUR).await.unwrap();
    store.begin_run(&holder, &[]).await.unwrap();
    let before = events(&store).await;

    store.renew_lease(&lease, HOUR * 2).await.unwrap();
    store.acquire_lease("w", &other.id, HOUR).await.unwrap_err();
    store.acquire_lease("elsewhere", &other.id, HOUR).await.unwrap_err();
    store.finish_run(&other.id, RunState::Failed, None).await.unwrap_err();
    let stale = Lease { token: lease.token - 1, ..lease.clone() };
    store.release_lease(&stale).await.unwrap();
    store.publish(&stale, &[]).await.unwrap_err();
    let dropped = Change { relation: "raw.events".into(), version: None };
    let error = store.publish(&lease, &[dropped]).await.unwrap_err();
    assert!(error.message().contains("not current any more"), "{error}");
    store.publish(&lease, &[change(&holder.id, 1, "raw.nobody")]).await.unwrap_err();
    store.remove_versions(&stale, &[], (0, 0)).await.unwrap_err();
    assert_eq!(events(&store).await, before);
    store.release_lease(&lease).await.unwrap();
    store.release_lease(&lease).await.unwrap();
    assert_eq!(events(&store).await.len(), before.len() + 1);
}

async fn concurrent_writers_keep_one_chain(fixture: Fixture) {
    const WRITERS: usize = 6;
    const STEPS: i64 = 15;
    fixture.open().await;
    let write = |fixture: Fixture, writer: usize| async move {
        let store = fixture.open().await;
        let run = run(&format!("r{writer}"));
        // A lease held by another would mark it as abandoned: it may end all the same.
        store.begin_run(&run, &[]).await.unwrap();
        for ordinal in 1..=STEPS {
            store.record_step(&step(&run.id, ordinal, "ingestion")).await.unwrap();
        }
        store.finish_run(&run.id, RunState::Succeeded, None).await.unwrap();
    };
    let writers: Vec<_> =
        (0..WRITERS).map(|writer| tokio::spawn(write(fixture.clone(), writer))).collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let events = events(&fixture.open().await).await;
    let count = |event: &str| events.iter().filter(|known| *known == event).count();
    assert_eq!(count("step.recorded"), WRITERS * STEPS as usize);
    assert_eq!((count("run.begun"), count("run.ended")), (WRITERS, WRITERS));
}

/// Takes the store back to what it was before the log.
async fn forget_the_log(fixture: &Fixture) {
    for sql in [
        "DROP TABLE log",
        "DROP TABLE removals",
        "ALTER TABLE files DROP COLUMN digest",
        "DELETE FROM migrations WHERE number >= 3",
    ] {
        fixture.query(sql).await;
    }
}

async fn a_store_from_before_the_log_is_adopted(fixture: Fixture) {
    let (run, lease) = {
        let store = fixture.open().await;
        let run = run("old");
        let lease = store.acquire_lease("w", &run.id, HOUR).await.unwrap();
        store.begin_run(&run, &[param("seed", "7")]).await.unwrap();
        let source = object_input("landing.events", "file:///events.csv");
        let made = table_step(&run.id, 1, "ingestion", "raw.events", vec![source]);
        store.record_step(&made).await.unwrap();
        store.publish(&lease, &[change(&run.id, 1, "raw.events")]).await.unwrap();
        (run, lease)
    };
    forget_the_log(&fixture).await;
    // Not under a run of the program from before.
    let refused = fixture.try_open().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    assert!(refused.message().contains("run old of an older pipeline"), "{refused}");
    fixture.query("UPDATE leases SET expires = acquired").await;
    let store = fixture.open().await;
    assert_eq!(events(&store).await, ["store.adopted"]);
    store.release_lease(&lease).await.unwrap();
    assert_eq!(events(&store).await, ["store.adopted", "lease.released"]);
    let report = store.verify_log().await.unwrap();
    let origin = &report.versions[&version_id(&run.id, 1, "raw.events")];
    assert_eq!((origin.entry, origin.manifest.as_ref()), (1, None));
    assert_eq!(store.files(&version_id(&run.id, 1, "raw.events")).await.unwrap()[0].digest, None);

    // Opening it again adopts nothing, also where somebody has emptied the log.
    fixture.query("DELETE FROM log").await;
    let report = fixture.open().await.verify_log().await.unwrap();
    assert_eq!(report.entries, 0);
    assert!(report.findings.iter().all(|finding| finding.what.contains("no entry explains it")));
    assert_eq!(report.findings.len() as u64, report.rows);
}

async fn a_large_store_is_adopted_in_pieces(fixture: Fixture) {
    let store = fixture.open().await;
    let run = run("old");
    let params: Vec<_> = (0..2500).map(|n| param(&format!("p{n}"), "1")).collect();
    store.begin_run(&run, &params).await.unwrap();
    drop(store);
    forget_the_log(&fixture).await;
    let store = fixture.open().await;
    assert_eq!(events(&store).await, ["store.adopted"; 3]);
    assert_eq!(store.verify_log().await.unwrap().rows, 2502);
}

async fn numbers_times_and_absence_are_explained_exactly(fixture: Fixture) {
    let store = fixture.open().await;
    let run = run("r1");
    store.begin_run(&run, &[]).await.unwrap();
    let odd = "it's \"ünïcode\" ?1 $1 -- 🦀\n\t\\ a\0b";
    let mut outcome = table_step(&run.id, 1, "evaluation", "eval.metrics", vec![]);
    outcome.step.sql = odd.into();
    outcome.step.rows = Some(i64::MIN);
    outcome.step.bytes = Some(i64::MAX);
    let values = [
        None,
        Some(f64::NAN),
        Some(0.1 + 0.2),
        Some(1.0 / 3.0),
        Some(f64::MIN_POSITIVE),
        Some(f64::MAX),
        Some(5e-324),
        Some(-0.0),
        Some(f64::INFINITY),
        Some(f64::NEG_INFINITY),
    ];
    outcome.metrics = values
        .into_iter()
        .map(|value| MetricRecord {
            relation: "eval.metrics".into(),
            version: version_id(&run.id, 1, "eval.metrics"),
            model: None,
            metric: odd.into(),
            value,
        })
        .collect();
    store.record_step(&outcome).await.unwrap();
    assert_eq!(events(&store).await.len(), 3);

    // One unit in the last place.
    let third = f64::from_bits((1.0_f64 / 3.0).to_bits() + 1);
    let sql = format!("UPDATE metrics SET value = {third:?} WHERE position = 4");
    fixture.query(&sql).await;
    let findings = store.verify_log().await.unwrap().findings;
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].entry, Some(3));
    assert!(findings[0].what.contains("`value` is 0.33333333333333337,"), "{}", findings[0].what);
}

async fn a_reader_verifies(fixture: Fixture) {
    let store = fixture.open().await;
    store.begin_run(&run("r1"), &[param("seed", "7")]).await.unwrap();
    let reader = fixture.open_to_read().await;
    assert_eq!(events(&reader).await, ["store.created", "run.begun"]);
    assert_eq!(reader.head().await.unwrap(), store.head().await.unwrap());
    let entry = reader.log_entry(2).await.unwrap().unwrap();
    assert_eq!((entry.event.as_str(), entry.run), ("run.begun", Some(RunId::new("r1"))));
    assert!(entry.actor.contains('@'), "{}", entry.actor);
    assert_eq!(reader.log_entry(3).await.unwrap(), None);
}

async fn a_run_under_way_is_no_finding(fixture: Fixture) {
    let store = fixture.open().await;
    let run = run("r1");
    let lease = store.acquire_lease("w", &run.id, HOUR).await.unwrap();
    store.begin_run(&run, &[]).await.unwrap();
    let verifying = tokio::spawn({
        let fixture = fixture.clone();
        async move {
            let reader = fixture.open_to_read().await;
            for _ in 0..10 {
                assert_eq!(reader.verify_log().await.unwrap().findings, []);
            }
        }
    });
    for ordinal in 1..=40 {
        let relation = format!("raw.t{ordinal}");
        let made = table_step(&run.id, ordinal, "ingestion", &relation, vec![]);
        store.record_step(&made).await.unwrap();
        store.renew_lease(&lease, HOUR).await.unwrap();
    }
    store.publish(&lease, &[change(&run.id, 1, "raw.t1")]).await.unwrap();
    store.release_lease(&lease).await.unwrap();
    verifying.await.unwrap();
}

async fn removed_versions_are_not_used_again(fixture: Fixture) {
    let store = fixture.open().await;
    for (id, ordinal) in [("r1", 1), ("r2", 2)] {
        let run = run(id);
        store.begin_run(&run, &[]).await.unwrap();
        store
            .record_step(&table_step(&run.id, ordinal, "ingestion", "raw.events", vec![]))
            .await
            .unwrap();
        store.finish_run(&run.id, RunState::Failed, None).await.unwrap();
    }
    let gc = run("gc");
    let lease = store.acquire_lease("w", &gc.id, HOUR).await.unwrap();
    store.begin_run(&gc, &[]).await.unwrap();
    let newest = version_id(&RunId::new("r2"), 2, "raw.events");
    store.remove_versions(&lease, std::slice::from_ref(&newest), (1, 1)).await.unwrap();
    let again = store.remove_versions(&lease, std::slice::from_ref(&newest), (1, 1)).await;
    assert_eq!(again.unwrap_err().kind(), ErrorKind::Internal);

    let found = store.find_version("raw.events", "identity of raw.events").await.unwrap();
    assert_eq!(found.unwrap().run, RunId::new("r1"));
    assert_eq!(store.previous_version("raw.events").await.unwrap().unwrap().run, RunId::new("r1"));
    assert!(store.version(&newest).await.unwrap().is_some(), "it stays on record");
    let removals = store.read("removals").await.unwrap();
    assert_eq!(column(&removals, "version"), [text(newest.as_str())]);
}

async fn the_inventory_tells_who_needs_what(fixture: Fixture) {
    let store = fixture.open().await;
    assert_eq!(store.inventory().await.unwrap().live, None);
    let run = run("r1");
    let lease = store.acquire_lease("w", &run.id, HOUR).await.unwrap();
    store.begin_run(&run, &[]).await.unwrap();
    let source = object_input("landing.events", "file:///events.csv");
    store
        .record_step(&table_step(&run.id, 1, "ingestion", "raw.events", vec![source]))
        .await
        .unwrap();
    let inputs = vec![version_input(&run.id, 1, "raw.events")];
    store
        .record_step(&table_step(&run.id, 2, "transformation", "silver.flows", inputs))
        .await
        .unwrap();
    store.publish(&lease, &[change(&run.id, 2, "silver.flows")]).await.unwrap();

    let inventory = store.inventory().await.unwrap();
    let (events, flows) =
        (version_id(&run.id, 1, "raw.events"), version_id(&run.id, 2, "silver.flows"));
    assert_eq!(inventory.live, Some(run.id.clone()));
    assert_eq!(inventory.versions.keys().collect::<Vec<_>>(), [&events, &flows]);
    assert_eq!(inventory.versions[&events].created, at(1));
    assert_eq!(inventory.published.iter().collect::<Vec<_>>(), [&flows]);
    assert_eq!(inventory.inputs[&flows], std::slice::from_ref(&events));
    assert_eq!(inventory.inputs.get(&events), None);
    assert_eq!(inventory.files[&events], [format!("{events}/0.parquet")]);
    assert!(inventory.removed.is_empty());

    store.renew_lease(&lease, Duration::ZERO).await.unwrap();
    assert_eq!(store.inventory().await.unwrap().live, None);
}
