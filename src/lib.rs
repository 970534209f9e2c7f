//! pipeline: a SQL-centric MLOps pipeline that finds anomalies in network events.
//!
//! The way of the data is one line: settings -> stores, audit store, session -> scripts -> steps
//! -> check -> run each step (plan, execute, write a version, record it) -> publish. No room is
//! visited twice.

pub mod audit;
pub mod cli;
pub mod config;
pub mod error;
pub mod pipeline;
pub mod session;
pub mod telemetry;
pub mod warehouse;
