//! One conformance suite for each service that the driver can use in several kinds: every test
//! runs against every backend, PostgreSQL being a real server that `tests/run` starts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may fail loudly")]

#[path = "../common/mod.rs"]
mod common;
mod fixture;
mod leases;
mod log;
mod migrations;
mod postgres;
mod publish;
mod readers;
mod roles;
mod runs;
mod samples;
mod sqlite;
mod tls;
mod views;

/// Turns `async fn name(store: Fixture)` into one test for each backend.
macro_rules! conformance {
    ($($name:ident,)+) => {
        mod on_sqlite {
            $(#[tokio::test]
            async fn $name() {
                crate::fixture::with_sqlite(super::$name).await;
            })+
        }
        mod on_postgres {
            $(#[tokio::test]
            async fn $name() {
                crate::fixture::with_postgres(super::$name).await;
            })+
        }
        mod on_pooler {
            $(#[tokio::test]
            async fn $name() {
                crate::fixture::with_pooler(super::$name).await;
            })+
        }
    };
}
use conformance;
