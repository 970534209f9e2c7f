//! The audit store: which run made what, from what, how, and which version is current.
//!
//! It is the catalog of the warehouse too: a run's versions become visible by one transaction
//! here ([`AuditStore::publish`]). SQLite and PostgreSQL share the schema, the SQL and one
//! conformance suite; a backend only runs statements.
//!
//! This room never touches DataFusion, the object store or the terminal.

mod records;

pub use records::*;
