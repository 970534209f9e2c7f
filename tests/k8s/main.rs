//! Kubernetes without a cluster: what the overlays render to, and the contract of the container,
//! kept by the built program in the root folder of its image.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may fail loudly")]

#[path = "../common/mod.rs"]
mod common;
mod container;
mod database;
mod image;
mod objects;
mod overlays;
mod security;
