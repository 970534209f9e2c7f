//! `pipeline gc`: removes the files that nobody needs.
//!
//! It is a run: it holds the lease, so that no other is live, and is on record. Versions are recorded
//! as removed before their files are, so that nobody uses them again; what a stopped `gc` leaves,
//! the next one removes.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt, TryStreamExt, stream};

use super::observer::Observer;
use super::runner::{Run, on_record, open_audit_to_read, refuse_another_store, renew};
use crate::audit::{AuditStore, Lease, RunId, RunState};
use crate::config::Settings;
use crate::error::{Error, ErrorKind, Result};
use crate::warehouse::{Found, Garbage, Layer, Store, Stores};

/// Objects removed at once.
const REMOVALS_AT_ONCE: usize = 16;

/// How to collect.
#[derive(Debug, Clone)]
pub struct Options {
    /// Only say what would be removed: needs neither the lease nor the right to write.
    pub dry_run: bool,
    /// What is younger stays.
    pub grace: Duration,
    /// The command line, for the record.
    pub command: String,
}

/// What was, or would be, removed.
#[derive(Debug)]
pub struct Collected {
    /// The run; none for a dry run.
    pub run: Option<RunId>,
    /// Versions and objects.
    pub garbage: Garbage,
}

/// Removes what nobody needs. `cancel` ends it early with the name of the signal.
///
/// # Errors
/// `Conflict` where another run holds the warehouse. `Configuration` where the audit store is not the
/// one of this warehouse.
pub async fn collect(
    settings: &Settings,
    options: &Options,
    observer: &dyn Observer,
    cancel: impl Future<Output = &'static str>,
) -> Result<Collected> {
    let stores = Stores::new(&settings.s3);
    let store = Store::open(settings, &stores)?;
    let audit = open_audit_to_read(settings).await?;
    if audit.warehouse().await?.is_none() {
        // To a store that knows nothing, everything is garbage.
        let message = format!("this audit store does not know the warehouse {}", store.location());
        return Err(Error::configuration(message)
            .with_context("audit store", audit.location())
            .with_hint("name the store that its runs are recorded in with --audit"));
    }
    if options.dry_run {
        refuse_another_store(&store, &audit).await?;
        let garbage = find(&store, &audit, Utc::now(), options.grace).await?;
        return Ok(Collected { run: None, garbage });
    }
    let work = async |audit: &AuditStore, lease: &Lease, cancel: Pin<&mut _>| {
        let garbage = tokio::select! {
            done = sweep(&store, audit, lease, options.grace) => done?,
            lost = renew(audit, lease, settings.lease) => return Err(lost),
            signal = cancel => {
                return Err(Error::new(ErrorKind::Cancelled, format!("cancelled by {signal}"))
                    .with_hint("nothing that anybody needs was removed; the next `pipeline gc` goes on"));
            }
        };
        audit.finish_run(&lease.run, RunState::Succeeded, None).await?;
        Ok(Collected { run: Some(lease.run.clone()), garbage })
    };
    let run = Run { settings, stores: &stores, command: &options.command, params: &[] };
    on_record(run, observer, cancel, work).await
}

async fn sweep(
    store: &Store,
    audit: &AuditStore,
    lease: &Lease,
    grace: Duration,
) -> Result<Garbage> {
    let now = Utc::now();
    let garbage = find(store, audit, now, grace).await?;
    if !garbage.is_empty() {
        let size = (garbage.files(), garbage.bytes());
        audit.remove_versions(lease, &garbage.versions, size).await?;
    }
    let removals = stream::iter(&garbage.objects).map(|object| store.sweep(&object.path));
    removals.buffer_unordered(REMOVALS_AT_ONCE).try_collect::<()>().await?;
    let aborts = stream::iter(&garbage.uploads).map(|(_, upload)| store.abort(upload));
    aborts.buffer_unordered(REMOVALS_AT_ONCE).try_collect::<()>().await?;
    let old = TimeDelta::from_std(grace).ok().and_then(|grace| now.checked_sub_signed(grace));
    store.clear_empty_folders(old.unwrap_or(DateTime::<Utc>::MIN_UTC)).await?;
    Ok(garbage)
}

/// What nobody needs at this time.
async fn find(
    store: &Store,
    audit: &AuditStore,
    now: DateTime<Utc>,
    grace: Duration,
) -> Result<Garbage> {
    // First: what is written after this is young.
    let inventory = audit.inventory().await?;
    let uploads = store.unfinished().await?;
    let mut found = store.staged_files().await?;
    for layer in Layer::ALL {
        let mut objects = store.list(layer.name());
        while let Some((path, meta)) = objects.try_next().await? {
            found.push(Found { path, size: meta.size, modified: meta.last_modified });
        }
    }
    Ok(Garbage::find(&inventory, &found, uploads, now, grace))
}
