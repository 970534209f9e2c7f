//! From an error of the engine to one a user can act on: what failed, in which file and line,
//! what was meant.

use datafusion::common::{Column, SchemaError};
use datafusion::error::DataFusionError;
use datafusion::object_store;
use datafusion::parquet::errors::ParquetError;

use super::script::Statement;
use crate::error::{Error, ErrorKind, chain};
use crate::warehouse::store_failure;

/// A place in a script.
#[derive(Debug, Clone)]
pub(super) struct Place<'a> {
    file: &'a str,
    line: u64,
    column: u64,
    source_line: &'a str,
}

impl<'a> Place<'a> {
    /// A line and column of a file's text, both from 1.
    pub(super) fn new(file: &'a str, text: &'a str, line: u64, column: u64) -> Self {
        let source_line = text.lines().nth((line as usize).saturating_sub(1)).unwrap_or_default();
        Self { file, line, column, source_line }
    }

    /// `file:line:column` with the line and a caret under the place.
    pub(super) fn render(&self) -> String {
        let number = self.line.to_string();
        let gutter = " ".repeat(number.len());
        let indent = " ".repeat((self.column as usize).saturating_sub(1));
        format!(
            "{}:{}:{}\n    {gutter} |\n    {number} | {}\n    {gutter} | {indent}^",
            self.file, self.line, self.column, self.source_line
        )
    }
}

/// The engine's error, as one of a statement. `names` are the relations it could have meant.
pub(super) fn explain(error: DataFusionError, statement: &Statement, names: &[String]) -> Error {
    let contexts = contexts(&error);
    let place = match contexts.is_empty() {
        true => position(&error, statement),
        // The place is one in a stored query, not in the script.
        false => statement.place(statement.line, statement.column).render(),
    };
    let error = translate(error, names).at(place);
    contexts.into_iter().fold(error, |error, text| error.with_context("in", text))
}

/// The engine's error without a place, as one of the driver.
pub(super) fn translate(error: DataFusionError, names: &[String]) -> Error {
    let error = match own(error) {
        // The warehouse says what it could not write.
        Ok(own) if storage_is_full(&own) => return own.with_hint(FREE_SPACE),
        Ok(own) => return own,
        Err(error) => error,
    };
    if let Some(storage) = storage(&error) {
        return storage;
    }
    match error.find_root() {
        DataFusionError::SchemaError(cause, _) => match cause.as_ref() {
            SchemaError::FieldNotFound { field, valid_fields } => {
                unknown_column(field, valid_fields)
            }
            other => Error::sql(other.to_string()),
        },
        DataFusionError::Plan(message) => plan_error(message, names),
        DataFusionError::SQL(cause, _) => Error::sql(cause.to_string()),
        DataFusionError::NotImplemented(message) => {
            Error::sql(format!("DataFusion does not support this: {message}"))
        }
        DataFusionError::Configuration(message) => Error::sql(message.clone()),
        DataFusionError::ResourcesExhausted(message) => {
            // The engine lists the largest consumers on lines of their own.
            let message = message.lines().map(str::trim).collect::<Vec<_>>().join(" ");
            Error::new(ErrorKind::Resources, format!("out of memory or disk: {message}")).with_hint(
                "raise --memory-limit, or lower --partitions; --temp-dir says where spill files go",
            )
        }
        DataFusionError::ArrowError(cause, _) => Error::new(ErrorKind::Data, cause.to_string()),
        DataFusionError::Internal(message) => {
            let message = message.lines().next().unwrap_or(message);
            Error::internal(format!("the engine failed: {message}"))
                .with_hint("please report this with the statement")
        }
        DataFusionError::ExecutionJoin(cause) => {
            Error::internal("a task of the engine ended unexpectedly")
                .with_source(cause.to_string())
        }
        root => with_own_hint(ErrorKind::Data, &root.message()),
    }
}

/// Functions put their hint behind their message.
pub(super) fn with_own_hint(kind: ErrorKind, message: &str) -> Error {
    match message.split_once("; hint: ") {
        Some((message, hint)) => Error::new(kind, message).with_hint(hint),
        None => Error::new(kind, message),
    }
}

/// Recovers our own error where it crossed the engine.
fn own(error: DataFusionError) -> Result<Error, DataFusionError> {
    match error {
        DataFusionError::External(cause) => {
            cause.downcast::<Error>().map(|own| *own).map_err(DataFusionError::External)
        }
        DataFusionError::Context(text, cause) => {
            own(*cause).map_err(|cause| DataFusionError::Context(text, Box::new(cause)))
        }
        DataFusionError::Diagnostic(diagnostic, cause) => {
            own(*cause).map_err(|cause| DataFusionError::Diagnostic(diagnostic, Box::new(cause)))
        }
        other => Err(other),
    }
}

/// How the catalog introduces stored queries.
const STORED: [&str; 2] = ["view ", "the query of source "];

/// The stored queries that the engine was in: `view silver.a cannot be read any more`.
fn contexts(error: &DataFusionError) -> Vec<String> {
    chain(error)
        .into_iter()
        .filter_map(|cause| match cause.downcast_ref::<DataFusionError>() {
            Some(DataFusionError::Context(text, _))
                if STORED.iter().any(|start| text.starts_with(start)) =>
            {
                Some(text.clone())
            }
            _ => None,
        })
        .collect()
}

const FREE_SPACE: &str = "free some space; nothing was published, and the next run resumes";

fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

fn storage_is_full(error: &Error) -> bool {
    chain(error).into_iter().filter_map(|cause| cause.downcast_ref()).any(is_full)
}

/// A failure of the object store or of the file system anywhere in the chain, or our own error where
/// something of the engine is around it.
fn storage(error: &DataFusionError) -> Option<Error> {
    let causes = chain(error);
    if let Some(own) = causes.iter().find_map(|cause| cause.downcast_ref::<Error>()) {
        return Some(own.repeat());
    }
    if let Some(failure) = store_failure(error, "reading or writing failed") {
        return Some(failure);
    }
    // The innermost: outer ones only carry others.
    let io = causes.iter().rev().find_map(|cause| cause.downcast_ref::<std::io::Error>());
    let store = causes.iter().find_map(|cause| cause.downcast_ref::<object_store::Error>());
    let parquet = causes.iter().find_map(|cause| cause.downcast_ref::<ParquetError>());
    // The store's text has the path, the system's the reason.
    let source = match (store, io, parquet) {
        (Some(store), ..) => store.to_string(),
        (None, Some(io), _) => io.to_string(),
        (None, None, Some(parquet)) => parquet.to_string(),
        (None, None, None) => return None,
    };
    let failed = match io {
        Some(io) if is_full(io) => Error::io("the disk is full").with_hint(FREE_SPACE),
        _ if store.is_some() || io.is_some() => Error::io("reading or writing failed"),
        _ => Error::io("a Parquet file cannot be read or written"),
    };
    Some(failed.with_source(source))
}

fn plan_error(message: &str, names: &[String]) -> Error {
    let message = message.trim();
    if let Some(table) =
        message.strip_prefix("table '").and_then(|rest| rest.strip_suffix("' not found"))
    {
        let table = table.strip_prefix("pipeline.").unwrap_or(table);
        let table = table.strip_prefix("public.").unwrap_or(table);
        let error = Error::sql(format!("there is no table or view `{table}`"));
        return match table.strip_prefix("landing.") {
            Some(source) => error.with_hint(format!(
                "configure it as [sources.{source}] or with `--source {source}=PATH`{}",
                closest(table, names)
                    .map(|name| format!("; did you mean `{name}`?"))
                    .unwrap_or_default()
            )),
            None => suggest(
                error,
                table,
                names,
                "it must be made by an earlier statement or be published",
            ),
        };
    }
    // "Invalid function 'x'.\nDid you mean 'y'?"
    match message.split_once(".\nDid you mean '") {
        Some((what, meant)) => {
            Error::sql(what.replace("Invalid function", "there is no function").replace('\'', "`"))
                .with_hint(format!("did you mean `{}`?", meant.trim_end_matches("'?")))
        }
        None => with_own_hint(ErrorKind::Sql, message),
    }
}

fn unknown_column(field: &Column, valid: &[Column]) -> Error {
    let names: Vec<String> = valid.iter().map(|column| column.name.clone()).collect();
    let error = Error::sql(format!("there is no column `{}`", field.flat_name()));
    let error = suggest(error, &field.name, &names, "");
    match names.is_empty() {
        true => error,
        false => error.with_context("columns", names.join(", ")),
    }
}

fn suggest(error: Error, name: &str, names: &[String], otherwise: &str) -> Error {
    match closest(name, names) {
        Some(name) => error.with_hint(format!("did you mean `{name}`?")),
        None if otherwise.is_empty() => error,
        None => error.with_hint(otherwise),
    }
}

/// The name that is nearly this one, where there is one: a typing error, another case, or the
/// same name in a layer.
pub(super) fn closest<'a>(name: &str, names: &'a [String]) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let close = |candidate: &&String| {
        let candidate_lower = candidate.to_lowercase();
        let last = candidate_lower.rsplit('.').next().unwrap_or_default();
        let allowed = (name.chars().count() + 1) / 3;
        (last == lower || strsim::damerau_levenshtein(&candidate_lower, &lower) <= allowed)
            && **candidate != name
    };
    names
        .iter()
        .filter(close)
        .min_by_key(|candidate| strsim::damerau_levenshtein(&candidate.to_lowercase(), &lower))
        .map(String::as_str)
}

/// Where in the script: the engine's span, else the word the error is about, else the statement.
fn position(error: &DataFusionError, statement: &Statement) -> String {
    let span = error.diagnostic().and_then(|diagnostic| diagnostic.span);
    let (line, column) = span
        .map(|span| (span.start.line, span.start.column))
        .or_else(|| find_word(&statement.script, statement.line, &word(error)?))
        .unwrap_or((statement.line, statement.column));
    statement.place(line, column).render()
}

fn word(error: &DataFusionError) -> Option<String> {
    match error.find_root() {
        DataFusionError::SchemaError(cause, _) => match cause.as_ref() {
            SchemaError::FieldNotFound { field, .. } => Some(field.name.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// Line and column of the first whole word at or below a line, all from 1.
fn find_word(text: &str, from: u64, word: &str) -> Option<(u64, u64)> {
    let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.lines().enumerate().skip(from as usize - 1).find_map(|(line, content)| {
        let whole = content.match_indices(word).find(|(at, _)| {
            !part(content[..*at].chars().next_back())
                && !part(content[at + word.len()..].chars().next())
        })?;
        Some((line as u64 + 1, content[..whole.0].chars().count() as u64 + 1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_shown_with_its_line_and_a_caret() {
        let place = Place::new("a.sql", "SELECT 1,\n  byts\nFROM t", 2, 3);
        assert_eq!(place.render(), "a.sql:2:3\n      |\n    2 |   byts\n      |   ^");
    }

    #[test]
    fn suggestions_know_typing_errors_case_and_layers() {
        let names = ["raw.events", "silver.flows", "src_ip", "Dur"].map(str::to_owned);
        assert_eq!(closest("silver.flow", &names), Some("silver.flows"));
        assert_eq!(closest("flows", &names), Some("silver.flows"));
        assert_eq!(closest("dur", &names), Some("Dur"));
        assert_eq!(closest("scr_ip", &names), Some("src_ip"));
        assert_eq!(closest("entirely_else", &names), None);
    }

    #[test]
    fn words_are_found_whole() {
        assert_eq!(find_word("bytes\nSELECT bytes_in,\n  bytes FROM t", 2, "bytes"), Some((3, 3)));
    }
}
