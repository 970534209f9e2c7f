//! `--from`, `--until` and `--select`: which statements of a pipeline to run.

use datafusion::common::TableReference;
use datafusion::sql::parser::Statement as Ast;
use datafusion::sql::sqlparser::ast::{Statement as Tree, TableObject};

use super::diagnose::closest;
use super::script::Statement;
use crate::error::{Error, Result};
use crate::warehouse::Relation;

/// A choice of statements. Each text names a phase (`training`), a folder or file
/// (`3_training`, `3_training/1_train.sql`), or a relation (`silver.flows`).
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// From the first statement that matches.
    pub from: Option<String>,
    /// Until the last statement that matches.
    pub until: Option<String>,
    /// Only the statements that match one of these.
    pub select: Vec<String>,
}

impl Selection {
    /// The chosen statements in order.
    pub(super) fn apply(&self, statements: Vec<Statement>) -> Result<Vec<Statement>> {
        for (flag, text) in self.texts() {
            if !statements.iter().any(|statement| matches(statement, text)) {
                let names: Vec<String> = statements.iter().flat_map(names).collect();
                let error = Error::configuration(format!("{flag} {text}: no statement matches"));
                return Err(match closest(text, &names) {
                    Some(name) => error.with_hint(format!("did you mean `{name}`?")),
                    None => error.with_hint("name a phase, a script or a relation, for example `training`, `3_training` or `models.isolation_forest`"),
                });
            }
        }
        let position = |text: &String, last: bool| {
            let mut hits =
                statements.iter().enumerate().filter(|(_, s)| matches(s, text)).map(|(i, _)| i);
            if last { hits.next_back() } else { hits.next() }
        };
        let from = self.from.as_ref().and_then(|text| position(text, false)).unwrap_or(0);
        let until = self.until.as_ref().and_then(|text| position(text, true)).unwrap_or(usize::MAX);
        let chosen = |statement: &Statement| {
            self.select.is_empty() || self.select.iter().any(|text| matches(statement, text))
        };
        let statements: Vec<_> = statements
            .into_iter()
            .enumerate()
            .filter(|(i, statement)| (from..=until).contains(i) && chosen(statement))
            .map(|(_, statement)| statement)
            .collect();
        match statements.is_empty() {
            true => Err(Error::configuration("no statement is left to run").with_hint(
                "--from must name something before --until, and --select something between",
            )),
            false => Ok(statements),
        }
    }

    fn texts(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let from = self.from.iter().map(|text| ("--from", text));
        let until = self.until.iter().map(|text| ("--until", text));
        from.chain(until).chain(self.select.iter().map(|text| ("--select", text)))
    }
}

fn matches(statement: &Statement, text: &str) -> bool {
    let text = text.trim_end_matches('/');
    names(statement).iter().any(|name| name == text)
}

/// Everything a statement can be called: its phase, its folders, its file, its relation.
fn names(statement: &Statement) -> Vec<String> {
    let file = &statement.file;
    let folders = file.match_indices('/').map(|(end, _)| file[..end].to_owned());
    let mut names: Vec<String> = folders.collect();
    names.extend([statement.phase.clone(), file.clone(), file.trim_end_matches(".sql").to_owned()]);
    names.extend(target(&statement.ast));
    names
}

/// The relation that a statement writes, by its syntax alone; its text where it is none.
pub(super) fn target(ast: &Ast) -> Option<String> {
    let Ast::Statement(tree) = ast else { return None };
    let name = match tree.as_ref() {
        Tree::CreateTable(table) => Some(&table.name),
        Tree::CreateView(view) => Some(&view.name),
        Tree::Drop { names, .. } => names.first(),
        Tree::Insert(insert) => match &insert.table {
            TableObject::TableName(name) => Some(name),
            _ => None,
        },
        _ => None,
    }?;
    let relation = Relation::of(&TableReference::from(name.to_string()));
    Some(relation.map_or_else(|| name.to_string(), |relation| relation.to_string()))
}

/// What a statement is about, in a word or two: the relation it writes, else its first words.
pub(super) fn subject(ast: &Ast) -> String {
    target(ast).unwrap_or_else(|| {
        let text = ast.to_string().to_uppercase();
        let words: Vec<_> = text.split([' ', '(', '\n']).take(2).collect();
        match words.as_slice() {
            ["CREATE" | "DROP" | "ALTER" | "EXPLAIN", second] => format!("{} {second}", words[0]),
            [first, ..] => (*first).to_owned(),
            [] => String::new(),
        }
    })
}
