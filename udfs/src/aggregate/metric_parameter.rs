//! The literal argument of a metric, checked while planning.

use std::fmt::{Debug, Display};
use std::ops::RangeInclusive;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, plan_err};

use crate::doc::FunctionDoc;

/// What the last argument of a metric may be.
#[derive(Debug, Clone)]
pub(super) struct Parameter<P> {
    /// Allowed values.
    pub(super) range: RangeInclusive<P>,
    /// The value where the argument is absent or NULL. None where it must be given.
    pub(super) default: Option<P>,
}

/// `bins` of the functions that compare samples over quantiles of the reference.
pub(super) const BINS: Parameter<u64> = Parameter { range: 2..=10_000, default: Some(10) };

/// `points` of the functions that give a curve.
pub(super) const POINTS: Parameter<u64> = Parameter { range: 4..=1_000_000, default: Some(1000) };

/// A type of such arguments.
pub(super) trait ParameterType:
    Copy + PartialOrd + Display + Debug + Send + Sync + 'static
{
    /// Its name in messages.
    const NAME: &'static str;

    /// Reads a literal of this type.
    fn read(literal: &ScalarValue) -> Option<Self>;
}

impl ParameterType for u64 {
    const NAME: &'static str = "an integer";

    fn read(literal: &ScalarValue) -> Option<Self> {
        match literal.cast_to(&DataType::UInt64) {
            Ok(ScalarValue::UInt64(value)) if literal.data_type().is_integer() => value,
            _ => None,
        }
    }
}

impl ParameterType for f64 {
    const NAME: &'static str = "a number";

    fn read(literal: &ScalarValue) -> Option<Self> {
        match literal.cast_to(&DataType::Float64) {
            Ok(ScalarValue::Float64(value)) if literal.data_type().is_numeric() => value,
            _ => None,
        }
    }
}

impl<P: ParameterType> Parameter<P> {
    /// Reads the last argument of the function that `doc` describes.
    pub(super) fn read(&self, doc: &FunctionDoc, literal: Option<&ScalarValue>) -> Result<P> {
        let given = literal.filter(|literal| !literal.is_null());
        let value = given.map_or(self.default, P::read);
        match value {
            Some(value) if self.range.contains(&value) => Ok(value),
            _ => {
                let argument = doc.arguments.last().map_or("", |argument| argument.name);
                let got = given.map_or("NULL".to_owned(), ScalarValue::to_string);
                plan_err!(
                    "{}: argument `{argument}` must be {} from {} to {}, got {got}",
                    doc.name,
                    P::NAME,
                    self.range.start(),
                    self.range.end()
                )
            }
        }
    }
}
