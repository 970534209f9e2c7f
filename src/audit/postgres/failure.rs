//! What a failure of PostgreSQL means for the caller, and whether trying again is safe and useful.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use tokio_postgres::error::SqlState;

use crate::error::{Error, ErrorKind, chain};

/// How work over a connection failed.
pub(super) enum Failure {
    /// PostgreSQL said no, or the connection broke.
    Postgres(tokio_postgres::Error),
    /// No answer came in time: the connection is as good as broken.
    Silence(Duration),
    /// We said no.
    Ours(Error),
    /// The connection broke while the answer to `COMMIT` was awaited: all or nothing was changed.
    AtCommit(Box<Self>),
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

impl Failure {
    /// The failure of a `COMMIT`. Where the server answered, nothing was changed.
    pub(super) fn at_commit(self) -> Self {
        match &self {
            Self::Postgres(error) if !is_lost(error) => self,
            Self::Ours(_) => self,
            _ => Self::AtCommit(Box::new(self)),
        }
    }

    /// The failure itself, without the doubt about a commit.
    pub(super) fn certain(self) -> Self {
        match self {
            Self::AtCommit(failure) => *failure,
            other => other,
        }
    }

    /// Whether another connection, now or in a moment, may do better.
    pub(super) fn is_outage(&self) -> bool {
        match self {
            Self::Postgres(error) => {
                is_lost(error) || has(error, SqlState::READ_ONLY_SQL_TRANSACTION)
            }
            Self::Silence(_) | Self::AtCommit(_) => true,
            Self::Ours(_) => false,
        }
    }

    /// Whether the user lacks a right.
    pub(super) fn is_denied(&self) -> bool {
        matches!(self, Self::Postgres(error) if has(error, SqlState::INSUFFICIENT_PRIVILEGE))
    }
}

fn has(error: &tokio_postgres::Error, code: SqlState) -> bool {
    error.code() == Some(&code)
}

/// Whether the connection broke, rather than a statement.
fn is_lost(error: &tokio_postgres::Error) -> bool {
    let broken = || error.source().is_some_and(|source| source.is::<io::Error>());
    error.is_closed() || broken() || error.code().is_some_and(is_outage)
}

/// Classes 08 (connection exception, and all that PgBouncer has to say) and 57P (shutdown,
/// starting up).
fn is_outage(code: &SqlState) -> bool {
    code.code().starts_with("08") || code.code().starts_with("57P")
}

/// Whether a server that refused a connection may take it in a moment: it is starting, or has no
/// connection left.
pub(super) fn is_busy(error: &tokio_postgres::Error) -> bool {
    let code = error.code().map(SqlState::code).unwrap_or_default();
    code.starts_with("57P") || code == "53300" || (code.starts_with("08") && !is_refusal(error))
}

/// PgBouncer has one code for everything: its text tells what will not change by waiting.
fn is_refusal(error: &tokio_postgres::Error) -> bool {
    let text = error.as_db_error().map(|answer| answer.message()).unwrap_or_default();
    ["unsupported startup parameter", "no such database", "no such user"]
        .iter()
        .any(|refusal| text.contains(refusal))
}

/// The error of opening a connection. An answer of the server has a code; without one the network,
/// a certificate or the URL is at fault.
pub(super) fn unreachable(error: tokio_postgres::Error) -> Error {
    if let Some(code) = error.code().map(SqlState::code) {
        let new = match code {
            _ if is_refusal(&error) => Error::configuration(
                "the pooler in front of PostgreSQL refuses the connection",
            )
            .with_hint(
                "use `schema=NAME` instead of `options=…`, and a database and a user that it knows",
            ),
            _ if code.starts_with("08") => {
                Error::io("PostgreSQL, or the pooler in front of it, refuses the connection")
            }
            _ if code.starts_with("57P") => Error::io("PostgreSQL is starting or stopping"),
            _ => return error.into(),
        };
        return new.with_source(error);
    }
    if let Some(tls) = tls_error(&error) {
        return match tls {
            rustls::Error::InvalidCertificate(reason) => {
                Error::configuration("the certificate of PostgreSQL is not accepted")
                    .with_hint(certificate_hint(reason))
                    .with_source(tls.clone())
            }
            _ => Error::configuration("PostgreSQL and this pipeline do not agree on TLS")
                .with_source(tls.clone()),
        };
    }
    let no_tls = |source: &(dyn std::error::Error + 'static)| {
        source.to_string() == "server does not support TLS"
    };
    if error.source().is_some_and(no_tls) {
        return Error::configuration("PostgreSQL does not offer TLS, which sslmode demands")
            .with_hint(
                "switch `ssl` on in the server, or use sslmode=prefer inside a trusted network",
            );
    }
    let new = if is_lost(&error) || error.source().is_none() {
        Error::io("PostgreSQL cannot be reached")
    } else {
        Error::configuration("PostgreSQL cannot be used with this URL")
    };
    new.with_source(error)
}

/// Where encryption itself failed. An I/O error hides what it was made of from the chain.
fn tls_error(error: &tokio_postgres::Error) -> Option<&rustls::Error> {
    chain(error).into_iter().find_map(|cause| {
        let inner = cause.downcast_ref::<io::Error>()?.get_ref()?;
        inner.downcast_ref::<rustls::Error>()
    })
}

fn certificate_hint(reason: &rustls::CertificateError) -> &'static str {
    use rustls::CertificateError::{NotValidForName, NotValidForNameContext, UnknownIssuer};
    match reason {
        UnknownIssuer => "name the certificate of its authority with sslrootcert=PATH",
        NotValidForName | NotValidForNameContext { .. } => {
            "connect to a name that is in the certificate, or use sslmode=verify-ca"
        }
        _ => "renew the certificate of the server",
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        let code = error.code().map(SqlState::code).unwrap_or_default();
        let new = match code {
            _ if is_lost(&error) => Self::io("the connection to PostgreSQL was lost"),
            "25006" => Self::io("PostgreSQL takes no changes: it is read-only")
                .with_hint("after a failover, name all servers: postgresql://USER@A,B/DATABASE?target_session_attrs=read-write"),
            "53100" => Self::io("PostgreSQL has no disk space left")
                .with_hint("make room on the disk of the server, then run again"),
            "53300" => Self::io("PostgreSQL has no connection left for this user")
                .with_hint("close idle connections, raise the limit, or put a pooler in front"),
            "55P03" | "40P01" => Self::io("the audit store was busy for too long")
                .with_hint("another process holds a lock in it; try again"),
            "57014" => Self::io("PostgreSQL cancelled a statement of the audit store: it took too long")
                .with_hint("look for what holds it up in pg_stat_activity; `statement_timeout=5min` in the URL gives it more time"),
            "3D000" => Self::configuration("PostgreSQL has no such database"),
            "42501" => Self::configuration("PostgreSQL denies access to the tables")
                .with_hint("grant what k8s/postgres/roles.sql grants, for example by running it again"),
            _ if code.starts_with("28") => Self::configuration("PostgreSQL refuses the user"),
            _ if code.starts_with("53") => Self::io("PostgreSQL is out of resources"),
            _ if code.starts_with("58") || code.starts_with("XX") => {
                Self::io("PostgreSQL has failed").with_hint("look into the log of the server")
            }
            _ => Self::internal("the audit store refused a statement"),
        };
        new.with_source(error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Postgres(error) => error.into(),
            Failure::Silence(limit) => Self::io(format!(
                "PostgreSQL did not answer within {}",
                humantime::format_duration(limit)
            )),
            Failure::Ours(error) => error,
            Failure::AtCommit(failure) => in_doubt((*failure).into()),
        }
    }
}

/// The error of a change that was sent whole, but never confirmed.
pub(super) fn in_doubt(cause: Error) -> Error {
    Error::new(
        ErrorKind::Io,
        "the connection to PostgreSQL was lost in a commit: the change may have been made",
    )
    .with_source(cause)
}
