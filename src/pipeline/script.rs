//! Scripts: files in order, statements in order, each with its place and its syntax tree.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::sql::parser::{DFParserBuilder, Statement as Ast};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use super::diagnose::Place;
use crate::error::{Error, Result};

/// Folders in folders that are followed.
const MAX_DEPTH: usize = 16;

/// One statement of a script.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    /// Script, relative to the folder of the pipeline.
    pub(super) file: String,
    /// Sub-folder it comes from, without its number.
    pub(super) phase: String,
    /// First line, from 1.
    pub(super) line: u64,
    /// First column, in characters from 1.
    pub(super) column: u64,
    /// Text of the whole script.
    pub(super) script: Arc<str>,
    /// Text as written, without the semicolon and the comments around it.
    pub(super) sql: String,
    /// Syntax tree; its places are those in the file.
    pub(super) ast: Ast,
}

impl Statement {
    /// A place in its script.
    pub(super) fn place(&self, line: u64, column: u64) -> Place<'_> {
        Place::new(&self.file, &self.script, line, column)
    }
}

/// Reads the scripts at `path` (a folder or one file), which belong to the pipeline in `root`.
pub(super) fn read(root: &Path, path: &Path) -> Result<Vec<Statement>> {
    let mut statements = vec![];
    for file in files(path, MAX_DEPTH)? {
        let text = std::fs::read_to_string(&file).map_err(|error| {
            Error::configuration(format!("cannot read {}", file.display())).with_source(error)
        })?;
        let name = file.strip_prefix(root).unwrap_or(&file);
        let text = text.trim_start_matches('\u{feff}');
        statements.extend(parse(&name.to_string_lossy(), text)?);
    }
    if statements.is_empty() {
        return Err(Error::configuration(format!("no SQL statements in {}", path.display()))
            .with_hint("a pipeline is a folder of .sql files, in sub-folders by phase"));
    }
    Ok(statements)
}

/// Parses one script into statements.
pub(super) fn parse(file: &str, text: &str) -> Result<Vec<Statement>> {
    let tokens =
        Tokenizer::new(&GenericDialect {}, text).tokenize_with_location().map_err(|error| {
            Error::sql(format!("{file} is not valid SQL"))
                .at(Place::new(file, text, error.location.line, error.location.column).render())
                .with_source(error)
        })?;
    let script: Arc<str> = text.into();
    let offsets = line_offsets(text);
    let mut statements = vec![];
    for statement in tokens.split(|token| token.token == Token::SemiColon) {
        let Some((first, last)) = ends(statement) else {
            continue;
        };
        let start = offset(text, &offsets, first.span.start.line, first.span.start.column);
        let end = offset(text, &offsets, last.span.end.line, last.span.end.column);
        let sql = text.get(start..end).unwrap_or_default();
        // Padding keeps the places of the tree those of the file.
        let (line, column) = (first.span.start.line, first.span.start.column);
        let padded =
            format!("{}{}{sql}", "\n".repeat(line as usize - 1), " ".repeat(column as usize - 1));
        let parsed = DFParserBuilder::new(padded.as_str())
            .with_dialect(&GenericDialect {})
            .build()
            .and_then(|mut parser| parser.parse_statements());
        let ast =
            parsed.map_err(|error| syntax_error(file, text, last.span.end, error))?.pop_front();
        let Some(ast) = ast else { continue };
        statements.push(Statement {
            file: file.to_owned(),
            phase: phase(file),
            line,
            column,
            script: Arc::clone(&script),
            sql: sql.to_owned(),
            ast,
        });
    }
    Ok(statements)
}

fn syntax_error(
    file: &str,
    text: &str,
    end: Location,
    error: datafusion::error::DataFusionError,
) -> Error {
    let message = error.strip_backtrace();
    let message = message.strip_prefix("SQL error: ").unwrap_or(&message);
    let message = message.trim_start_matches("ParserError(\"").trim_end_matches("\")");
    // The parser puts its place at the end of its text.
    let (message, place) = match message.rsplit_once(" at Line: ") {
        Some((message, place)) => {
            let mut numbers = place.split(", Column: ").filter_map(|n| n.trim().parse().ok());
            (message, (numbers.next().unwrap_or(end.line), numbers.next().unwrap_or(1)))
        }
        // It knows no place for an end that came too early.
        None => (message, (end.line, end.column)),
    };
    Error::sql(format!("syntax error: {message}"))
        .at(Place::new(file, text, place.0, place.1).render())
}

/// First and last token of a statement that are not blank or comment.
fn ends(tokens: &[TokenWithSpan]) -> Option<(&TokenWithSpan, &TokenWithSpan)> {
    let solid = |token: &&TokenWithSpan| !matches!(token.token, Token::Whitespace(_) | Token::EOF);
    Some((tokens.iter().find(solid)?, tokens.iter().rfind(solid)?))
}

fn line_offsets(text: &str) -> Vec<usize> {
    let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
    std::iter::once(0).chain(breaks.map(|(i, _)| i + 1)).collect()
}

/// Byte offset of a line and column (in characters), both from 1.
fn offset(text: &str, lines: &[usize], line: u64, column: u64) -> usize {
    let start = lines.get(line as usize - 1).copied().unwrap_or(text.len());
    let rest = text.get(start..).unwrap_or_default();
    let inside = rest.char_indices().nth(column as usize - 1).map_or(rest.len(), |(i, _)| i);
    start + inside
}

/// All `.sql` files below a path in the order they run: names with numbers in front by number.
fn files(path: &Path, depth: usize) -> Result<Vec<PathBuf>> {
    if depth == 0 {
        return Err(Error::configuration(format!("{} is nested too deeply", path.display()))
            .with_hint("is there a link to a folder above?"));
    }
    if path.is_file() {
        return Ok(vec![path.to_path_buf()]);
    }
    let unreadable = |error: std::io::Error| {
        Error::configuration(format!("cannot read the folder {}", path.display()))
            .with_source(error)
    };
    let entries = std::fs::read_dir(path).map_err(unreadable)?;
    let mut entries: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(unreadable)?;
    entries.retain(|path| !base(path).starts_with('.'));
    entries.sort_by(|a, b| in_order(base(a), base(b)));
    let mut scripts = vec![];
    for entry in entries {
        if entry.is_dir() {
            scripts.extend(files(&entry, depth - 1)?);
        } else if entry.extension().is_some_and(|end| end.eq_ignore_ascii_case("sql")) {
            scripts.push(entry);
        }
    }
    Ok(scripts)
}

fn base(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

fn in_order(a: &str, b: &str) -> Ordering {
    let number = |name: &str| -> Option<u64> {
        let end = name.find(|c: char| !c.is_ascii_digit()).unwrap_or(name.len());
        name[..end].parse().ok()
    };
    match (number(a), number(b)) {
        (Some(x), Some(y)) => x.cmp(&y).then_with(|| a.cmp(b)),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.cmp(b),
    }
}

/// `1_ingestion/2_flows.sql` belongs to `ingestion`; a script beside the folders to `main`.
fn phase(file: &str) -> String {
    match file.split_once('/') {
        None => "main".into(),
        Some((folder, _)) => folder
            .trim_start_matches(|c: char| c.is_ascii_digit())
            .trim_start_matches(['_', '-'])
            .to_owned(),
    }
}

#[cfg(test)]
#[path = "script_tests.rs"]
mod tests;
