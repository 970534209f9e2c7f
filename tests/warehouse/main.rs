//! One conformance suite for every store that a warehouse can be in: a local disk, and each S3
//! server that `tests/run` starts. Then what S3 alone has: credentials, uploads in parts, buckets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may fail loudly")]

#[path = "../common/mod.rs"]
mod common;
mod credentials;
mod runs;
mod sources;
mod store;
mod tls;
mod uploads;
