//! One writer at a time.

use std::time::Duration;

use pipeline::audit::{Lease, RunId};
use pipeline::error::ErrorKind;

use crate::conformance;
use crate::fixture::Fixture;
use crate::samples::{change, run, table_step};

const WAREHOUSE: &str = "s3://bucket/ware house";
const HOUR: Duration = Duration::from_secs(3600);

conformance! {
    one_run_holds_the_lease,
    exactly_one_of_two_processes_wins,
    an_expired_lease_is_taken_over,
    an_expired_holder_cannot_publish,
    a_holder_that_was_replaced_cannot_publish,
    a_lease_is_renewed_until_it_is_lost,
    a_released_lease_is_free_and_tokens_grow,
    a_store_belongs_to_its_first_warehouse,
    one_of_two_first_warehouses_wins,
    an_endless_lease_is_refused,
}

async fn one_run_holds_the_lease(fixture: Fixture) {
    let store = fixture.open().await;
    let first = run("first");
    store.acquire_lease(WAREHOUSE, &first.id, HOUR).await.unwrap();

    let second = RunId::new("second");
    let early = store.acquire_lease(WAREHOUSE, &second, HOUR).await.unwrap_err();
    assert_eq!(early.kind(), ErrorKind::Conflict);
    assert!(early.message().starts_with("run first holds s3://bucket/ware house"), "{early}");

    store.begin_run(&first, &[]).await.unwrap();
    let late = store.acquire_lease(WAREHOUSE, &second, HOUR).await.unwrap_err();
    assert!(late.message().starts_with("run first on worker-1 holds"), "{late}");
    assert!(late.message().ends_with('Z'), "{late}");
    assert_eq!(late.context(), [("audit store", store.location().to_owned())]);
}

async fn exactly_one_of_two_processes_wins(fixture: Fixture) {
    let (left, right) = (fixture.open().await, fixture.open().await);
    for round in 0..10 {
        let (one, other) =
            (RunId::new(format!("one {round}")), RunId::new(format!("other {round}")));
        let (a, b) = tokio::join!(
            left.acquire_lease(WAREHOUSE, &one, HOUR),
            right.acquire_lease(WAREHOUSE, &other, HOUR),
        );
        assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
        let (Ok(held), Err(refused)) = (if a.is_ok() { (a, b) } else { (b, a) }) else {
            unreachable!()
        };
        assert_eq!(refused.kind(), ErrorKind::Conflict);
        left.release_lease(&held).await.unwrap();
    }
}

async fn an_expired_lease_is_taken_over(fixture: Fixture) {
    let store = fixture.open().await;
    let dead = store.acquire_lease(WAREHOUSE, &RunId::new("dead"), Duration::ZERO).await.unwrap();
    let heir = store.acquire_lease(WAREHOUSE, &RunId::new("heir"), HOUR).await.unwrap();
    assert!(heir.token > dead.token);
}

async fn an_expired_holder_cannot_publish(fixture: Fixture) {
    let store = fixture.open().await;
    let (lease, changes) = begun(&fixture, "sleeper", Duration::ZERO).await;
    let error = store.publish(&lease, &changes).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(store.current().await.unwrap().is_empty());
    assert!(store.read("publications").await.unwrap().rows.is_empty());

    // Nobody came in between: the same lease can be renewed, and counts again.
    store.renew_lease(&lease, HOUR).await.unwrap();
    store.publish(&lease, &changes).await.unwrap();
    assert_eq!(store.current().await.unwrap().len(), 1);
}

async fn a_holder_that_was_replaced_cannot_publish(fixture: Fixture) {
    let store = fixture.open().await;
    let (stale, changes) = begun(&fixture, "sleeper", Duration::ZERO).await;
    let (lease, newer) = begun(&fixture, "heir", HOUR).await;
    let error = store.publish(&stale, &changes).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.message().contains("run sleeper has lost its lease"), "{error}");

    // Not even with a token that it guessed.
    let forged = Lease { token: lease.token, ..stale };
    assert!(store.publish(&forged, &changes).await.is_err());
    assert!(store.current().await.unwrap().is_empty());
    store.publish(&lease, &newer).await.unwrap();
}

async fn a_lease_is_renewed_until_it_is_lost(fixture: Fixture) {
    let store = fixture.open().await;
    let (one, other) = (RunId::new("one"), RunId::new("other"));
    let lease = store.acquire_lease(WAREHOUSE, &one, Duration::ZERO).await.unwrap();
    store.renew_lease(&lease, HOUR).await.unwrap();
    store.acquire_lease(WAREHOUSE, &other, HOUR).await.unwrap_err();

    store.renew_lease(&lease, Duration::ZERO).await.unwrap();
    store.acquire_lease(WAREHOUSE, &other, HOUR).await.unwrap();
    let error = store.renew_lease(&lease, HOUR).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
}

async fn a_released_lease_is_free_and_tokens_grow(fixture: Fixture) {
    let store = fixture.open().await;
    let (one, other) = (RunId::new("one"), RunId::new("other"));
    let first = store.acquire_lease(WAREHOUSE, &one, HOUR).await.unwrap();
    store.release_lease(&first).await.unwrap();
    let second = store.acquire_lease(WAREHOUSE, &other, HOUR).await.unwrap();
    assert!(second.token > first.token);

    // Too late to matter: the lease is another's.
    store.release_lease(&first).await.unwrap();
    store.acquire_lease(WAREHOUSE, &one, HOUR).await.unwrap_err();
    store.renew_lease(&second, HOUR).await.unwrap();
}

async fn a_store_belongs_to_its_first_warehouse(fixture: Fixture) {
    let store = fixture.open().await;
    assert_eq!(store.warehouse().await.unwrap(), None);
    let (one, other) = (RunId::new("one"), RunId::new("other"));
    let lease = store.acquire_lease("/first", &one, HOUR).await.unwrap();

    // Held or free, and whatever run asks.
    for released in [false, true] {
        for run in [&one, &other] {
            let error = store.acquire_lease("/second", run, HOUR).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration);
            let message = "this audit store belongs to the warehouse /first, not /second";
            assert_eq!(error.message(), message);
            assert!(error.hint().unwrap().contains("--warehouse /first"));
            assert_eq!(error.context(), [("audit store", store.location().to_owned())]);
        }
        if !released {
            store.release_lease(&lease).await.unwrap();
        }
    }
    assert_eq!(store.warehouse().await.unwrap().as_deref(), Some("/first"));
    let next = store.acquire_lease("/first", &other, HOUR).await.unwrap();
    assert_eq!(next.token, lease.token + 1);
}

async fn one_of_two_first_warehouses_wins(fixture: Fixture) {
    let (left, right) = (fixture.open().await, fixture.open().await);
    let (one, other) = (RunId::new("one"), RunId::new("other"));
    let (a, b) = tokio::join!(
        left.acquire_lease("/left", &one, HOUR),
        right.acquire_lease("/right", &other, HOUR),
    );
    assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
    let winner = if a.is_ok() { "/left" } else { "/right" };
    assert_eq!(a.err().or(b.err()).unwrap().kind(), ErrorKind::Configuration);
    assert_eq!(left.warehouse().await.unwrap().as_deref(), Some(winner));
}

async fn an_endless_lease_is_refused(fixture: Fixture) {
    let store = fixture.open().await;
    let error =
        store.acquire_lease(WAREHOUSE, &RunId::new("one"), Duration::MAX).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
}

/// A run that has made `raw.events` and could publish it.
async fn begun(
    fixture: &Fixture,
    id: &str,
    ttl: Duration,
) -> (Lease, Vec<pipeline::audit::Change>) {
    let store = fixture.open().await;
    let run = run(id);
    let lease = store.acquire_lease(WAREHOUSE, &run.id, ttl).await.unwrap();
    store.begin_run(&run, &[]).await.unwrap();
    store.record_step(&table_step(&run.id, 1, "ingestion", "raw.events", vec![])).await.unwrap();
    (lease, vec![change(&run.id, 1, "raw.events")])
}
