//! Verification of the store: the chain, and every row against it.

use std::collections::{BTreeMap, HashSet};

use super::entry::{Head, LogEntry};
use super::replay::{Finding, Replay, id_of};
use crate::audit::relations::{EXPLAINED, FILES, LOG};
use crate::audit::values::values;
use crate::audit::{AuditStore, VersionId};
use crate::error::{Error, ErrorKind, Result};

/// Entries read at once.
const PAGE: i64 = 100;

/// Where a version is on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The entry that explains it.
    pub entry: i64,
    /// BLAKE3 of its manifest, hex; none for versions from before there was a log.
    pub manifest: Option<String>,
    /// Whether it was removed since.
    pub removed: bool,
}

/// What a verification of the store has found.
#[derive(Debug)]
pub struct LogReport {
    /// Number of entries.
    pub entries: u64,
    /// Number of rows that were compared.
    pub rows: u64,
    /// The end of the log.
    pub head: Option<Head>,
    /// The entry that the head in the warehouse must have reached; 0 where there is none.
    pub sealed: i64,
    /// The versions that the log tells of.
    pub versions: BTreeMap<VersionId, Origin>,
    /// What does not fit, [in order](Finding::sort).
    pub findings: Vec<Finding>,
}

impl LogReport {
    /// Whether an entry tells of this file of a version.
    pub fn explains_file(&self, version: &VersionId, path: &str) -> bool {
        let row = id_of(&FILES, &[("version", version.into()), ("path", path.into())]);
        let forged = |found: &Finding| found.entry.is_none() && found.row.as_ref() == Some(&row);
        !self.findings.iter().any(forged)
    }
}

impl AuditStore {
    /// Recomputes the chain and compares every row with it. Runs may go on meanwhile: rows that
    /// they change are left to the next verification. Reads the store once; memory as large as
    /// its content.
    ///
    /// # Errors
    /// Only where the store cannot be read; what does not fit is in the report.
    pub async fn verify_log(&self) -> Result<LogReport> {
        let mut replay = Replay::default();
        let mut entries = 0;
        let mut head = None;
        let until = match self.head().await {
            Ok(head) => head.map_or(0, |head| head.sequence),
            Err(error) if error.kind() == ErrorKind::Data => i64::MAX,
            Err(error) => return Err(error),
        };
        let mut pages = Pages::from(i64::MIN);
        while let Some(page) = pages.next(self).await? {
            for entry in page.iter().filter(|entry| entry.sequence <= until) {
                replay.follow(entry);
                entries += 1;
                head = Some(Head::of(entry));
            }
            if pages.after >= until {
                break;
            }
        }
        let mut findings = std::mem::take(&mut replay.findings);
        let unreadable = |error: &Error, what: &str| format!("{what}: {}", error.message());
        if let Some(error) = &pages.unreadable {
            let what = unreadable(error, "it cannot be read");
            findings.push(Finding::new(Some(replay.last() + 1), what));
        }

        let mut rows = 0;
        let mut differing = vec![];
        for table in EXPLAINED {
            match self.rows(table, "", values![]).await {
                Ok(content) => {
                    rows += content.len() as u64;
                    differing.extend(replay.compare(table, &content));
                }
                Err(error) if error.kind() == ErrorKind::Data => {
                    let what = unreadable(&error, &format!("the table `{}`", table.name));
                    findings.push(Finding::new(None, what));
                }
                Err(error) => return Err(error),
            }
        }
        if !differing.is_empty() {
            let changed = self.rows_changed_after(until).await?;
            differing.retain(|found| found.row.as_ref().is_none_or(|row| !changed.contains(row)));
        }
        findings.extend(differing);
        Finding::sort(&mut findings);
        let Replay { sealed, origins: versions, .. } = replay;
        Ok(LogReport { entries, rows, head, sealed, versions, findings })
    }

    /// The rows that entries after this one are about.
    async fn rows_changed_after(&self, entry: i64) -> Result<HashSet<(&'static str, String)>> {
        let mut rows = HashSet::new();
        let mut pages = Pages::from(entry);
        while let Some(page) = pages.next(self).await? {
            rows.extend(page.iter().flat_map(Replay::touched));
        }
        Ok(rows)
    }
}

/// Reads the log piece by piece.
struct Pages {
    after: i64,
    size: i64,
    /// Why the next entry cannot be read, where somebody wrote what cannot be.
    unreadable: Option<Error>,
}

impl Pages {
    fn from(after: i64) -> Self {
        Self { after, size: PAGE, unreadable: None }
    }

    async fn next(&mut self, store: &AuditStore) -> Result<Option<Vec<LogEntry>>> {
        const CLAUSE: &str = "WHERE sequence > ?1 ORDER BY sequence LIMIT ?2";
        loop {
            let read = store.select(&LOG, CLAUSE, values![self.after, self.size]).await;
            let page: Vec<LogEntry> = match read {
                Ok(page) => page,
                // One by one, up to the entry that is at fault.
                Err(error) if error.kind() == ErrorKind::Data && self.size > 1 => {
                    self.size = 1;
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::Data => {
                    self.unreadable = Some(error);
                    return Ok(None);
                }
                Err(error) => return Err(error),
            };
            let Some(last) = page.last() else { return Ok(None) };
            self.after = last.sequence;
            return Ok(Some(page));
        }
    }
}
