//! The warehouse: immutable versions of relations as Parquet files, and the sources beside them.
//!
//! Files are written under paths never used before; nothing is visible until the audit store
//! says so. This room writes no audit record and never ends a run.

mod audit_tables;
mod catalog;
mod debris;
mod digest;
mod fingerprint;
mod garbage;
mod head;
mod inputs;
mod inspect;
mod landing;
mod listing;
mod malformed;
mod manifest;
mod parquet;
mod relation;
mod schema;
mod schemas;
mod source_schema;
mod store;
mod table;
mod writer;

pub(crate) use catalog::CATALOG;
pub use catalog::{Catalog, Entry};
pub use fingerprint::{Fingerprint, RowSum};
pub use garbage::{Found, Garbage, Rubbish};
pub use head::{HEAD, read_head, write_head};
pub use inputs::{Input, Unknown};
pub use inspect::{Inspected, inspect_file, inspect_manifest, inspect_rows};
pub use landing::Landing;
pub use manifest::{Manifest, StepManifest};
pub use relation::{Layer, Relation};
pub(crate) use schema::to_json as schema_json;
pub(crate) use store::store_failure;
pub use store::{Store, Stores, Unfinished};
pub use table::VersionTable;
pub use writer::{Progress, WrittenVersion, write_table};
