//! The log: every change of a run as an entry, chained by hashes, in the transaction that makes it.
//!
//! An entry holds the rows that its transaction wrote, so that the whole content of the store
//! follows from the log, and [`AuditStore::verify_log`] can say which row no entry explains. The
//! hash covers the entry and the hash of its predecessor: an entry cannot be changed, removed or
//! moved without changing all that come after it.
//!
//! What this shows, and to whom: a chain alone does not bind somebody who may write to the
//! database, for he can write it anew from any point. The runner therefore puts the [`Head`] into
//! the warehouse at each publish: who rewrites or cuts what was published until then has to change
//! both stores. Not noticed are entries cut after the newest head together with the rows that they
//! explain, and entries that somebody appends as the program would. Renewals of a lease are no
//! entries.
//!
//! The rooms below are pure; only this file and `verify` read the store. Appending costs two round
//! trips to PostgreSQL and no further sync of the disk, and doubles the size of the record.

mod entry;
mod payload;
mod replay;
mod verify;

#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};

use super::backend::{Outcome, Write};
use super::relations::{EXPLAINED, LOG, Relation};
use super::values::{FromRow, Row, values};
use super::{AuditStore, RunId};
use crate::error::Result;

pub(super) use entry::{Draft, Link, READ_HEAD};
pub use entry::{Head, LogEntry};
pub(super) use payload::{RowChange, first_entries};
pub use replay::Finding;
pub use verify::{LogReport, Origin};

/// What entries are about.
pub(super) mod event {
    /// A new store.
    pub(crate) const STORE_CREATED: &str = "store.created";
    /// A store from before there was a log; its rows are taken as they are.
    pub(crate) const STORE_ADOPTED: &str = "store.adopted";
    pub(crate) const LEASE_ACQUIRED: &str = "lease.acquired";
    pub(crate) const LEASE_RELEASED: &str = "lease.released";
    pub(crate) const RUN_BEGUN: &str = "run.begun";
    /// A run whose process died, found by another.
    pub(crate) const RUN_ABANDONED: &str = "run.abandoned";
    /// The end of a run that has published nothing.
    pub(crate) const RUN_ENDED: &str = "run.ended";
    pub(crate) const STEP_RECORDED: &str = "step.recorded";
    /// The end of a run that has succeeded, and what became current by it.
    pub(crate) const PUBLISHED: &str = "published";
    /// Versions that will not be used again, recorded before their files are removed.
    pub(crate) const VERSIONS_REMOVED: &str = "versions.removed";
}

impl AuditStore {
    /// Writes a batch with its entry: `draft` says what happened, the statements which rows.
    pub(super) async fn record(&self, draft: Draft, batch: Vec<Write>) -> Result<Outcome> {
        let entry = draft.explaining(batch.iter().filter_map(|write| write.change.as_ref()))?;
        self.write(batch, Some(entry)).await
    }

    /// The end of the log; none where nobody has written the store yet.
    pub async fn head(&self) -> Result<Option<Head>> {
        let newest: Option<LogEntry> =
            self.select_first(&LOG, "ORDER BY sequence DESC LIMIT 1", values![]).await?;
        Ok(newest.map(|entry| Head::of(&entry)))
    }

    /// The entry with this number.
    pub async fn log_entry(&self, sequence: i64) -> Result<Option<LogEntry>> {
        self.select_first(&LOG, "WHERE sequence = ?1", values![sequence]).await
    }

    /// The tables whose every row the log explains.
    pub fn explained_tables() -> &'static [Relation] {
        EXPLAINED
    }
}

impl FromRow for LogEntry {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            sequence: row.get("sequence")?,
            time: row.get::<DateTime<Utc>>("time")?,
            actor: row.get("actor")?,
            run: row.get::<Option<RunId>>("run")?,
            event: row.get("event")?,
            payload: row.get("payload")?,
            previous: row.get("previous")?,
            hash: row.get("hash")?,
        })
    }
}
