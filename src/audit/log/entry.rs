//! One entry of the log, and the hash that chains it to the one before.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::payload::{Payload, RowChange};
use crate::audit::values::values;
use crate::audit::{RunId, Value};
use crate::error::Result;

/// Reads the fields of [`Link`] of the newest entry.
pub(in crate::audit) const READ_HEAD: &str =
    "SELECT sequence, hash FROM log ORDER BY sequence DESC LIMIT 1";

/// In the place of a predecessor's hash, for the first entry.
const NO_PREDECESSOR: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Position in the log, from 1, without gaps.
    pub sequence: i64,
    /// When it was written, on the database's clock (PostgreSQL) or the writer's (SQLite).
    pub time: DateTime<Utc>,
    /// Who wrote it: `user@host`, as the operating system says.
    pub actor: String,
    /// The run it is about; none where it is about the store.
    pub run: Option<RunId>,
    /// What happened: `step.recorded`, `published`.
    pub event: String,
    /// The rows that its transaction wrote, as JSON.
    pub payload: String,
    /// Hash of the entry before it; zeros for the first.
    pub previous: String,
    /// Hash of all the above (BLAKE3, hex).
    pub hash: String,
}

/// The end of the log at some time: all before it follows from the hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Position of the newest entry.
    pub sequence: i64,
    /// Its hash.
    pub hash: String,
    /// When it was written.
    pub time: DateTime<Utc>,
    /// The run it is about.
    pub run: Option<RunId>,
}

impl Head {
    /// The log that ends with `entry`.
    pub fn of(entry: &LogEntry) -> Self {
        let LogEntry { sequence, hash, time, run, .. } = entry.clone();
        Self { sequence, hash, time, run }
    }
}

/// What the next entry is chained to.
#[derive(Debug, Clone)]
pub(in crate::audit) struct Link {
    pub(in crate::audit) sequence: i64,
    pub(in crate::audit) hash: String,
}

/// An entry without its place in the log, which only the transaction that appends it knows.
#[derive(Debug, Clone)]
pub(in crate::audit) struct Draft {
    event: &'static str,
    actor: String,
    run: Option<RunId>,
    note: Vec<(&'static str, String)>,
    payload: String,
}

impl Draft {
    pub(in crate::audit) fn new(event: &'static str, run: Option<&RunId>) -> Self {
        let known = |name: Result<String, whoami::Error>| name.unwrap_or_else(|_| "unknown".into());
        let actor = format!("{}@{}", known(whoami::username()), known(whoami::hostname()));
        Self { event, actor, run: run.cloned(), note: vec![], payload: String::new() }
    }

    /// Adds what no row says.
    pub(in crate::audit) fn note(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.note.push((name, value.into()));
        self
    }

    /// Takes up the rows that the transaction writes.
    pub(super) fn explaining<'a>(
        mut self,
        changes: impl IntoIterator<Item = &'a RowChange>,
    ) -> Result<Self> {
        let note = self.note.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        self.payload = Payload::of(changes, note.collect()).to_json()?;
        Ok(self)
    }

    /// The entry after `head`, written now.
    pub(in crate::audit) fn seal(&self, head: Option<Link>, now: DateTime<Utc>) -> LogEntry {
        let (sequence, previous) = match head {
            Some(head) => (head.sequence + 1, head.hash),
            None => (1, NO_PREDECESSOR.to_owned()),
        };
        // As the database keeps it.
        let time = match Value::from(now) {
            Value::Timestamp(time) => time,
            _ => now,
        };
        let mut entry = LogEntry {
            sequence,
            time,
            // A name or text with a NUL is stored without it.
            actor: self.actor.replace('\0', "\u{FFFD}"),
            run: self.run.as_ref().map(|run| RunId::new(run.as_str().replace('\0', "\u{FFFD}"))),
            event: self.event.to_owned(),
            payload: self.payload.clone(),
            previous,
            hash: String::new(),
        };
        entry.hash = entry.computed_hash();
        entry
    }
}

impl LogEntry {
    /// The hash of its content: BLAKE3 over, in this order, the bytes `pipeline log 1\n`, the
    /// sequence and the time in microseconds since 1970 (8 bytes each, little endian), and actor,
    /// run, event, payload and previous hash, each as the number of its UTF-8 bytes (8 bytes,
    /// little endian) and the bytes; a missing run is the number 2^64 - 1 alone. No two entries
    /// have the same bytes.
    pub fn computed_hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"pipeline log 1\n");
        hasher.update(&self.sequence.to_le_bytes());
        hasher.update(&self.time.timestamp_micros().to_le_bytes());
        let run = self.run.as_ref().map(RunId::as_str);
        let texts = [
            Some(self.actor.as_str()),
            run,
            Some(&self.event),
            Some(&self.payload),
            Some(&self.previous),
        ];
        for text in texts {
            match text {
                Some(text) => {
                    hasher.update(&(text.len() as u64).to_le_bytes());
                    hasher.update(text.as_bytes());
                }
                None => {
                    hasher.update(&u64::MAX.to_le_bytes());
                }
            }
        }
        hasher.finalize().to_hex().to_string()
    }

    /// What an entry with this number continues: the hash that stands for nothing before.
    pub(super) fn first_predecessor() -> &'static str {
        NO_PREDECESSOR
    }

    /// Its row.
    pub(in crate::audit) fn into_row(self) -> Vec<Value> {
        values![
            self.sequence,
            self.time,
            self.actor,
            self.run.as_ref(),
            self.event,
            self.payload,
            self.previous,
            self.hash,
        ]
    }

    /// It in a sentence: `entry 17 (step.recorded, run R, 2026-01-31T23:59:59Z)`.
    pub fn title(&self) -> String {
        let run = self.run.as_ref().map(|run| format!(", run {run}")).unwrap_or_default();
        let time = self.time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        format!("entry {} ({}{run}, {time})", self.sequence, self.event)
    }
}
