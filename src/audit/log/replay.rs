//! The content of the store as the log tells it, and where the store differs.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::entry::LogEntry;
use super::event;
use super::payload::{Payload, RowChange};
use super::verify::Origin;
use crate::audit::relations::{CURRENT, LEASES, REMOVALS, RUNS, Relation, VERSIONS};
use crate::audit::{RunId, Value, VersionId};

/// Something that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The entry that does not fit, or that explains what does not; none where no entry does.
    pub entry: Option<i64>,
    /// What was found, for people.
    pub what: String,
    /// Whether that entry is missing, and maybe others after it.
    lost: bool,
    /// The row it is about.
    pub(super) row: Option<RowId>,
}

impl Finding {
    /// Something about an entry as such, or about what it explains outside of the store.
    pub fn new(entry: Option<i64>, what: impl Into<String>) -> Self {
        Self { entry, what: what.into(), lost: false, row: None }
    }

    /// An entry that is missing.
    pub fn lost(entry: i64, what: impl Into<String>) -> Self {
        Self { lost: true, ..Self::new(Some(entry), what) }
    }

    /// Brings findings into the order of their entries; what no entry explains comes last. A missing
    /// entry may have changed rows that entries before it have made: then it is the first one that
    /// does not fit, and not they.
    pub fn sort(findings: &mut [Self]) {
        let lost = findings.iter().filter(|found| found.lost).filter_map(|found| found.entry).min();
        for found in findings.iter_mut() {
            let table = found.row.as_ref().map(|(table, _)| *table);
            let changes = CHANGING.iter().any(|known| Some(known.name) == table);
            if let (true, Some(entry), Some(lost)) = (changes, found.entry, lost) {
                found.entry = Some(entry.max(lost));
            }
        }
        findings.sort_by_key(|found| (found.entry.is_none(), found.entry, !found.lost));
    }
}

/// The tables of rows that later entries change. All others are only added to.
const CHANGING: &[Relation] = &[RUNS, CURRENT, LEASES];

/// Table and key of a row.
pub(super) type RowId = (&'static str, String);

/// A row as some entry left it.
#[derive(Debug, Clone, PartialEq)]
struct Expected {
    entry: i64,
    row: Vec<Value>,
}

/// The store's content up to some entry. Memory: all rows of the store.
#[derive(Debug, Default)]
pub(super) struct Replay {
    rows: HashMap<RowId, Expected>,
    /// Number and hash of the last entry.
    last: Option<(i64, String)>,
    /// The holder of the lease, and the entry of its publish: the warehouse's head reaches it before
    /// the lease is released.
    holder: Option<(RunId, Option<i64>)>,
    /// The entry that the head in the warehouse has reached.
    pub(super) sealed: i64,
    pub(super) origins: BTreeMap<VersionId, Origin>,
    pub(super) findings: Vec<Finding>,
}

impl Replay {
    /// Number of the last entry; 0 before the first.
    pub(super) fn last(&self) -> i64 {
        self.last.as_ref().map_or(0, |(sequence, _)| *sequence)
    }

    /// Follows the log by one entry.
    pub(super) fn follow(&mut self, entry: &LogEntry) {
        self.check_chain(entry);
        self.last = Some((entry.sequence, entry.hash.clone()));
        self.follow_lease(entry);
        let payload = Payload::parse(&entry.payload);
        let changes = payload.as_ref().map_err(Clone::clone).and_then(Payload::changes);
        let done = changes.and_then(|changes| {
            let manifest = payload.ok().and_then(|payload| payload.note.get("manifest").cloned());
            for change in &changes {
                self.follow_version(entry.sequence, manifest.as_ref(), change);
            }
            changes.into_iter().try_for_each(|change| self.make(entry.sequence, change))
        });
        if let Err(why) = done {
            self.find(entry.sequence, format!("its payload cannot be right: {why}"));
        }
    }

    fn find(&mut self, entry: i64, what: impl Into<String>) {
        self.findings.push(Finding::new(Some(entry), what));
    }

    /// Whether the entry is the one that comes next, with the hash that it should have.
    fn check_chain(&mut self, entry: &LogEntry) {
        let (number, previous) = match &self.last {
            Some((sequence, hash)) => (sequence + 1, hash.clone()),
            None => (1, LogEntry::first_predecessor().to_owned()),
        };
        let sequence = entry.sequence;
        if sequence > number {
            let what = format!("it is missing: entry {sequence} comes next");
            self.findings.push(Finding::lost(number, what));
        } else if sequence < number {
            self.find(sequence, "the log begins with entry 1");
        } else if entry.previous != previous {
            self.find(sequence, format!("it does not continue the entry before it: that one's hash is {previous}, it names {}", entry.previous));
        }
        if entry.computed_hash() != entry.hash {
            self.find(sequence, "its hash is not that of its content");
        }
        let is_first = [event::STORE_CREATED, event::STORE_ADOPTED].contains(&&*entry.event);
        if sequence == 1 && !is_first {
            self.find(sequence, "no log begins with it");
        }
    }

    /// A run puts the head into the warehouse between its publish and the release of its lease.
    fn follow_lease(&mut self, entry: &LogEntry) {
        let Some(run) = &entry.run else { return };
        match (&*entry.event, &mut self.holder) {
            (event::LEASE_ACQUIRED, holder) => *holder = Some((run.clone(), None)),
            (event::PUBLISHED, Some((holder, published))) if holder == run => {
                *published = Some(entry.sequence);
            }
            (event::LEASE_RELEASED, Some((holder, published))) if holder == run => {
                self.sealed = published.unwrap_or(self.sealed);
                self.holder = None;
            }
            _ => {}
        }
    }

    /// Versions have their id in front, removals that of their version.
    fn follow_version(&mut self, entry: i64, manifest: Option<&String>, change: &RowChange) {
        let RowChange::Put(table, row) = change else { return };
        let Some(Value::Text(id)) = row.first() else { return };
        let id = VersionId::new(id.as_str());
        if **table == VERSIONS {
            let origin = Origin { entry, manifest: manifest.cloned(), removed: false };
            self.origins.insert(id, origin);
        } else if **table == REMOVALS
            && let Some(origin) = self.origins.get_mut(&id)
        {
            origin.removed = true;
        }
    }

    fn make(&mut self, entry: i64, change: RowChange) -> Result<(), String> {
        match change {
            RowChange::Put(table, row) => {
                self.rows.insert(id(table, &row), Expected { entry, row });
            }
            RowChange::Set(table, columns) => {
                let id = id_of(table, &columns);
                let place = self.rows.get_mut(&id).ok_or_else(|| missing(table, &id))?;
                place.entry = entry;
                for (column, value) in columns {
                    if let Some(old) = table.position(column).and_then(|at| place.row.get_mut(at)) {
                        *old = value;
                    }
                }
            }
            RowChange::Delete(table, key) => {
                let id = id_of(table, &key);
                self.rows.remove(&id).ok_or_else(|| missing(table, &id))?;
            }
        }
        Ok(())
    }

    /// Where the rows of a table differ from those that the log tells.
    pub(super) fn compare(&self, table: &'static Relation, rows: &[Vec<Value>]) -> Vec<Finding> {
        let mut findings = vec![];
        let mut seen = HashSet::new();
        for row in rows {
            let id = id(table, row);
            let what = match self.rows.get(&id) {
                None => Some((None, "no entry explains it".to_owned())),
                Some(_) if !seen.insert(id.clone()) => Some((None, "it is there twice".to_owned())),
                Some(expected) => difference(table, row, &expected.row)
                    .map(|difference| (Some(expected.entry), difference)),
            };
            if let Some((entry, what)) = what {
                let what = format!("{}: {what}", title(table, &id));
                findings.push(Finding { row: Some(id), ..Finding::new(entry, what) });
            }
        }
        let lost = self.rows.iter().filter(|(id, _)| id.0 == table.name && !seen.contains(*id));
        findings.extend(lost.map(|(id, expected)| {
            let what = format!("{}: it is gone", title(table, id));
            Finding { row: Some(id.clone()), ..Finding::new(Some(expected.entry), what) }
        }));
        findings.sort_by(|a, b| a.row.cmp(&b.row));
        findings
    }

    /// The rows that an entry is about.
    pub(super) fn touched(entry: &LogEntry) -> Vec<RowId> {
        let changes = Payload::parse(&entry.payload).and_then(|payload| payload.changes());
        let id = |change: RowChange| match change {
            RowChange::Put(table, row) => id(table, &row),
            RowChange::Set(table, columns) | RowChange::Delete(table, columns) => {
                id_of(table, &columns)
            }
        };
        changes.unwrap_or_default().into_iter().map(id).collect()
    }
}

fn id(table: &'static Relation, row: &[Value]) -> RowId {
    let at = |column: &&str| table.position(column).and_then(|at| row.get(at));
    (table.name, key(table.key.iter().map(at)))
}

/// The row with a key that is among these columns.
pub(super) fn id_of(table: &'static Relation, columns: &[(&'static str, Value)]) -> RowId {
    let of = |column: &&str| columns.iter().find(|(name, _)| name == column).map(|(_, v)| v);
    (table.name, key(table.key.iter().map(of)))
}

/// The values of a key, told apart whatever is in them.
fn key<'a>(values: impl Iterator<Item = Option<&'a Value>>) -> String {
    let shown = values.map(|value| match value {
        Some(Value::Text(text)) => format!("{text:?}"),
        Some(value) => show(value),
        None => "NULL".into(),
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn title(table: &Relation, (_, key): &RowId) -> String {
    match table.key {
        [] => format!("the row of `{}`", table.name),
        columns => format!("the row of `{}` with {} {key}", table.name, columns.join(", ")),
    }
}

fn missing(table: &Relation, id: &RowId) -> String {
    format!("it changes {}, which is not there", title(table, id))
}

/// The first column that differs.
fn difference(table: &'static Relation, row: &[Value], expected: &[Value]) -> Option<String> {
    // A renewal moves the end of a lease that is held, and is no entry.
    let renewable = |column: &str, value: &Value, expected: &Value| {
        *table == LEASES && column == "expires" && *value != Value::Null && *expected != Value::Null
    };
    let pairs = row.iter().zip(expected).zip(table.columns);
    let mut pairs = pairs.map(|((value, expected), (column, _))| (*column, value, expected));
    pairs
        .find(|(column, value, expected)| value != expected && !renewable(column, value, expected))
        .map(|(column, value, expected)| {
            format!("`{column}` is {}, the log says {}", show(value), show(expected))
        })
}

/// A value for people, long texts shortened.
fn show(value: &Value) -> String {
    const SHOWN: usize = 60;
    match value {
        Value::Null => "NULL".into(),
        Value::Text(text) if text.chars().count() > SHOWN => {
            format!("{:?}… ({} bytes)", text.chars().take(SHOWN).collect::<String>(), text.len())
        }
        Value::Text(text) => format!("{text:?}"),
        Value::Integer(integer) => integer.to_string(),
        Value::Real(real) => format!("{real:?}"),
        Value::Boolean(truth) => truth.to_string(),
        Value::Timestamp(time) => time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
    }
}
