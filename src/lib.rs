//! pipeline: a SQL-centric MLOps pipeline that finds anomalies in network events.
//!
//! The way of the data is one line: settings -> stores, audit store, session -> scripts -> steps
//! -> check -> run each step (plan, execute, write a version, record it) -> publish.

pub mod audit;
pub mod error;
