//! `pipeline audit verify`: the log against itself, the tables, the head in the warehouse and the
//! files. Only reads.

use std::collections::BTreeMap;
use std::future::Future;

use futures::{StreamExt, TryFutureExt, TryStreamExt, stream};

use super::runner::{connect_to_read, refuse_another_warehouse};
use crate::audit::{
    AuditStore, FileRecord, Finding, Head, LineageRecord, LogReport, RelationKind, VersionId,
    VersionRecord,
};
use crate::config::Settings;
use crate::error::{Error, ErrorKind, Result};
use crate::warehouse::{
    HEAD, Inspected, RowSum, Store, Stores, inspect_file, inspect_manifest, inspect_rows, read_head,
};

/// Findings after the first that are told one by one.
const TOLD: usize = 20;

/// Which files are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Those of all versions that were not removed.
    All,
    /// Those of the current versions.
    Current,
    /// None: only the log, the tables and the head.
    NoData,
}

/// What was found to fit.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Entries of the log.
    pub entries: u64,
    /// Rows of the tables.
    pub rows: u64,
    /// Versions whose files were read.
    pub versions: u64,
    /// Their files.
    pub files: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// The head in the warehouse.
    pub head: Option<Head>,
}

/// Verifies the audit store and the warehouse. `cancel` ends it early with the name of the signal.
///
/// # Errors
/// `AssertionFailed` where something does not fit, naming the first entry that does not.
pub async fn verify(
    settings: &Settings,
    scope: Scope,
    cancel: impl Future<Output = &'static str>,
) -> Result<Verified> {
    tokio::select! {
        done = check(settings, scope) => done,
        signal = cancel => Err(Error::new(ErrorKind::Cancelled, format!("cancelled by {signal}"))),
    }
}

async fn check(settings: &Settings, scope: Scope) -> Result<Verified> {
    let audit = connect_to_read(settings).await?;
    let store = Store::open(settings, &Stores::new(&settings.s3))?;
    let report = audit.verify_log().await?;
    let mut findings = report.findings.clone();
    if findings.is_empty() {
        refuse_another_warehouse(settings, &audit).await?;
    }
    let head = check_head(&store, &audit, &report, &mut findings).await?;
    let mut verified =
        Verified { entries: report.entries, rows: report.rows, head, ..Verified::default() };
    let in_data = check_data(settings, scope, &store, &audit, &report, &mut verified).await;
    match in_data {
        Ok(found) => findings.extend(found),
        // What is wrong with the store may be why the files cannot be checked.
        Err(error) if findings.is_empty() => return Err(error),
        Err(error) => tracing::warn!(%error, "the files could not be checked"),
    }
    Finding::sort(&mut findings);
    match findings.is_empty() {
        true => Ok(verified),
        false => Err(refusal(&audit, &findings).await),
    }
}

/// Whether the head in the warehouse is in the log, and as new as it must be.
async fn check_head(
    store: &Store,
    audit: &AuditStore,
    report: &LogReport,
    findings: &mut Vec<Finding>,
) -> Result<Option<Head>> {
    let last = report.head.as_ref().map_or(0, |head| head.sequence);
    let sealed = (report.sealed > 0).then_some(report.sealed);
    let found = match read_head(store).await? {
        None if sealed.is_none() => return Ok(None),
        None => Finding::new(sealed, format!("`{HEAD}` is gone from the warehouse")),
        Some(Err(why)) => {
            Finding::new(sealed, format!("`{HEAD}` in the warehouse is no head: {why}"))
        }
        Some(Ok(head)) => match audit.log_entry(head.sequence).await {
            Ok(Some(entry)) if Head::of(&entry) == head && head.sequence >= report.sealed => {
                return Ok(Some(head));
            }
            Ok(Some(entry)) if Head::of(&entry) == head => {
                let older = format!("`{HEAD}` in the warehouse is older: entry {}", head.sequence);
                Finding::new(sealed, older)
            }
            Ok(Some(_)) => {
                let what = format!("`{HEAD}` in the warehouse says that it was another one");
                Finding::new(Some(head.sequence), what)
            }
            Ok(None) if head.sequence > last => {
                let (number, time) = (head.sequence, head.time.to_rfc3339());
                let what = format!(
                    "it is missing: the log was cut, its head in the warehouse is entry {number} of {time}"
                );
                Finding::lost(last + 1, what)
            }
            Ok(None) => {
                let what = format!("`{HEAD}` in the warehouse is an entry that is not in the log");
                Finding::new(Some(head.sequence), what)
            }
            // Told already, as an entry that cannot be read.
            Err(error) if error.kind() == ErrorKind::Data => return Ok(None),
            Err(error) => return Err(error),
        },
    };
    findings.push(found);
    Ok(None)
}

/// A version and what is on record with it.
struct Version {
    record: VersionRecord,
    files: Vec<FileRecord>,
    inputs: Vec<LineageRecord>,
}

/// The files of the versions in scope.
async fn check_data(
    settings: &Settings,
    scope: Scope,
    store: &Store,
    audit: &AuditStore,
    report: &LogReport,
    verified: &mut Verified,
) -> Result<Vec<Finding>> {
    let records: Vec<VersionRecord> = match scope {
        Scope::NoData => return Ok(vec![]),
        Scope::Current => audit.current().await?,
        Scope::All => {
            // As the log says: a removal that is not on record any more is told already.
            let removed =
                |id: &VersionId| report.versions.get(id).is_some_and(|origin| origin.removed);
            let versions = audit.inventory().await?.versions.into_values();
            versions.filter(|version| !removed(&version.id)).collect()
        }
    };
    // What was recorded since, or by nobody, is not looked at: of the latter the tables tell.
    let known = records.into_iter().filter(|record| report.versions.contains_key(&record.id));
    let mut versions = vec![];
    for record in known {
        let mut files = audit.files(&record.id).await?;
        // Told already; what the log does not know of it cannot be asked of the warehouse.
        files.retain(|file| report.explains_file(&record.id, &file.path));
        let inputs = audit.inputs(&record.id).await?;
        versions.push(Version { record, files, inputs });
    }
    // A file that several versions list is read once.
    let files = versions.iter().flat_map(|version| &version.files);
    let files: BTreeMap<&str, &FileRecord> = files.map(|file| (&*file.path, file)).collect();
    verified.versions = versions.len() as u64;
    verified.files = files.len() as u64;
    verified.bytes = files.values().map(|file| file.size.unsigned_abs()).sum();
    let read = stream::iter(files.into_values())
        .map(|file| inspect_file(store, file).map_ok(|found| (file.path.as_str(), found)))
        .buffer_unordered(settings.partitions);
    let read: BTreeMap<&str, Inspected<RowSum>> = read.try_collect().await?;

    let mut findings = vec![];
    for version in &versions {
        let origin = report.versions.get(&version.record.id);
        let digest = origin.and_then(|origin| origin.manifest.as_deref());
        for what in wrong(store, version, &read, digest).await? {
            let what = format!("{}: {what}", version.record.id);
            findings.push((&version.record.id, Finding::new(origin.map(|o| o.entry), what)));
        }
    }
    if findings.is_empty() {
        return Ok(vec![]);
    }
    // `gc` may have been at work meanwhile.
    let removed = audit.inventory().await?.removed;
    findings.retain(|(version, _)| !removed.contains(*version));
    Ok(findings.into_iter().map(|(_, finding)| finding).collect())
}

/// What is wrong with a version.
async fn wrong(
    store: &Store,
    version: &Version,
    read: &BTreeMap<&str, Inspected<RowSum>>,
    digest: Option<&str>,
) -> Result<Vec<String>> {
    let Version { record, files, inputs } = version;
    let mut wrong = vec![];
    if let Inspected::Wrong(what) = inspect_manifest(store, record, files, inputs, digest).await? {
        wrong.push(what);
    }
    let mut sums = vec![];
    for file in files {
        match read.get(&*file.path) {
            Some(Inspected::Sound(sum)) => sums.push(*sum),
            Some(Inspected::Wrong(what)) => wrong.push(format!("`{}`: {what}", file.path)),
            None => {}
        }
    }
    // Of some files there is no sum of all.
    if sums.len() == files.len() || record.kind == RelationKind::View {
        let rows = match inspect_rows(record, &sums) {
            Ok(Inspected::Sound(())) => None,
            Ok(Inspected::Wrong(what)) => Some(what),
            Err(error) => Some(error.to_string()),
        };
        wrong.extend(rows);
    }
    Ok(wrong)
}

/// The error that names the first entry that does not fit, and then others.
async fn refusal(audit: &AuditStore, findings: &[Finding]) -> Error {
    let told = async |finding: &Finding| {
        let Some(number) = finding.entry else { return finding.what.clone() };
        let title = match audit.log_entry(number).await {
            Ok(Some(entry)) => entry.title(),
            Ok(None) | Err(_) => format!("entry {number}"),
        };
        format!("{title}: {}", finding.what)
    };
    let Some((first, others)) = findings.split_first() else {
        return Error::internal("nothing was found");
    };
    let message = format!("the audit log does not fit: {}", told(first).await);
    let mut error = Error::new(ErrorKind::AssertionFailed, message);
    for other in others.iter().take(TOLD) {
        error = error.with_context("also", told(other).await);
    }
    if others.len() > TOLD {
        error = error.with_context("and", format!("{} more", others.len() - TOLD));
    }
    error.with_context("audit store", audit.location()).with_hint(
        "somebody changed the record or the files: compare with a backup made before; nothing was repaired",
    )
}
