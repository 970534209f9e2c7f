//! Anomaly detection for Apache DataFusion: training as SQL aggregates, scoring as SQL
//! functions, metrics as SQL aggregates, and a generator of labelled network events.
//!
//! Any DataFusion application gets all of it with one call:
//!
//! ```
//! use datafusion::prelude::SessionContext;
//!
//! # #[allow(clippy::disallowed_methods)]
//! let ctx = SessionContext::new();
//! udfs::register_all(&ctx);
//! ```
//!
//! # Rooms
//! * [`detectors`], [`metrics`], [`network`], [`synthetic`]: pure algorithms. They know ndarray
//!   and linfa, never arrow, DataFusion or SQL.
//! * `aggregate`, `scalar`, `table`: one file per SQL function, thin adapters between Arrow and
//!   the pure rooms.
//! * `features`: the struct of features that those adapters share.
//! * [`doc`] and the catalogue: what a function says about itself, and the one list of them all.
//!
//! This crate never does I/O of its own: no files, no network, no clock, no environment.

mod aggregate;
mod catalogue;
pub mod detectors;
pub mod doc;
mod features;
pub mod metrics;
pub mod network;
mod scalar;
pub mod synthetic;
mod table;

pub use catalogue::{Function, Implementation, functions, register_all};
