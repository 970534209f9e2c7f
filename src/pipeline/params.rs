//! `$name` in a statement becomes a typed literal of its syntax tree, never pasted text.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use datafusion::sql::parser::{CopyToSource, Statement as Ast};
use datafusion::sql::sqlparser::ast::{
    DataType, Expr, TimezoneInfo, TypedString, UnaryOperator, Value, ValueWithSpan, VisitMut,
    visit_expressions_mut,
};
use datafusion::sql::sqlparser::tokenizer::Span;

use super::diagnose::closest;
use super::script::Statement;
use crate::config::{Literal, Params};
use crate::error::{Error, Result};

/// A statement with its parameters bound.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    /// The tree with values.
    pub(super) ast: Ast,
    /// The parameters it uses, as SQL literals.
    pub(super) used: BTreeMap<String, String>,
}

/// Binds the parameters of a statement.
pub(super) fn bind(statement: &Statement, params: &Params) -> Result<Bound> {
    let mut bound = Bound { ast: statement.ast.clone(), used: BTreeMap::new() };
    let used = &mut bound.used;
    match &mut bound.ast {
        Ast::Statement(tree) => bind_in(tree.as_mut(), statement, params, used)?,
        Ast::CopyTo(copy) => {
            if let CopyToSource::Query(query) = &mut copy.source {
                bind_in(query.as_mut(), statement, params, used)?;
            }
        }
        Ast::Explain(explain) => {
            if let Ast::Statement(tree) = explain.statement.as_mut() {
                bind_in(tree.as_mut(), statement, params, used)?;
            }
        }
        Ast::CreateExternalTable(_) | Ast::Reset(_) => {}
    }
    Ok(bound)
}

/// An error where a `--param` without a default is used by none of the statements.
pub(super) fn check_all_used(bound: &[Bound], params: &Params) -> Result<()> {
    let known: Vec<String> = bound.iter().flat_map(|bound| bound.used.keys().cloned()).collect();
    let Some(name) = params.undeclared().iter().find(|name| !known.contains(name)) else {
        return Ok(());
    };
    let error = Error::configuration(format!("--param {name}: no statement uses `${name}`"));
    let declared: Vec<String> = params.iter().map(|(name, _)| name.to_owned()).collect();
    Err(match closest(name, &[known, declared].concat()) {
        Some(meant) => error.with_hint(format!("did you mean `{meant}`?")),
        None => error.with_hint("parameters are written `$name` in SQL"),
    })
}

fn bind_in<T: VisitMut>(
    tree: &mut T,
    statement: &Statement,
    params: &Params,
    used: &mut BTreeMap<String, String>,
) -> Result<()> {
    let outcome = visit_expressions_mut(tree, |expr| {
        let Expr::Value(ValueWithSpan { value: Value::Placeholder(text), span }) = expr else {
            return ControlFlow::Continue(());
        };
        let Some(name) = text.strip_prefix('$') else {
            return ControlFlow::Break(missing(text, *span, statement, params));
        };
        match params.get(name) {
            None => ControlFlow::Break(missing(text, *span, statement, params)),
            Some(param) => {
                used.insert(name.to_owned(), param.value.to_string());
                *expr = literal(&param.value, *span);
                ControlFlow::Continue(())
            }
        }
    });
    match outcome {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

fn missing(text: &str, span: Span, statement: &Statement, params: &Params) -> Error {
    let place = statement.place(span.start.line, span.start.column);
    let name = text.trim_start_matches(['$', '?', ':']);
    let known: Vec<String> = params.iter().map(|(name, _)| name.to_owned()).collect();
    let hint = match closest(name, &known) {
        Some(meant) => format!("did you mean `${meant}`?"),
        None => format!(
            "give it one with `--param {name}=VALUE`, or a default under [params] in pipeline.toml"
        ),
    };
    Error::sql(format!("parameter `{text}` has no value")).at(place.render()).with_hint(hint)
}

fn literal(value: &Literal, span: Span) -> Expr {
    let plain = |value| Expr::Value(ValueWithSpan { value, span });
    match value {
        Literal::Integer(number) => signed(number.unsigned_abs().to_string(), *number < 0, span),
        Literal::Float(number) => {
            signed(format!("{:?}", number.abs()), number.is_sign_negative(), span)
        }
        Literal::Boolean(truth) => plain(Value::Boolean(*truth)),
        Literal::Text(text) => plain(Value::SingleQuotedString(text.clone())),
        Literal::Timestamp(text) => Expr::TypedString(TypedString {
            data_type: DataType::Timestamp(None, TimezoneInfo::None),
            value: ValueWithSpan { value: Value::SingleQuotedString(text.clone()), span },
            uses_odbc_syntax: false,
        }),
    }
}

/// SQL has no negative literals, only negated ones.
fn signed(digits: String, negative: bool, span: Span) -> Expr {
    let number = Expr::Value(ValueWithSpan { value: Value::Number(digits, false), span });
    match negative {
        true => Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(number) },
        false => number,
    }
}
