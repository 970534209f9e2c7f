//! What a failure of PostgreSQL means for the caller, and whether trying again is safe.

use std::error::Error as _;
use std::io;

use tokio_postgres::error::SqlState;

use crate::error::Error;

/// How a transaction failed.
pub(super) enum Failure {
    /// Nothing was changed.
    BeforeCommit(tokio_postgres::Error),
    /// Where the connection was lost, nobody knows whether all or nothing was changed.
    AtCommit(tokio_postgres::Error),
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::BeforeCommit(error)
    }
}

/// The error of opening a connection. An answer of the server has a code; without one the network
/// or the URL is at fault.
pub(super) fn unreachable(error: tokio_postgres::Error) -> Error {
    if error.code().is_some() {
        return error.into();
    }
    let new = if is_lost(&error) || error.source().is_none() {
        Error::io("PostgreSQL cannot be reached")
    } else {
        Error::configuration("PostgreSQL cannot be used with this URL")
    };
    new.with_source(error)
}

/// Whether the connection broke, rather than a statement.
pub(super) fn is_lost(error: &tokio_postgres::Error) -> bool {
    let broken = || error.source().is_some_and(|source| source.is::<io::Error>());
    error.is_closed() || broken() || error.code().is_some_and(is_outage)
}

/// Classes 08 (connection exception) and 57P (shutdown, starting up).
fn is_outage(code: &SqlState) -> bool {
    code.code().starts_with("08") || code.code().starts_with("57P")
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        let code = error.code().map(SqlState::code).unwrap_or_default();
        let new = match code {
            _ if is_lost(&error) => Self::io("the connection to PostgreSQL was lost"),
            "55P03" | "40P01" => Self::io("the audit store was busy for too long")
                .with_hint("another process holds a lock in it; try again"),
            "3D000" => Self::configuration("PostgreSQL has no such database"),
            "42501" => Self::configuration("PostgreSQL denies access to the tables"),
            _ if code.starts_with("28") => Self::configuration("PostgreSQL refuses the user"),
            _ if code.starts_with("53") => Self::io("PostgreSQL is out of resources"),
            _ => Self::internal("the audit store refused a statement"),
        };
        new.with_source(error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::AtCommit(e) if is_lost(&e) => Self::io(
                "the connection to PostgreSQL was lost in a commit: the change may have been made",
            )
            .with_source(e),
            Failure::BeforeCommit(e) | Failure::AtCommit(e) => e.into(),
        }
    }
}
