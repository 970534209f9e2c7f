//! `ASSERT condition AS 'message'`: parsed by the SQL parser, planned here.

use datafusion::arrow::datatypes::DataType;
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::Statement as Ast;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Query, SelectItem, SetExpr, Statement as Tree, UnaryOperator, Value,
    ValueWithSpan,
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
    /// One row, one Boolean.
    pub(super) plan: LogicalPlan,
    /// Counts the offending rows, where the condition is about their absence.
    pub(super) offending: Option<LogicalPlan>,
}

impl Assertion {
    /// Plans the condition: one row, one Boolean.
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
                return Err(Error::sql(format!(
                    "the message of an ASSERT must be text in quotes, got {other}"
                ))
                .into());
            }
        };
        let plan = plan_expression(without_exists(condition.clone()), state).await?;
        let field = plan.schema().field(0);
        if !matches!(field.data_type(), DataType::Boolean) {
            return Err(Error::sql(format!("the condition of an ASSERT must be true or false, got {}", field.data_type()))
            .with_hint("for example ASSERT (SELECT count(*) FROM silver.flows WHERE bytes < 0) = 0 AS 'negative bytes'")
            .into());
        }
        let offending = match offending(condition) {
            Some(count) => Some(plan_expression(count, state).await?),
            None => None,
        };
        Ok(Self { condition: condition.to_string(), message, plan, offending })
    }
}

/// DataFusion has no plan for `EXISTS` outside of `WHERE`; a count tells the same.
fn without_exists(condition: Expr) -> Expr {
    match condition {
        Expr::Nested(inner) => Expr::Nested(Box::new(without_exists(*inner))),
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => {
            Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(without_exists(*expr)) }
        }
        Expr::BinaryOp { left, op: op @ (BinaryOperator::And | BinaryOperator::Or), right } => {
            let (left, right) = (without_exists(*left), without_exists(*right));
            Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
        }
        Expr::Exists { subquery, negated } => match counted(&subquery) {
            None => Expr::Exists { subquery, negated },
            Some(count) => Expr::BinaryOp {
                left: Box::new(count),
                op: if negated { BinaryOperator::Eq } else { BinaryOperator::Gt },
                right: Box::new(Expr::value(Value::Number("0".into(), false))),
            },
        },
        other => other,
    }
}

/// An expression that counts offending rows: of `(SELECT count…) = 0` and `NOT EXISTS (SELECT …)`.
fn offending(condition: &Expr) -> Option<Expr> {
    match condition {
        Expr::Nested(inner) => offending(inner),
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => {
            match (left.as_ref(), right.as_ref()) {
                (
                    count @ Expr::Subquery(_),
                    Expr::Value(ValueWithSpan { value: Value::Number(n, _), .. }),
                ) if n == "0" => Some(count.clone()),
                _ => None,
            }
        }
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

/// Plans `SELECT expression`, keeping the places in the expression.
async fn plan_expression(expression: Expr, state: &SessionState) -> DataFusionResult<LogicalPlan> {
    let mut parser = Parser::new(&GenericDialect {})
        .try_with_sql("SELECT 1")
        .map_err(|error| DataFusionError::SQL(Box::new(error), None))?;
    let mut query =
        parser.parse_query().map_err(|error| DataFusionError::SQL(Box::new(error), None))?;
    if let SetExpr::Select(select) = query.body.as_mut() {
        select.projection = vec![SelectItem::UnnamedExpr(expression)];
    }
    state.statement_to_plan(Ast::Statement(Box::new(Tree::Query(query)))).await
}
