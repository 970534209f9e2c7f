//! The manifest beside each version: enough to rebuild the catalog from the warehouse alone, and
//! to say what changed since.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::store::Store;
use crate::audit::{FileRecord, LineageRecord, VersionId, VersionRecord};
use crate::error::{Error, Result};

/// Name of its file.
pub(super) const NAME: &str = "_manifest.json";

/// What made a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepManifest {
    /// Script file and line.
    pub at: String,
    /// The statement as written.
    pub sql: String,
    /// Hash of its canonical text.
    pub sql_hash: String,
    /// The parameters it uses, as SQL literals.
    pub parameters: BTreeMap<String, String>,
    /// Engine and function versions, and session settings made by earlier statements.
    pub engine: Vec<String>,
}

/// The manifest of one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version.
    pub version: VersionRecord,
    /// Its files.
    pub files: Vec<FileRecord>,
    /// Its direct inputs.
    pub inputs: Vec<LineageRecord>,
    /// What made it.
    pub step: StepManifest,
}

impl Manifest {
    /// Writes it into the folder of its version; gives the BLAKE3 of its bytes, hex.
    pub async fn write(&self, store: &Store) -> Result<String> {
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| Error::internal("a manifest cannot be written").with_source(error))?;
        let digest = digest(&text);
        store.write(&path(&self.version.id), text).await?;
        Ok(digest)
    }

    /// Reads the manifest of a version.
    pub async fn read(store: &Store, version: &VersionId) -> Result<Self> {
        let text = store.read(&path(version)).await?;
        serde_json::from_slice(&text).map_err(|error| {
            Error::io(format!("the manifest of {version} is damaged")).with_source(error)
        })
    }
}

/// BLAKE3 of a manifest, hex.
pub(super) fn digest(text: &[u8]) -> String {
    blake3::hash(text).to_hex().to_string()
}

pub(super) fn path(version: &VersionId) -> String {
    format!("{version}/{NAME}")
}
