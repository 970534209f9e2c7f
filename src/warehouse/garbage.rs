//! Which files of the warehouse nobody needs. Pure: what is there comes in, what may go comes out.
//!
//! Needed is a version that some run has published, that the live run has made, or that is younger
//! than the grace period, and every version that one of these was made from. A file is needed by
//! all versions that list it, for `INSERT` shares files. Only what the program writes is ever
//! garbage: `<layer>/<relation>/<version>/` with the names that the writer uses.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use super::manifest;
use super::relation::Relation;
use super::store::Unfinished;
use crate::audit::{Inventory, VersionId};

/// An object in the warehouse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Path below the warehouse.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Last modification.
    pub modified: DateTime<Utc>,
}

/// An object that nobody needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rubbish {
    /// Path below the warehouse.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Why nobody needs it.
    pub reason: &'static str,
}

/// All that nobody needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Garbage {
    /// Versions to be recorded as removed before their files are.
    pub versions: Vec<VersionId>,
    /// The objects, by path.
    pub objects: Vec<Rubbish>,
    /// Uploads in S3 that nobody will finish, with their paths below the warehouse.
    pub uploads: Vec<(String, Unfinished)>,
}

/// The place of a file that the program writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) version: VersionId,
    /// When the version was begun, as its folder says.
    pub(super) time: DateTime<Utc>,
    /// A file that an upload had not finished.
    pub(super) unfinished: bool,
}

impl Place {
    /// Reads a path below the warehouse; none where the program writes no such path.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.split('/').collect();
        let [layer, relation, version, name] = parts[..] else { return None };
        Relation::parse(&format!("{layer}.{relation}"))?;
        let (time, run) = version.split_once('-')?;
        let ours = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        if run.is_empty() || !run.chars().all(ours) {
            return None;
        }
        let (seconds, micros) = time.strip_suffix('Z')?.split_at_checked(15)?;
        let micros = micros.parse().ok().filter(|_| micros.len() == 6).map(TimeDelta::microseconds);
        let time =
            NaiveDateTime::parse_from_str(seconds, "%Y%m%dT%H%M%S").ok()?.and_utc() + micros?;
        let (name, upload) = match name.split_once('#') {
            Some((name, upload)) => (name, Some(upload)),
            None => (name, None),
        };
        let number = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
        let part = name.strip_prefix("part-").and_then(|name| name.strip_suffix(".parquet"));
        let written = name == manifest::NAME || part.is_some_and(number);
        let version = VersionId::new(format!("{layer}/{relation}/{version}"));
        (written && upload.is_none_or(number)).then_some(Self {
            version,
            time,
            unfinished: upload.is_some(),
        })
    }
}

impl Garbage {
    /// What of `found` may go. A version's age is that of its youngest trace: its record, its name
    /// or one of its files.
    pub fn find(
        inventory: &Inventory,
        found: &[Found],
        uploads: Vec<(String, Unfinished)>,
        now: DateTime<Utc>,
        grace: Duration,
    ) -> Self {
        let grace = TimeDelta::from_std(grace).unwrap_or(TimeDelta::MAX);
        let placed = found.iter().filter_map(|found| Some((Place::parse(&found.path)?, found)));
        let placed: Vec<(Place, &Found)> = placed.collect();
        let mut newest: BTreeMap<&VersionId, DateTime<Utc>> = BTreeMap::new();
        let recorded = inventory.versions.values().map(|version| (&version.id, version.created));
        let in_files = placed.iter().map(|(p, found)| (&p.version, p.time.max(found.modified)));
        for (version, time) in recorded.chain(in_files) {
            let known = newest.entry(version).or_insert(time);
            *known = time.max(*known);
        }
        let young: BTreeSet<&VersionId> = newest
            .into_iter()
            .filter(|(_, time)| now.signed_duration_since(time) < grace)
            .map(|(version, _)| version)
            .collect();

        let needed = needed(inventory, &young);
        let gone = |version: &VersionId| !needed.contains(version);
        let kept = inventory.files.iter().filter(|(version, _)| !gone(version));
        let kept: HashSet<&String> = kept.flat_map(|(_, files)| files).collect();
        let reason = |place: &Place, found: &Found| {
            let on_record = inventory.versions.contains_key(&place.version);
            let spared = match on_record {
                true => !gone(&place.version) && !place.unfinished,
                false => young.contains(&place.version),
            };
            let is_young = now.signed_duration_since(found.modified) < grace;
            if spared || kept.contains(&found.path) || (place.unfinished && is_young) {
                return None;
            }
            Some(match (place.unfinished, on_record) {
                (true, _) => "unfinished upload",
                (false, false) => "of no recorded version",
                (false, true) => "of a version that was never published",
            })
        };
        let rubbish = |(place, found): &(Place, &Found)| {
            let reason = reason(place, found)?;
            Some(Rubbish { path: found.path.clone(), size: found.size, reason })
        };
        let mut objects: Vec<_> = placed.iter().filter_map(rubbish).collect();
        objects.sort();
        let versions = inventory.versions.keys();
        let versions = versions.filter(|id| gone(id) && !inventory.removed.contains(*id));
        let left = |(path, upload): &(String, Unfinished)| {
            Place::parse(path).is_some() && now.signed_duration_since(upload.begun) >= grace
        };
        let uploads = uploads.into_iter().filter(left).collect();
        Self { versions: versions.cloned().collect(), objects, uploads }
    }

    /// Number of objects and uploads.
    pub fn files(&self) -> u64 {
        (self.objects.len() + self.uploads.len()) as u64
    }

    /// Bytes of all objects; nobody knows those of uploads.
    pub fn bytes(&self) -> u64 {
        self.objects.iter().map(|object| object.size).sum()
    }

    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.versions.is_empty() && self.objects.is_empty() && self.uploads.is_empty()
    }
}

/// The versions that somebody needs, and all that they were made from.
fn needed<'a>(inventory: &'a Inventory, young: &BTreeSet<&VersionId>) -> BTreeSet<&'a VersionId> {
    let kept = inventory.versions.values().filter(|version| {
        let live = inventory.live.as_ref() == Some(&version.run);
        !inventory.removed.contains(&version.id)
            && (live || inventory.published.contains(&version.id) || young.contains(&version.id))
    });
    let mut waiting: Vec<&VersionId> = kept.map(|version| &version.id).collect();
    let mut needed = BTreeSet::new();
    while let Some(version) = waiting.pop() {
        if needed.insert(version) {
            let inputs = inventory.inputs.get(version).into_iter().flatten();
            waiting.extend(inputs.filter(|input| !inventory.removed.contains(*input)));
        }
    }
    needed
}

#[cfg(test)]
#[path = "garbage_tests.rs"]
mod tests;
