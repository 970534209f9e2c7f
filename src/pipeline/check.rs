//! The check of a whole pipeline before its first byte: every statement is bound, planned and
//! optimised against the schemas of those before it. No data is read or written; only sources are
//! listed and looked into for their schema.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::Schema;
use datafusion::common::TableReference;
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::LogicalPlan;
use datafusion::parquet::arrow::ArrowSchemaConverter;
use datafusion::prelude::SessionContext;

use super::diagnose::explain;
use super::params::{self, Bound};
use super::plan::{self, Action};
use super::script::Statement;
use crate::config::{Params, Settings};
use crate::error::{Error, Result};
use crate::session;
use crate::warehouse::{Catalog, Entry, Relation};

/// Checks all statements, in a session of its own over a copy of the catalog, and gives them back
/// bound.
pub(super) async fn check(
    statements: &[Statement],
    settings: &Settings,
    catalog: &Catalog,
) -> Result<Vec<Bound>> {
    settings.params.check_types()?;
    let bound = bind_all(statements, &settings.params)?;
    let catalog = catalog.fork();
    let ctx = session::build(settings, &catalog)?;
    let mut written = BTreeSet::new();
    for (statement, bound) in statements.iter().zip(&bound) {
        let checked = check_one(&ctx, &catalog, bound, &mut written).await;
        checked.map_err(|error| explain(error, statement, &catalog.readable_names()))?;
    }
    if let Some(last) = statements.last() {
        let readable = catalog.refuse_broken_views(&written).await;
        readable.map_err(|error| explain(error, last, &catalog.readable_names()))?;
    }
    Ok(bound)
}

fn bind_all(statements: &[Statement], params: &Params) -> Result<Vec<Bound>> {
    let bound = statements
        .iter()
        .map(|statement| params::bind(statement, params))
        .collect::<Result<Vec<_>>>()?;
    params::check_all_used(&bound, params)?;
    Ok(bound)
}

async fn check_one(
    ctx: &SessionContext,
    catalog: &Catalog,
    bound: &Bound,
    written: &mut BTreeSet<Relation>,
) -> DataFusionResult<()> {
    let action = plan::plan(bound.ast.clone(), &ctx.state(), catalog).await?;
    written.extend(action.relation().cloned());
    if let Some(rows) = action.rows() {
        // Literal arguments, such as the options of a training function, are judged here.
        ctx.state().optimize(rows)?;
    }
    match action {
        Action::CreateTable { relation, rows } => {
            unique_columns(&rows)?;
            storable_columns(&rows)?;
            let schema = Arc::clone(rows.schema().inner());
            catalog.stage(relation, Some(Entry::PlannedTable(schema)));
        }
        Action::CreateView { relation, definition, rows } => {
            unique_columns(&rows)?;
            let reference = TableReference::partial(relation.layer.name(), relation.name.as_str());
            catalog.stage(relation, Some(Entry::PlannedView(definition)));
            catalog.refuse_cycle(&reference)?;
        }
        Action::Drop { relation } => catalog.stage(relation, None),
        Action::Session(plan) => {
            ctx.execute_logical_plan(plan).await?;
        }
        // What no operator can evaluate is found by choosing the operators.
        Action::Assert(assertion) => {
            ctx.state().create_physical_plan(&assertion.plan).await?;
        }
        Action::Insert { .. } | Action::Query(_) | Action::Copy(_) | Action::Nothing { .. } => {}
    }
    Ok(())
}

/// Every type of the engine is not one of Parquet's.
fn storable_columns(rows: &LogicalPlan) -> Result<()> {
    for field in rows.schema().fields() {
        let alone = Schema::new(vec![Arc::clone(field)]);
        if ArrowSchemaConverter::new().convert(&alone).is_err() {
            let (name, data_type) = (field.name(), field.data_type());
            return Err(Error::sql(format!(
                "column `{name}` is {data_type}, which a table cannot store"
            ))
            .with_hint("cast it, for example to VARCHAR or BIGINT"));
        }
    }
    Ok(())
}

fn unique_columns(rows: &LogicalPlan) -> Result<()> {
    let mut seen = BTreeSet::new();
    for field in rows.schema().fields() {
        if !seen.insert(field.name()) {
            return Err(Error::sql(format!("two columns are named `{}`", field.name()))
                .with_hint("rename one with AS, or name the columns instead of `*`"));
        }
    }
    Ok(())
}
