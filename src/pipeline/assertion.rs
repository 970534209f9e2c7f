//! `ASSERT condition AS 'message'`: parsed by the SQL parser, planned here.

use datafusion::arrow::datatypes::DataType;
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::Statement as Ast;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Query, Select, SelectItem, SetExpr, Statement as Tree, UnaryOperator,
    Value, ValueWithSpan,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::error::Error;

/// A blocking check.
#[derive(Debug)]
pub(super) struct Assertion {
    /// The condition as written.
    pub(super) condition: String,
    /// What is wrong where it does not hold.
    pub(super) message: String,
    /// One row where the condition is true, else none.
    pub(super) plan: LogicalPlan,
    /// Counts the offending rows, where the condition is about their absence.
    pub(super) offending: Option<LogicalPlan>,
}

impl Assertion {
    /// Plans the check.
    pub(super) async fn plan(
        condition: &Expr,
        message: Option<&Expr>,
        state: &SessionState,
    ) -> DataFusionResult<Self> {
        let message = match message {
            None => format!("{condition} does not hold"),
            Some(Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. })) => {
                text.clone()
            }
            Some(other) => {
                let message =
                    format!("the message of an ASSERT must be text in quotes, got {other}");
                return Err(Error::sql(message).into());
            }
        };
        let typed = select(state, |select| {
            select.projection = vec![SelectItem::UnnamedExpr(condition.clone())];
        });
        match typed.await?.schema().field(0).data_type() {
            DataType::Boolean | DataType::Null => {}
            other => {
                return Err(Error::sql(format!("the condition of an ASSERT must be true or false, got {other}"))
                    .with_hint("for example ASSERT (SELECT count(*) FROM silver.flows WHERE bytes < 0) = 0 AS 'negative bytes'")
                    .into());
            }
        }
        // As a filter, a condition may hold EXISTS and IN, and NULL is not true: what cannot be
        // decided has not been shown.
        let plan = select(state, |select| select.selection = Some(condition.clone())).await?;
        let offending = match offending(condition) {
            Some(count) => Some(
                select(state, |select| select.projection = vec![SelectItem::UnnamedExpr(count)])
                    .await?,
            ),
            None => None,
        };
        Ok(Self { condition: condition.to_string(), message, plan, offending })
    }
}

/// An expression that counts offending rows: of `(SELECT count…) = 0` and `NOT EXISTS (SELECT …)`.
fn offending(condition: &Expr) -> Option<Expr> {
    match condition {
        Expr::Nested(inner) => offending(inner),
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => match (&**left, &**right) {
            (count @ Expr::Subquery(_), zero) | (zero, count @ Expr::Subquery(_)) => {
                (zero.to_string() == "0").then(|| count.clone())
            }
            _ => None,
        },
        Expr::Exists { subquery, negated: true } => counted(subquery),
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => match expr.as_ref() {
            Expr::Exists { subquery, negated: false } => counted(subquery),
            _ => None,
        },
        _ => None,
    }
}

fn counted(subquery: &Query) -> Option<Expr> {
    let text = format!("(SELECT count(*) FROM ({subquery}))");
    Parser::new(&GenericDialect {}).try_with_sql(&text).ok()?.parse_expr().ok()
}

/// Plans `SELECT 1` with a change; expressions keep their places in the script.
async fn select(
    state: &SessionState,
    change: impl FnOnce(&mut Select),
) -> DataFusionResult<LogicalPlan> {
    let parsed = Parser::new(&GenericDialect {})
        .try_with_sql("SELECT 1")
        .and_then(|mut parser| parser.parse_query());
    let mut query = parsed.map_err(|error| DataFusionError::SQL(Box::new(error), None))?;
    if let SetExpr::Select(select) = query.body.as_mut() {
        change(select);
    }
    state.statement_to_plan(Ast::Statement(Box::new(Tree::Query(query)))).await
}
