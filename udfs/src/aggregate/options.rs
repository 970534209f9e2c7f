//! The last argument of a training function: a struct literal of named options.

use datafusion::arrow::array::Array;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, ScalarValue, plan_err};

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

    /// The function whose options they are, for messages.
    pub(super) fn function(&self) -> &'static str {
        self.function
    }

    fn wrong_type<T>(&self, name: &str, wanted: &str, got: &ScalarValue) -> Result<T> {
        plan_err!(
            "{}: option `{name}` must be {wanted}, got {got} ({})",
            self.function,
            got.data_type()
        )
    }
}
