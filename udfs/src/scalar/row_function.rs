//! What functions of one row's text and numbers share: checking the types of the arguments,
//! reading every encoding of text and every width of integer, and literals read once per batch.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::common::{
    Result, exec_datafusion_err, internal_datafusion_err, plan_datafusion_err, plan_err,
};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use crate::doc::FunctionDoc;
use crate::network::NetworkError;

/// The types that an argument may have. NULL without a type is always allowed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Accepts {
    /// VARCHAR in any encoding.
    Text,
    /// VARCHAR or BINARY.
    TextOrBinary,
    /// An integer of any width.
    Integer,
    /// VARCHAR or an integer.
    TextOrInteger,
}

impl Accepts {
    fn accepts(self, data_type: &DataType) -> bool {
        match (self, data_type) {
            (_, DataType::Null) => true,
            (_, DataType::Dictionary(_, values)) => self.accepts(values),
            (Self::Text, other) => other.is_string(),
            (Self::TextOrBinary, other) => other.is_string() || other.is_binary(),
            (Self::Integer, other) => other.is_integer(),
            (Self::TextOrInteger, other) => other.is_string() || other.is_integer(),
        }
    }
}

/// A scalar function that looks at one row alone.
pub(crate) struct RowFunction {
    doc: &'static FunctionDoc,
    signature: Signature,
    accepts: &'static [Accepts],
    optional: usize,
    is_strict: bool,
    returns: DataType,
    check: fn(&Literals) -> Result<(), NetworkError>,
    invoke: fn(&Arguments) -> Result<ArrayRef>,
}

impl RowFunction {
    /// The function that `doc` describes: one entry in `accepts` per argument of it. It is strict:
    /// a NULL argument gives NULL.
    pub(super) fn new(
        doc: &'static FunctionDoc,
        accepts: &'static [Accepts],
        returns: DataType,
        invoke: fn(&Arguments) -> Result<ArrayRef>,
    ) -> Self {
        let signature = Signature::user_defined(Volatility::Immutable);
        let (optional, is_strict, check) = (0, true, |_: &Literals| Ok(()));
        Self { doc, signature, accepts, optional, is_strict, returns, check, invoke }
    }

    /// The last arguments may be left out.
    pub(super) fn optional(self, optional: usize) -> Self {
        Self { optional, ..self }
    }

    /// A NULL argument need not give NULL.
    pub(super) fn not_strict(self) -> Self {
        Self { is_strict: false, ..self }
    }

    /// Checks arguments that are literals while planning.
    pub(super) fn check(self, check: fn(&Literals) -> Result<(), NetworkError>) -> Self {
        Self { check, ..self }
    }
}

impl fmt::Debug for RowFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowFunction").field("name", &self.doc.name).finish_non_exhaustive()
    }
}

impl PartialEq for RowFunction {
    fn eq(&self, other: &Self) -> bool {
        self.doc.name == other.doc.name
    }
}

impl Eq for RowFunction {}

impl Hash for RowFunction {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.doc.name.hash(hasher);
    }
}

impl ScalarUDFImpl for RowFunction {
    fn name(&self) -> &str {
        self.doc.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let (name, most) = (self.doc.name, self.accepts.len());
        let least = most - self.optional;
        if !(least..=most).contains(&types.len()) {
            let takes = if least == most { most.to_string() } else { format!("{least} to {most}") };
            return plan_err!("{} takes {takes} arguments, got {}", self.doc.syntax, types.len());
        }
        for ((argument, accepts), data_type) in
            self.doc.arguments.iter().zip(self.accepts).zip(types)
        {
            if !accepts.accepts(data_type) {
                return plan_err!(
                    "{name}: argument `{}` must be {}, got {data_type}",
                    argument.name,
                    argument.types
                );
            }
        }
        Ok(types.to_vec())
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.returns.clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        (self.check)(&Literals(args.scalar_arguments))
            .map_err(|error| plan_datafusion_err!("{}: {error}", self.doc.name))?;
        Ok(Arc::new(Field::new(self.doc.name, self.returns.clone(), true)))
    }

    fn is_strict(&self) -> bool {
        self.is_strict
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_scalar = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if is_scalar { 1 } else { args.number_rows };
        let result = (self.invoke)(&Arguments { name: self.doc.name, args: &args.args, rows })?;
        Ok(if is_scalar {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?)
        } else {
            ColumnarValue::Array(result)
        })
    }
}

/// The arguments that are literals, known while planning.
pub(super) struct Literals<'a>(&'a [Option<&'a ScalarValue>]);

impl Literals<'_> {
    /// Text that is a literal and not NULL.
    pub(super) fn text(&self, position: usize) -> Option<&str> {
        self.0.get(position).copied().flatten()?.try_as_str().flatten()
    }

    /// An integer that is a literal and not NULL.
    pub(super) fn integer(&self, position: usize) -> Option<i64> {
        let literal = self.0.get(position).copied().flatten()?;
        match literal.cast_to(&DataType::Int64) {
            Ok(ScalarValue::Int64(integer)) => integer,
            _ => None,
        }
    }
}

/// The arguments of a batch.
pub(super) struct Arguments<'a> {
    name: &'static str,
    args: &'a [ColumnarValue],
    rows: usize,
}

impl Arguments<'_> {
    /// How many arguments there are.
    pub(super) fn len(&self) -> usize {
        self.args.len()
    }

    /// The type of the values of an argument.
    pub(super) fn data_type(&self, position: usize) -> Result<DataType> {
        Ok(match self.argument(position)?.data_type() {
            DataType::Dictionary(_, values) => *values,
            other => other,
        })
    }

    /// Reads each text; a literal once.
    pub(super) fn texts<T>(
        &self,
        position: usize,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Values<T>> {
        self.try_texts(position, |text| Ok(read(text)))
    }

    /// As [`Self::texts`], where some text is an error.
    pub(super) fn try_texts<T>(
        &self,
        position: usize,
        read: impl Fn(&str) -> Result<Option<T>, NetworkError>,
    ) -> Result<Values<T>> {
        let array = self.array(position, &DataType::Utf8View)?;
        self.read(position, array.as_string_view().iter(), read)
    }

    /// Reads each BINARY value; a literal once.
    pub(super) fn bytes<T>(
        &self,
        position: usize,
        read: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Values<T>> {
        let array = self.array(position, &DataType::BinaryView)?;
        self.read(position, array.as_binary_view().iter(), |bytes| Ok(read(bytes)))
    }

    /// Reads each integer; a literal once. NULL where it has more than 64 bits.
    pub(super) fn integers<T>(
        &self,
        position: usize,
        read: impl Fn(i64) -> Option<T>,
    ) -> Result<Values<T>> {
        self.try_integers(position, |integer| Ok(read(integer)))
    }

    /// As [`Self::integers`], where some integer is an error.
    pub(super) fn try_integers<T>(
        &self,
        position: usize,
        read: impl Fn(i64) -> Result<Option<T>, NetworkError>,
    ) -> Result<Values<T>> {
        let array = self.array(position, &DataType::Int64)?;
        self.read(position, array.as_primitive::<Int64Type>().iter(), read)
    }

    /// The result, one value per row.
    pub(super) fn collect<T, A>(&self, value: impl FnMut(usize) -> Option<T>) -> ArrayRef
    where
        A: FromIterator<Option<T>> + Array + 'static,
    {
        Arc::new((0..self.rows).map(value).collect::<A>())
    }

    fn argument(&self, position: usize) -> Result<&ColumnarValue> {
        let missing = || internal_datafusion_err!("{}: no argument {position}", self.name);
        self.args.get(position).ok_or_else(missing)
    }

    /// The argument as an array of one type, of one row for a literal.
    fn array(&self, position: usize, data_type: &DataType) -> Result<ArrayRef> {
        let array = match self.argument(position)? {
            ColumnarValue::Scalar(scalar) => scalar.to_array()?,
            ColumnarValue::Array(array) => Arc::clone(array),
        };
        Ok(cast(&array, data_type)?)
    }

    fn read<I, T>(
        &self,
        position: usize,
        items: impl Iterator<Item = Option<I>>,
        read: impl Fn(I) -> Result<Option<T>, NetworkError>,
    ) -> Result<Values<T>> {
        let values = items
            .map(|item| item.map_or(Ok(None), &read))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| exec_datafusion_err!("{}: {error}", self.name))?;
        let is_literal = matches!(self.argument(position)?, ColumnarValue::Scalar(_));
        Ok(if is_literal {
            Values::Literal(values.into_iter().next().flatten())
        } else {
            Values::Rows(values)
        })
    }
}

/// What was read from one argument. None is NULL, or text that says nothing.
pub(super) enum Values<T> {
    /// The same for all rows.
    Literal(Option<T>),
    /// One per row.
    Rows(Vec<Option<T>>),
}

impl<T: Copy> Values<T> {
    /// The value of a row.
    pub(super) fn at(&self, row: usize) -> Option<T> {
        match self {
            Self::Literal(value) => *value,
            Self::Rows(values) => values.get(row).copied().flatten(),
        }
    }
}
