//! Why an object store failed, as a type that survives the engine: what was asked, what was
//! answered, and what the caller can do about it.

use std::error::Error as StdError;
use std::fmt;

use datafusion::object_store::client::{HttpError, HttpErrorKind};

use crate::error::{Error, ErrorKind, chain};

/// A request that failed.
#[derive(Debug)]
pub(super) struct Failure {
    /// Method and URL, without the query.
    pub(super) request: String,
    pub(super) reason: Reason,
}

/// How it failed.
#[derive(Debug)]
pub(super) enum Reason {
    /// The server answered, but not with what was asked for.
    Answer { status: u16, code: String, message: String },
    /// There was no answer, or only a part of one.
    Broken { kind: HttpErrorKind, text: String },
    /// The server is not who it says it is, or nobody known says so.
    Untrusted { text: String },
}

/// Codes in answers that say the same as others, or what status alone does not.
const WRONG_KEYS: [&str; 4] =
    ["InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "XAdminUserNotFound"];
const WRONG_REGION: [&str; 4] = [
    "PermanentRedirect",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "IncorrectEndpoint",
];

impl Reason {
    /// The reason of an error without a whole answer: its innermost cause.
    pub(super) fn of_broken(error: &(dyn StdError + 'static)) -> Self {
        let causes = chain(error);
        let text = causes.last().map_or_else(String::new, ToString::to_string);
        let untrusted = causes.iter().any(|cause| {
            matches!(cause.downcast_ref(), Some(rustls::Error::InvalidCertificate(_)))
        });
        if untrusted {
            return Self::Untrusted { text };
        }
        let http = causes.iter().find_map(|cause| cause.downcast_ref::<HttpError>());
        let kind = http.map_or(HttpErrorKind::Unknown, HttpError::kind);
        Self::Broken { kind, text }
    }
}

impl Failure {
    /// Whether asking again may help.
    pub(super) fn is_transient(&self) -> bool {
        match &self.reason {
            // 400 RequestTimeout: the body came too slowly.
            Reason::Answer { status, code, .. } => {
                matches!(status, 408 | 429 | 500 | 502 | 503 | 504) || code == "RequestTimeout"
            }
            Reason::Broken { .. } => true,
            Reason::Untrusted { .. } => false,
        }
    }

    fn kind(&self) -> ErrorKind {
        match &self.reason {
            Reason::Answer { status: 301 | 307 | 400 | 401 | 403 | 404, .. }
                if !self.is_transient() =>
            {
                ErrorKind::Configuration
            }
            Reason::Answer { .. } | Reason::Broken { .. } => ErrorKind::Io,
            Reason::Untrusted { .. } => ErrorKind::Configuration,
        }
    }

    fn hint(&self) -> &'static str {
        match &self.reason {
            _ if self.is_transient() => {
                "a retry may help; `timeout`, `max_retries` and `retry_deadline` in [s3] say for how long one run tries"
            }
            Reason::Untrusted { .. } => {
                "name the certificate of its authority as `ca_certificate` in [s3]"
            }
            Reason::Answer { code, .. } if code == "NoSuchBucket" => {
                "create the bucket, or correct the location"
            }
            Reason::Answer { code, .. } if code == "ExpiredToken" => {
                "the session of the credentials is over: renew them"
            }
            Reason::Answer { code, .. } if code == "RequestTimeTooSkewed" => {
                "the clock of this machine or of the server is wrong"
            }
            Reason::Answer { code, .. } if WRONG_KEYS.contains(&code.as_str()) => {
                "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the credentials file"
            }
            Reason::Answer { status: 301 | 307, .. } => WRONG_REGION_HINT,
            Reason::Answer { code, .. } if WRONG_REGION.contains(&code.as_str()) => {
                WRONG_REGION_HINT
            }
            Reason::Answer { status: 401 | 403, .. } => {
                "the credentials need the right to list and read there, and for a warehouse to write, to delete, and to list and abort uploads"
            }
            _ => "check the location, and `endpoint` and `path_style` in [s3]",
        }
    }
}

const WRONG_REGION_HINT: &str =
    "the bucket is in another region: set AWS_REGION or `region` in [s3]";

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.request)?;
        match &self.reason {
            Reason::Answer { status, code, message } => {
                write!(f, "{status}")?;
                if !code.is_empty() {
                    write!(f, " {code}")?;
                }
                if !message.is_empty() {
                    write!(f, ": {message}")?;
                }
                Ok(())
            }
            Reason::Broken { kind: HttpErrorKind::Timeout, .. } => f.write_str("no answer in time"),
            Reason::Broken { text, .. } | Reason::Untrusted { text } => f.write_str(text),
        }
    }
}

impl StdError for Failure {}

/// Whether an object store failed in a way that asking again may help.
pub(super) fn is_transient(error: &(dyn StdError + 'static)) -> bool {
    let causes = chain(error);
    let failure = causes.iter().find_map(|cause| cause.downcast_ref::<Failure>());
    failure.is_some_and(Failure::is_transient)
}

/// An error of the driver with this message, where an object store failed anywhere behind
/// `error`; its kind and hint are those of the failure. `None` where none did.
pub(crate) fn store_failure(
    error: &(dyn StdError + 'static),
    message: impl Into<String>,
) -> Option<Error> {
    let causes = chain(error);
    if let Some(own) = causes.iter().find_map(|cause| cause.downcast_ref::<Error>()) {
        let failure = Error::new(own.kind(), message).with_source(own.message().to_owned());
        return Some(match own.hint() {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        });
    }
    let failure = causes.iter().find_map(|cause| cause.downcast_ref::<Failure>())?;
    Some(
        Error::new(failure.kind(), message)
            .with_source(failure.to_string())
            .with_hint(failure.hint()),
    )
}

/// Like [`store_failure`]; where no object store failed that is known to, the error is I/O.
pub(crate) fn io_failure(
    error: impl StdError + Send + Sync + 'static,
    message: impl Into<String> + Clone,
) -> Error {
    store_failure(&error, message.clone()).unwrap_or_else(|| Error::io(message).with_source(error))
}
