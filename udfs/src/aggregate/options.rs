//! The last argument of a training function: a struct literal of named options.

use datafusion::arrow::array::Array;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, plan_err};

/// Options as the user wrote them. An option that is absent or NULL keeps its default.
pub(super) struct Options {
    function: &'static str,
    values: Vec<(String, ScalarValue)>,
}

impl Options {
    /// Reads a struct literal whose names must be among `known`.
    pub(super) fn new(
        function: &'static str,
        literal: &ScalarValue,
        known: &[&str],
    ) -> Result<Self> {
        let ScalarValue::Struct(row) = literal else {
            return plan_err!(
                "{function}: argument `options` must be a struct literal such as \
                 `{{seed: 42}}`, got {literal}"
            );
        };
        let mut values = vec![];
        for (field, column) in row.fields().iter().zip(row.columns()) {
            if !known.contains(&field.name().as_str()) {
                return plan_err!(
                    "{function}: unknown option `{}`; hint: the options are `{}`",
                    field.name(),
                    known.join("`, `")
                );
            }
            if values.iter().any(|(name, _)| name == field.name()) {
                return plan_err!("{function}: option `{}` is given twice", field.name());
            }
            if row.is_valid(0) {
                values.push((
                    field.name().clone(),
                    ScalarValue::try_from_array(column, 0)?,
                ));
            }
        }
        Ok(Self { function, values })
    }

    fn get(&self, name: &str) -> Option<&ScalarValue> {
        self.values
            .iter()
            .find_map(|(option, value)| (option == name && !value.is_null()).then_some(value))
    }

    /// An integer from 0.
    pub(super) fn integer(&self, name: &str) -> Result<Option<u64>> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        if value.data_type().is_integer()
            && let Ok(ScalarValue::UInt64(Some(integer))) = value.cast_to(&DataType::UInt64)
        {
            return Ok(Some(integer));
        }
        self.wrong_type(name, "an integer from 0", value)
    }

    /// A number.
    pub(super) fn number(&self, name: &str) -> Result<Option<f64>> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        if value.data_type().is_numeric()
            && let Ok(ScalarValue::Float64(Some(number))) = value.cast_to(&DataType::Float64)
        {
            return Ok(Some(number));
        }
        self.wrong_type(name, "a number", value)
    }

    fn wrong_type<T>(&self, name: &str, wanted: &str, got: &ScalarValue) -> Result<T> {
        plan_err!(
            "{}: option `{name}` must be {wanted}, got {got} ({})",
            self.function,
            got.data_type()
        )
    }
}
