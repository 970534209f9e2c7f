//! The one error of the driver: what failed, in what context, why, and what to try.
//!
//! An [`Error`] crosses DataFusion as [`DataFusionError::External`] and is recovered by downcast,
//! so that a decision (exit code, retry) reads a type and never a text.

use std::error::Error as StdError;
use std::fmt;

use datafusion::error::DataFusionError;

/// What the caller can do about an error. Decides the exit code, which is an API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// An `ASSERT` said no: the data is not what the pipeline promises.
    AssertionFailed,
    /// The command line or a configuration file is wrong. Do not retry.
    Configuration,
    /// A SQL script is wrong. Do not retry.
    Sql,
    /// The data cannot be processed as it is: a malformed row, a foreign model value. Do not retry.
    Data,
    /// A service or the file system failed: unreachable, full, refused. A retry may help.
    Io,
    /// Another run holds the warehouse, or took it over. A retry may help.
    Conflict,
    /// A memory or disk limit was reached. A retry with a higher limit may help.
    Resources,
    /// The user or the scheduler stopped the run.
    Cancelled,
    /// Our bug.
    Internal,
}

impl ErrorKind {
    /// The exit code of a process that ends with this error.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::AssertionFailed => 1,
            Self::Configuration | Self::Sql | Self::Data => 2,
            Self::Io | Self::Conflict | Self::Resources => 3,
            Self::Cancelled => 130,
            Self::Internal => 70,
        }
    }
}

/// Result with the driver's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the driver.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    context: Vec<(&'static str, String)>,
    hint: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind`; `message` says what failed and with which value.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            context: vec![],
            hint: None,
            source: None,
        }))
    }

    /// Wrong command line or configuration.
    pub fn configuration(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Configuration, message)
    }

    /// Wrong SQL.
    pub fn sql(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Sql, message)
    }

    /// A service or the file system failed.
    pub fn io(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Io, message)
    }

    /// Our bug.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// Adds where it happened, as an ordered key and value.
    pub fn with_context(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.0.context.push((key, value.into()));
        self
    }

    /// Adds the place in a script, in front of the other context.
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.0.context.insert(0, ("at", place.into()));
        self
    }

    /// Adds what the user can try. The first hint, nearest to the cause, is kept.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint.get_or_insert_with(|| hint.into());
        self
    }

    /// Adds the cause.
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The same error again without its causes, for a second place that tells it.
    pub fn repeat(&self) -> Self {
        let Inner { kind, message, context, hint, .. } = self.0.as_ref();
        let (message, context, hint) = (message.clone(), context.clone(), hint.clone());
        Self(Box::new(Inner { kind: *kind, message, context, hint, source: None }))
    }

    /// What the caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What failed.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Where it happened, outermost last.
    pub fn context(&self) -> &[(&'static str, String)] {
        &self.0.context
    }

    /// What the user can try.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The causes, outermost first. Many errors tell their cause's text too: then it is told once.
    fn causes(&self) -> Vec<String> {
        let mut causes: Vec<String> = vec![];
        for text in chain(self).into_iter().skip(1).map(ToString::to_string) {
            let told = |outer: &String| outer.contains(&text);
            if !self.0.message.contains(&text) && !causes.iter().any(told) {
                causes.push(text.replace("\ncaused by\n", ": "));
            }
        }
        causes
    }

    /// The full story on several lines, as the terminal shows it: the message, where, the causes,
    /// the hint.
    pub fn report(&self) -> String {
        let mut text = format!("error: {}", self.0.message);
        for (key, value) in &self.0.context {
            text.push_str(&format!("\n  {key}: {value}"));
        }
        for cause in self.causes() {
            text.push_str(&format!("\n  cause: {cause}"));
        }
        if let Some(hint) = &self.0.hint {
            text.push_str(&format!("\nhint: {hint}"));
        }
        text
    }
}

/// An error and its causes, outermost first.
pub fn chain<'a>(error: &'a (dyn StdError + 'static)) -> Vec<&'a (dyn StdError + 'static)> {
    // An I/O error made from another one gives that one's cause as its own.
    let cause = |error: &'a (dyn StdError + 'static)| match error.downcast_ref::<std::io::Error>() {
        Some(io) => io.get_ref().map(|inner| inner as _).or_else(|| error.source()),
        None => error.source(),
    };
    let mut chain = vec![error];
    let mut next = cause(error);
    while let Some(error) = next {
        chain.push(error);
        next = cause(error);
    }
    chain
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<Error> for DataFusionError {
    fn from(error: Error) -> Self {
        Self::External(Box::new(error))
    }
}
