//! One run from its lease to its publish. All effects of a run happen here or in its steps.

use std::future::Future;
use std::path::Path;
use std::pin::{Pin, pin};
use std::time::{Duration, Instant};

use tracing::Instrument;

use super::execute::Steps;
use super::observer::{Observer, StepOutlook};
use super::select::{self, Selection};
use super::{check, origin, script};
use crate::audit::{AuditStore, Change, Head, Lease, ParamRecord, RunId, RunState};
use crate::config::{AuditLocation, Location, Settings};
use crate::error::{Error, ErrorKind, Result};
use crate::session;
use crate::warehouse::{Catalog, HEAD, Landing, Store, Stores, read_head, write_head};

/// Pauses between two looks whether the warehouse is free: they double from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How to run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Run every step, whatever could be reused.
    pub force: bool,
    /// Only say what would run.
    pub dry_run: bool,
    /// Which statements.
    pub selection: Selection,
    /// The command line, for the record.
    pub command: String,
}

/// What a run did.
#[derive(Debug)]
pub struct RunSummary {
    /// The run; none for a dry run.
    pub run: Option<RunId>,
    /// Number of relations that the publish changed.
    pub published: usize,
}

/// Opens the audit store of the settings.
async fn open_audit(settings: &Settings) -> Result<AuditStore> {
    let opened = match &settings.audit {
        AuditLocation::Sqlite(path) => AuditStore::open_sqlite(path).await,
        AuditLocation::Postgres(url) => AuditStore::open_postgres(url.expose()).await,
    };
    opened.map_err(|error| {
        error.with_hint("nothing runs without its record: check --audit or PIPELINE_AUDIT, and that the store can be reached and written")
    })
}

/// Opens the audit store to read: nothing is made or changed.
pub(super) async fn open_audit_to_read(settings: &Settings) -> Result<AuditStore> {
    let audit = connect_to_read(settings).await?;
    refuse_another_warehouse(settings, &audit).await?;
    Ok(audit)
}

/// Opens the audit store to read, whatever warehouse it says it belongs to.
pub(super) async fn connect_to_read(settings: &Settings) -> Result<AuditStore> {
    let opened = match &settings.audit {
        AuditLocation::Sqlite(path) => AuditStore::open_sqlite_to_read(path).await,
        AuditLocation::Postgres(url) => AuditStore::open_postgres_to_read(url.expose()).await,
    };
    opened.map_err(|error| {
        error.with_hint("check --audit or PIPELINE_AUDIT, and that the store can be reached")
    })
}

pub(super) async fn refuse_another_warehouse(
    settings: &Settings,
    audit: &AuditStore,
) -> Result<()> {
    let name = warehouse_name(settings);
    match audit.warehouse().await? {
        Some(owner) if owner != name => Err(Error::configuration(format!(
            "this audit store belongs to the warehouse {owner}, not {name}"
        ))
        .with_hint("name the warehouse with --warehouse, or its audit store with --audit")),
        _ => Ok(()),
    }
}

/// Opens the warehouse of the settings: a snapshot of what is published.
pub(super) async fn open_catalog(
    settings: &Settings,
    stores: &Stores,
    audit: &AuditStore,
) -> Result<Catalog> {
    let store = Store::open(settings, stores)?;
    Catalog::load(store, audit.clone(), Landing::new(settings.sources.clone())).await
}

/// Runs the scripts of the settings. `cancel` ends it early with the name of the signal; whatever
/// ends it, the run is on record, and readers see all of it or nothing.
pub async fn exec(
    settings: &Settings,
    options: &Options,
    observer: &dyn Observer,
    cancel: impl Future<Output = &'static str>,
) -> Result<RunSummary> {
    let stores = Stores::new(&settings.s3);
    if options.dry_run {
        let audit = open_audit_to_read(settings).await?;
        let dry = RunId::new("dry-run");
        perform(settings, options, &stores, &audit, &dry, observer).await?;
        return Ok(RunSummary { run: None, published: 0 });
    }
    let params: Vec<_> = settings
        .params
        .iter()
        .map(|(name, param)| ParamRecord {
            name: name.to_owned(),
            value: param.value.to_string(),
            origin: param.origin.to_string(),
        })
        .collect();
    let work = async |audit: &AuditStore, lease: &Lease, cancel: Pin<&mut _>| {
        hold(settings, options, &stores, audit, lease, observer, cancel).await
    };
    let run = Run { settings, stores: &stores, command: &options.command, params: &params };
    on_record(run, observer, cancel, work).await
}

/// What is on record of a run besides what it does.
pub(super) struct Run<'a> {
    pub(super) settings: &'a Settings,
    pub(super) stores: &'a Stores,
    pub(super) command: &'a str,
    pub(super) params: &'a [ParamRecord],
}

/// Does some work as a run: holding the lease, on record whatever ends it. The work hears `cancel`, and
/// ends the run where it succeeds.
pub(super) async fn on_record<T, C: Future<Output = &'static str>>(
    run: Run<'_>,
    observer: &dyn Observer,
    cancel: C,
    work: impl AsyncFnOnce(&AuditStore, &Lease, Pin<&mut C>) -> Result<T>,
) -> Result<T> {
    let Run { settings, stores, command, params } = run;
    let mut cancel = pin!(cancel);
    let audit = tokio::select! {
        opened = open_audit(settings) => opened?,
        signal = &mut cancel => return Err(cancelled(signal)),
    };
    let record = origin::new_run(settings, command.to_owned());
    let run = record.id.clone();
    let bindable = tokio::select! {
        tried = try_warehouse(settings, stores, &audit) => tried,
        signal = &mut cancel => Err(cancelled(signal)),
    };
    let lease = match bindable {
        Ok(()) => acquire(settings, &audit, &run, observer, cancel.as_mut()).await,
        Err(error) => Err(error),
    };
    // A run that was refused the warehouse is on record too.
    let begun = audit.begin_run(&record, params).await;
    let has_begun = begun.is_ok();
    let (lease, outcome) = match (lease, begun) {
        (Err(refused), _) => (None, Err(refused)),
        (Ok(lease), Err(error)) => (Some(lease), Err(error)),
        (Ok(lease), Ok(())) => {
            let done = work(&audit, &lease, cancel).await;
            stores.settle().await;
            (Some(lease), done)
        }
    };
    if let (Err(error), true) = (&outcome, has_begun) {
        let state = match error.kind() {
            ErrorKind::Cancelled => RunState::Cancelled,
            _ => RunState::Failed,
        };
        let recorded = audit.finish_run(&run, state, Some(&error.report())).await;
        if let Err(second) = recorded {
            tracing::error!(%run, error = %second, "the end of the run could not be recorded");
        }
    }
    if let Some(lease) = &lease {
        // An answer that was lost does not undo a publish.
        let published = match &outcome {
            Ok(_) => Ok(true),
            Err(_) => audit.has_succeeded(&run).await,
        };
        // Before another can take the lease: heads must not overtake each other.
        let sealed = match published {
            Ok(true) => seal(settings, stores, &audit, lease).await,
            Ok(false) => Ok(()),
            Err(error) => Err(error),
        };
        // Last: a run that begins now must find this one ended. A lease that was released says that
        // the head is in its place; else it expires.
        let released = match sealed {
            Ok(()) => audit.release_lease(lease).await,
            Err(error) => {
                tracing::warn!(%run, %error, "the head of the audit log could not be written");
                Ok(())
            }
        };
        if let Err(error) = released {
            tracing::warn!(%run, %error, "the lease could not be released; it expires by itself");
        }
    }
    outcome.map_err(|error| error.with_context("run", run.as_str()))
}

/// An error where warehouse and audit store are not of each other. A new store is bound to its
/// warehouse by its first lease: a misspelt name, which cannot be written, must not be.
async fn try_warehouse(settings: &Settings, stores: &Stores, audit: &AuditStore) -> Result<()> {
    let store = Store::open(settings, stores)?;
    if audit.warehouse().await?.is_none() {
        store.create().await?;
    }
    refuse_another_store(&store, audit).await
}

/// An error where the head in the warehouse is not in the log: another store has published there,
/// or this one was cut or restored.
pub(super) async fn refuse_another_store(store: &Store, audit: &AuditStore) -> Result<()> {
    let Some(head) = read_head(store).await? else { return Ok(()) };
    let known = match &head {
        Ok(head) => audit.log_entry(head.sequence).await?.as_ref().map(Head::of),
        Err(_) => None,
    };
    if known.is_some() && known == head.ok() {
        return Ok(());
    }
    let message = format!(
        "the warehouse {} belongs to another audit store: `{HEAD}` there is not the head of this one",
        store.location()
    );
    Err(Error::configuration(message).with_context("audit store", audit.location()).with_hint(
        "name the store that has published there with --audit; where that one is lost, or was restored from a backup, move the head away, and the next publish writes it anew",
    ))
}

fn cancelled(signal: &str) -> Error {
    Error::new(ErrorKind::Cancelled, format!("cancelled by {signal}"))
        .with_hint("nothing was published; the next run resumes after the last finished step")
}

/// Takes the lease of the warehouse, and waits for another's as long as the settings say.
///
/// # Errors
/// `Conflict` where another still holds it then; `Cancelled` where a signal ends the waiting.
pub(super) async fn acquire(
    settings: &Settings,
    audit: &AuditStore,
    run: &RunId,
    observer: &dyn Observer,
    mut cancel: Pin<&mut impl Future<Output = &'static str>>,
) -> Result<Lease> {
    let warehouse = warehouse_name(settings);
    let started = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        let refused = match audit.acquire_lease(&warehouse, run, settings.lease).await {
            Err(error) if error.kind() == ErrorKind::Conflict => error,
            taken => return taken,
        };
        if settings.wait.is_zero() {
            return Err(refused);
        }
        let left = settings.wait.saturating_sub(started.elapsed());
        if left.is_zero() {
            let waited = humantime::format_duration(settings.wait);
            return Err(refused.with_context("waited", waited.to_string()));
        }
        if pause == FIRST_PAUSE {
            observer.waiting(&refused, settings.wait);
            tracing::info!(%run, reason = %refused, "waiting for the warehouse");
        }
        // Only here: a lease that was just taken must not be forgotten.
        tokio::select! {
            () = tokio::time::sleep(pause.min(left)) => {}
            signal = &mut cancel => return Err(cancelled(signal)),
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Puts the head of the log into the warehouse, while the lease lasts. A head that is not in the log
/// stays as it is: it tells that the log was cut or written anew.
async fn seal(
    settings: &Settings,
    stores: &Stores,
    audit: &AuditStore,
    lease: &Lease,
) -> Result<()> {
    let store = Store::open(settings, stores)?;
    let put = async {
        refuse_another_store(&store, audit).await?;
        match audit.head().await? {
            Some(head) => write_head(&store, &head).await,
            None => Ok(()),
        }
    };
    audit.renew_lease(lease, settings.lease).await?;
    let done = tokio::time::timeout(settings.lease, put).await;
    done.unwrap_or_else(|_| Err(Error::io("the warehouse did not answer while the lease lasted")))
}

/// The part of a run that holds the lease. A signal ends the steps, never a publish under way.
async fn hold(
    settings: &Settings,
    options: &Options,
    stores: &Stores,
    audit: &AuditStore,
    lease: &Lease,
    observer: &dyn Observer,
    cancel: impl Future<Output = &'static str>,
) -> Result<RunSummary> {
    let run = &lease.run;
    observer.run_started(run);
    tracing::info!(%run, "run started");
    let changes = tokio::select! {
        done = perform(settings, options, stores, audit, run, observer)
            .instrument(tracing::info_span!("run", id = run.as_str())) => done?,
        lost = renew(audit, lease, settings.lease) => return Err(lost),
        signal = cancel => return Err(cancelled(signal)),
    };
    // After an outage of the store the lease may have run out, and yet be nobody else's.
    audit.renew_lease(lease, settings.lease).await?;
    audit.publish(lease, &changes).await?;
    tracing::info!(%run, published = changes.len(), "run published");
    Ok(RunSummary { run: Some(run.clone()), published: changes.len() })
}

/// Checks all statements, then runs them one by one.
async fn perform(
    settings: &Settings,
    options: &Options,
    stores: &Stores,
    audit: &AuditStore,
    run: &RunId,
    observer: &dyn Observer,
) -> Result<Vec<Change>> {
    let path = settings.selected.as_deref().unwrap_or(&settings.scripts);
    let statements = options.selection.apply(script::read(&settings.scripts, path)?)?;
    let catalog = open_catalog(settings, stores, audit).await?;
    if !options.dry_run {
        catalog.store().create().await?;
    }
    let bound = check::check(&statements, settings, &catalog).await?;

    let ctx = session::build(settings, &catalog)?;
    let mut steps = Steps::new(run, ctx, catalog, observer, (options.force, options.dry_run));
    let total = statements.len();
    let outlook = |index: usize| {
        let statement = &statements[index];
        StepOutlook {
            ordinal: index + 1,
            total,
            at: format!("{}:{}", statement.file, statement.line),
            subject: select::subject(&statement.ast),
        }
    };
    let mut rest = statements.iter().zip(&bound).enumerate();
    while let Some((index, (statement, bound))) = rest.next() {
        let span = tracing::info_span!("step", ordinal = index + 1, file = statement.file);
        match steps.run(statement, bound, outlook(index)).instrument(span).await {
            Ok(()) => {}
            Err(error) => {
                for (index, (statement, _)) in rest {
                    if let Err(second) = steps.skip(statement, outlook(index)).await {
                        tracing::error!(%run, error = %second, "skipped steps could not be recorded");
                        break;
                    }
                }
                return Err(error);
            }
        }
    }
    Ok(steps.into_changes())
}

/// The warehouse by its one name for its audit store, whatever links lead to it, with its layers
/// that are elsewhere. A store inside of it may move with it.
fn warehouse_name(settings: &Settings) -> String {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let name = |location: &Location| match location.path() {
        Some(path) => real(path).display().to_string(),
        None => location.to_string(),
    };
    let inside = match (&settings.audit, settings.warehouse.path()) {
        (AuditLocation::Sqlite(file), Some(warehouse)) => {
            file.parent().is_some_and(|dir| real(dir) == real(warehouse))
        }
        _ => false,
    };
    let main = match inside {
        true => "the one that it is in".to_owned(),
        false => name(&settings.warehouse),
    };
    let layers = settings.layers.iter();
    let layers = layers.map(|(layer, location)| format!(", {layer} in {}", name(location)));
    std::iter::once(main).chain(layers).collect()
}

/// Renews the lease until it is lost. A store that is away for a moment is no loss: the publish
/// checks the lease again.
pub(super) async fn renew(audit: &AuditStore, lease: &Lease, ttl: Duration) -> Error {
    loop {
        tokio::time::sleep(ttl / 3).await;
        match audit.renew_lease(lease, ttl).await {
            Err(error) if error.kind() == ErrorKind::Conflict => return error,
            Err(error) => tracing::warn!(%error, "the lease could not be renewed, trying again"),
            Ok(()) => {}
        }
    }
}
