//! The identity of rows: a column of integers, strings or bytes as canonical bytes.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BinaryViewArray, Int64Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type, UInt64Type};
use datafusion::common::Result;

/// A column of keys without NULLs. An integer is its 8 bytes, little endian, whatever its width;
/// a string is its UTF-8 bytes, whatever its encoding.
pub(super) enum Keys {
    Integers(Int64Array),
    Bytes(BinaryViewArray),
}

impl Keys {
    /// Whether a column of this type holds keys.
    pub(super) fn accepts(data_type: &DataType) -> bool {
        match data_type {
            DataType::Dictionary(_, values) => Self::accepts(values),
            DataType::FixedSizeBinary(_) => true,
            other => other.is_integer() || other.is_string() || other.is_binary(),
        }
    }

    /// Reads a column of an accepted type.
    pub(super) fn new(column: &ArrayRef) -> Result<Self> {
        Ok(match column.data_type() {
            DataType::Dictionary(_, values) => Self::new(&cast(column, values)?)?,
            // Beyond the range of BIGINT the bits are kept, so that keys stay distinct.
            DataType::UInt64 => {
                Self::Integers(column.as_primitive::<UInt64Type>().unary(|key| key as i64))
            }
            integer if integer.is_integer() => {
                Self::Integers(cast(column, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
            }
            _ => Self::Bytes(cast(column, &DataType::BinaryView)?.as_binary_view().clone()),
        })
    }

    /// The canonical bytes of the key of a row, given to `read`.
    pub(super) fn with<T>(&self, row: usize, read: impl FnOnce(&[u8]) -> T) -> T {
        match self {
            Self::Integers(keys) => read(&keys.value(row).to_le_bytes()),
            Self::Bytes(keys) => read(keys.value(row)),
        }
    }
}
