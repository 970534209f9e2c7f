//! What the store knows of the warehouse's files, and which of it somebody may still need.

use std::collections::{BTreeMap, BTreeSet};

use super::relations::{FILES, LEASES, LINEAGE, PUBLICATIONS, REMOVALS, VERSIONS};
use super::values::{FromRow, Row, values};
use super::{AuditStore, InputKind, RunId, VersionId, VersionRecord};
use crate::error::Result;

/// All versions and what they are needed for. Memory: some hundred bytes per version and file.
#[derive(Debug, Default, Clone)]
pub struct Inventory {
    /// Every version on record, removed ones included.
    pub versions: BTreeMap<VersionId, VersionRecord>,
    /// The paths of their files.
    pub files: BTreeMap<VersionId, Vec<String>>,
    /// Versions that readers have seen: published by some run.
    pub published: BTreeSet<VersionId>,
    /// The versions that each was made from, directly.
    pub inputs: BTreeMap<VersionId, Vec<VersionId>>,
    /// Versions that were removed.
    pub removed: BTreeSet<VersionId>,
    /// The run that holds the lease, where it has not expired.
    pub live: Option<RunId>,
}

impl AuditStore {
    /// Reads the inventory. Read it while holding the lease, or take it for a forecast.
    pub async fn inventory(&self) -> Result<Inventory> {
        let now = self.now().await?;
        let clause = "WHERE run IS NOT NULL AND expires > ?1";
        let live = self.select_first(&LEASES, clause, values![now]).await?.map(|Holder(run)| run);
        let versions: Vec<VersionRecord> = self.select(&VERSIONS, "", values![]).await?;
        let removed: Vec<Named> = self.select(&REMOVALS, "", values![]).await?;
        let clause = "WHERE version IS NOT NULL";
        let published: Vec<Named> = self.select(&PUBLICATIONS, clause, values![]).await?;
        let mut inventory = Inventory {
            versions: versions.into_iter().map(|version| (version.id.clone(), version)).collect(),
            published: published.into_iter().map(|Named(version)| version).collect(),
            removed: removed.into_iter().map(|Named(version)| version).collect(),
            live,
            ..Inventory::default()
        };
        for File { version, path } in self.select(&FILES, "", values![]).await? {
            inventory.files.entry(version).or_default().push(path);
        }
        let clause = "WHERE kind = ?1";
        let kind = values![InputKind::Version.as_str()];
        for Input { version, source } in self.select(&LINEAGE, clause, kind).await? {
            inventory.inputs.entry(version).or_default().push(source);
        }
        Ok(inventory)
    }
}

struct Holder(RunId);

impl FromRow for Holder {
    fn from_row(row: &Row) -> Result<Self> {
        row.get("run").map(Self)
    }
}

struct Named(VersionId);

impl FromRow for Named {
    fn from_row(row: &Row) -> Result<Self> {
        row.get("version").map(Self)
    }
}

struct File {
    version: VersionId,
    path: String,
}

impl FromRow for File {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self { version: row.get("version")?, path: row.get("path")? })
    }
}

struct Input {
    version: VersionId,
    source: VersionId,
}

impl FromRow for Input {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self { version: row.get("version")?, source: row.get("source")? })
    }
}
