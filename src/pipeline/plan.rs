//! What a statement means: which relation it writes, and the plan of the rows.

use datafusion::common::TableReference;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::SessionState;
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::{DdlStatement, LogicalPlan, Statement as PlanStatement, WriteOp};
use datafusion::sql::parser::{CopyToSource, Statement as Ast};
use datafusion::sql::sqlparser::ast::{Query, Statement as Tree};

use super::assertion::Assertion;
use super::select;
use crate::audit::RelationKind;
use crate::error::{Error, Result};
use crate::warehouse::{Catalog, Entry, Relation};

/// A statement with its meaning.
#[derive(Debug)]
pub(super) enum Action {
    /// `CREATE [OR REPLACE] TABLE layer.name AS …`: a new version.
    CreateTable { relation: Relation, rows: LogicalPlan },
    /// `INSERT INTO layer.name …`: a new version that keeps the files of the one before.
    Insert { relation: Relation, rows: LogicalPlan },
    /// `CREATE [OR REPLACE] VIEW layer.name AS …`: a stored query.
    CreateView { relation: Relation, definition: String, rows: LogicalPlan },
    /// `CREATE TABLE IF NOT EXISTS` of a relation that exists, `DROP … IF EXISTS` of none.
    Nothing { reason: &'static str },
    /// `DROP TABLE` or `DROP VIEW`.
    Drop { relation: Relation },
    /// `ASSERT condition AS 'message'`.
    Assert(Assertion),
    /// `SET`, `RESET`, `CREATE EXTERNAL TABLE landing.x`: changes the session.
    Session(LogicalPlan),
    /// `SELECT`, `EXPLAIN`, `SHOW`: gives rows to whoever runs it.
    Query(LogicalPlan),
    /// `COPY … TO`: writes outside the warehouse.
    Copy(LogicalPlan),
}

impl Action {
    /// Kind of statement, as the audit store keeps it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::CreateTable { .. } => "table",
            Self::Insert { .. } => "insert",
            Self::CreateView { .. } => "view",
            Self::Drop { .. } => "drop",
            Self::Assert(_) => "assert",
            Self::Query(_) => "select",
            Self::Session(_) | Self::Copy(_) | Self::Nothing { .. } => "other",
        }
    }

    /// The relation that it writes.
    pub(super) fn relation(&self) -> Option<&Relation> {
        match self {
            Self::CreateTable { relation, .. }
            | Self::Insert { relation, .. }
            | Self::CreateView { relation, .. }
            | Self::Drop { relation } => Some(relation),
            _ => None,
        }
    }

    /// The plan whose rows it needs.
    pub(super) fn rows(&self) -> Option<&LogicalPlan> {
        match self {
            Self::CreateTable { rows, .. }
            | Self::Insert { rows, .. }
            | Self::CreateView { rows, .. } => Some(rows),
            Self::Assert(assertion) => Some(&assertion.plan),
            Self::Query(plan) | Self::Copy(plan) => Some(plan),
            Self::Session(_) | Self::Drop { .. } | Self::Nothing { .. } => None,
        }
    }
}

/// Plans a bound statement against the catalog as it is now.
pub(super) async fn plan(
    ast: Ast,
    state: &SessionState,
    catalog: &Catalog,
) -> DataFusionResult<Action> {
    if let Ast::Statement(tree) = &ast
        && let Tree::Assert { condition, message } = tree.as_ref()
    {
        return Assertion::plan(condition, message.as_ref(), state).await.map(Action::Assert);
    }
    let subject = select::subject(&ast);
    let definition = definition(&ast);
    let plan = state.statement_to_plan(ast).await?;
    Ok(match plan {
        LogicalPlan::Ddl(ddl) => define(ddl, definition, &subject, catalog)?,
        LogicalPlan::Dml(dml) => match dml.op {
            WriteOp::Insert(InsertOp::Append) => {
                let relation = Relation::written(&dml.table_name)?;
                let rows = dml.input.as_ref().clone();
                match catalog.entry(&relation).map(|entry| entry.kind()) {
                    Some(RelationKind::Table) => Action::Insert { relation, rows },
                    _ => {
                        return Err(Error::sql(format!(
                            "{relation} is a view: nothing can be inserted"
                        ))
                        .into());
                    }
                }
            }
            op => {
                let error =
                    Error::sql(format!("{} is not supported: versions are immutable", op.name()));
                return Err(error
                    .with_hint("write a new version with CREATE OR REPLACE TABLE … AS SELECT")
                    .into());
            }
        },
        LogicalPlan::Statement(PlanStatement::SetVariable(set))
            if set.variable.starts_with("datafusion.catalog.default_") =>
        {
            let error = Error::sql(format!("{} cannot be changed", set.variable));
            return Err(error.with_hint("name relations with their layer: `silver.flows`").into());
        }
        LogicalPlan::Statement(PlanStatement::SetVariable(_) | PlanStatement::ResetVariable(_)) => {
            Action::Session(plan)
        }
        LogicalPlan::Statement(_) => return Err(unsupported(&subject).into()),
        LogicalPlan::Analyze(analyze) if writes(&analyze.input) => {
            let error = Error::sql("EXPLAIN ANALYZE would execute a statement that writes");
            return Err(error.with_hint("leave out ANALYZE").into());
        }
        LogicalPlan::Copy(_) => Action::Copy(plan),
        _ => Action::Query(plan),
    })
}

fn writes(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Copy(_) | LogicalPlan::Dml(_) | LogicalPlan::Ddl(_))
}

fn unsupported(subject: &str) -> Error {
    Error::sql(format!("{subject} is not supported in a pipeline"))
        .with_hint("the README lists the statements of a pipeline")
}

fn define(
    ddl: DdlStatement,
    definition: Option<String>,
    subject: &str,
    catalog: &Catalog,
) -> Result<Action> {
    match ddl {
        DdlStatement::CreateMemoryTable(table) => {
            let relation = Relation::written(&table.name)?;
            if table.temporary || !table.constraints.is_empty() {
                return Err(Error::sql(format!(
                    "{relation}: temporary tables and constraints are not supported"
                ))
                .with_hint("a table in a layer is a version; state what must hold with ASSERT"));
            }
            match catalog.entry(&relation) {
                Some(_) if table.if_not_exists => {
                    return Ok(Action::Nothing { reason: "the table exists" });
                }
                Some(existing) if !table.or_replace || existing.kind() == RelationKind::View => {
                    return Err(exists(&relation, &existing, "TABLE"));
                }
                _ => {}
            }
            if definition.is_none() {
                return Err(Error::sql(format!(
                    "{relation} is not made by CREATE TABLE … AS SELECT"
                ))
                .with_hint("write CREATE OR REPLACE TABLE … AS SELECT …"));
            }
            Ok(Action::CreateTable { relation, rows: table.input.as_ref().clone() })
        }
        DdlStatement::CreateView(view) => {
            let relation = Relation::written(&view.name)?;
            if let Some(existing) = catalog.entry(&relation)
                && (!view.or_replace || existing.kind() == RelationKind::Table)
            {
                return Err(exists(&relation, &existing, "VIEW"));
            }
            let definition = definition.unwrap_or_default();
            Ok(Action::CreateView { relation, definition, rows: view.input.as_ref().clone() })
        }
        DdlStatement::DropTable(drop) => {
            dropped(&drop.name, drop.if_exists, RelationKind::Table, catalog)
        }
        DdlStatement::DropView(drop) => {
            dropped(&drop.name, drop.if_exists, RelationKind::View, catalog)
        }
        DdlStatement::CreateExternalTable(table) => match table.name.schema() {
            Some("landing") => {
                Ok(Action::Session(LogicalPlan::Ddl(DdlStatement::CreateExternalTable(table))))
            }
            _ => Err(Error::sql(format!("{}: an external table belongs to `landing`", table.name))
                .with_hint(format!("write CREATE EXTERNAL TABLE landing.{}", table.name.table()))),
        },
        _ => Err(unsupported(subject)),
    }
}

fn exists(relation: &Relation, existing: &Entry, wanted: &str) -> Error {
    match (existing.kind(), wanted) {
        (RelationKind::Table, "VIEW") | (RelationKind::View, "TABLE") => {
            Error::sql(format!("{relation} exists already as a {}", existing.kind())).with_hint(
                format!(
                    "drop it first: DROP {} {relation}",
                    existing.kind().as_str().to_uppercase()
                ),
            )
        }
        _ => Error::sql(format!("{relation} exists already"))
            .with_hint(format!("write CREATE OR REPLACE {wanted} {relation}")),
    }
}

fn dropped(
    name: &TableReference,
    if_exists: bool,
    kind: RelationKind,
    catalog: &Catalog,
) -> Result<Action> {
    let relation = Relation::written(name)?;
    match catalog.entry(&relation) {
        Some(entry) if entry.kind() == kind => Ok(Action::Drop { relation }),
        Some(entry) => Err(Error::sql(format!("{relation} is a {}, not a {kind}", entry.kind()))),
        None if if_exists => Ok(Action::Nothing { reason: "there is nothing to drop" }),
        None => Err(Error::sql(format!("there is no {kind} `{relation}`"))
            .with_hint(format!("write DROP {} IF EXISTS", kind.as_str().to_uppercase()))),
    }
}

/// The query inside a statement that defines or fills a relation.
fn inner_query(ast: &Ast) -> Option<&Query> {
    match ast {
        Ast::Statement(tree) => match tree.as_ref() {
            Tree::CreateTable(table) => table.query.as_deref(),
            Tree::CreateView(view) => Some(view.query.as_ref()),
            Tree::Insert(insert) => insert.source.as_deref(),
            _ => None,
        },
        _ => None,
    }
}

/// The query of a definition as text; a view's own column names are part of it.
fn definition(ast: &Ast) -> Option<String> {
    let query = inner_query(ast)?;
    let columns = match ast {
        Ast::Statement(tree) => match tree.as_ref() {
            Tree::CreateView(view) => view.columns.as_slice(),
            _ => &[],
        },
        _ => &[],
    };
    Some(match columns {
        [] => query.to_string(),
        columns => {
            let names: Vec<_> = columns.iter().map(|column| column.name.to_string()).collect();
            format!("SELECT * FROM ({query}) AS named ({})", names.join(", "))
        }
    })
}

/// The relations that a bound statement reads.
pub(super) fn reads(ast: &Ast, state: &SessionState) -> DataFusionResult<Vec<TableReference>> {
    let statement = match (inner_query(ast), ast) {
        (Some(query), _) => Ast::Statement(Box::new(Tree::Query(Box::new(query.clone())))),
        (None, Ast::CopyTo(copy)) => match &copy.source {
            CopyToSource::Query(query) => Ast::Statement(Box::new(Tree::Query(query.clone()))),
            CopyToSource::Relation(_) => ast.clone(),
        },
        (None, Ast::CreateExternalTable(_) | Ast::Reset(_)) => return Ok(vec![]),
        (None, Ast::Statement(tree)) if matches!(tree.as_ref(), Tree::Drop { .. }) => {
            return Ok(vec![]);
        }
        _ => ast.clone(),
    };
    state.resolve_table_references(&statement)
}
