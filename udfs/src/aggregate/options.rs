//! The last argument of a function where it is a literal: its value while planning, and the named
//! options of a training function.

use std::fmt::Display;
use std::sync::Arc;

use datafusion::arrow::array::Array;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{ColumnarValue, Expr};
use datafusion::physical_expr::PhysicalExpr;

use crate::detectors::sampling::Sampling;

/// The value of a literal argument in a logical plan after constants are folded: the first moment
/// at which it can be checked. None where the parameters of a prepared statement are not bound yet.
pub(super) fn planned_literal<'a>(
    function: &str,
    argument: &str,
    expr: &'a Expr,
) -> Result<Option<&'a ScalarValue>> {
    match expr {
        Expr::Literal(literal, _) => Ok(Some(literal)),
        other if other.exists(|e| Ok(matches!(e, Expr::Placeholder(_))))? => Ok(None),
        other => not_literal(function, argument, other),
    }
}

/// The value of a literal argument, also where no optimiser has folded its constants.
pub(super) fn literal(
    function: &str,
    argument: &str,
    expr: &Arc<dyn PhysicalExpr>,
) -> Result<ScalarValue> {
    match expr.evaluate(&RecordBatch::new_empty(Arc::new(Schema::empty()))) {
        Ok(ColumnarValue::Scalar(value)) => Ok(value),
        Ok(ColumnarValue::Array(array)) if array.len() == 1 => {
            ScalarValue::try_from_array(&array, 0)
        }
        _ => not_literal(function, argument, expr),
    }
}

fn not_literal<T>(function: &str, argument: &str, got: &impl Display) -> Result<T> {
    plan_err!(
        "{function}: argument `{argument}` must be a literal, the same for all rows, got {got}"
    )
}

/// Checks the type of the argument: a struct whose names are among `known`, or a plan error.
pub(super) fn check_names(function: &str, argument: &Field, known: &[&str]) -> Result<()> {
    let DataType::Struct(fields) = argument.data_type() else {
        return plan_err!(
            "{function}: argument `options` must be a struct literal such as `{{seed: 42}}`, got {}",
            argument.data_type()
        );
    };
    for (position, field) in fields.iter().enumerate() {
        let name = field.name();
        if !known.contains(&name.as_str()) {
            let known = known.join("`, `");
            return plan_err!(
                "{function}: unknown option `{name}`; hint: the options are `{known}`"
            );
        }
        if fields[..position].iter().any(|other| other.name() == name) {
            return plan_err!("{function}: option `{name}` is given twice");
        }
    }
    Ok(())
}

/// Options as the user wrote them. An option that is absent or NULL keeps its default.
pub(crate) struct Options<'a> {
    function: &'static str,
    literal: &'a ScalarValue,
}

impl<'a> Options<'a> {
    /// Reads a struct literal whose type has been checked.
    pub(super) fn new(function: &'static str, literal: &'a ScalarValue) -> Self {
        Self { function, literal }
    }

    fn get(&self, name: &str) -> Result<Option<ScalarValue>> {
        let ScalarValue::Struct(row) = self.literal else {
            return Ok(None);
        };
        let value = match row.column_by_name(name) {
            Some(column) if row.is_valid(0) => ScalarValue::try_from_array(column, 0)?,
            _ => return Ok(None),
        };
        Ok(Some(value).filter(|value| !value.is_null()))
    }

    /// An integer from 0.
    pub(super) fn integer(&self, name: &str) -> Result<Option<u64>> {
        let Some(value) = self.get(name)? else {
            return Ok(None);
        };
        if value.data_type().is_integer()
            && let Ok(ScalarValue::UInt64(Some(integer))) = value.cast_to(&DataType::UInt64)
        {
            return Ok(Some(integer));
        }
        self.wrong_type(name, "an integer from 0", &value)
    }

    /// A number.
    pub(super) fn number(&self, name: &str) -> Result<Option<f64>> {
        let Some(value) = self.get(name)? else {
            return Ok(None);
        };
        if value.data_type().is_numeric()
            && let Ok(ScalarValue::Float64(Some(number))) = value.cast_to(&DataType::Float64)
        {
            return Ok(Some(number));
        }
        self.wrong_type(name, "a number", &value)
    }

    /// A text.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>> {
        let Some(value) = self.get(name)? else {
            return Ok(None);
        };
        if value.data_type().is_string()
            && let Ok(ScalarValue::Utf8(Some(text))) = value.cast_to(&DataType::Utf8)
        {
            return Ok(Some(text));
        }
        self.wrong_type(name, "a text", &value)
    }

    /// A truth value.
    pub(super) fn boolean(&self, name: &str) -> Result<Option<bool>> {
        match self.get(name)? {
            None => Ok(None),
            Some(ScalarValue::Boolean(Some(truth))) => Ok(Some(truth)),
            Some(value) => self.wrong_type(name, "true or false", &value),
        }
    }

    /// The options `max_samples` and `seed`.
    pub(super) fn sampling(&self, default: Sampling) -> Result<Sampling> {
        Ok(Sampling {
            max_samples: self.integer("max_samples")?.unwrap_or(default.max_samples),
            seed: self.integer("seed")?.unwrap_or(default.seed),
        })
    }

    fn wrong_type<T>(&self, name: &str, wanted: &str, got: &ScalarValue) -> Result<T> {
        plan_err!(
            "{}: option `{name}` must be {wanted}, got {got} ({})",
            self.function,
            got.data_type()
        )
    }
}
