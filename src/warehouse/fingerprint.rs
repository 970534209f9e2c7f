//! Content fingerprints: an order-independent 128-bit hash over rows and schema.
//!
//! A row is hashed column by column into two 64-bit lanes (multiply and fold, as wyhash does, with
//! different constants per lane); a table is the sum of its rows modulo 2^128, so any order,
//! partitioning or file layout of the same rows gives the same value, and duplicates count. Values
//! of one logical type hash alike whatever their encoding (Utf8, Utf8View, dictionary). It detects
//! difference, not malice: the sum is not collision resistant against an adversary.
//!
//! Cost: a few nanoseconds per fixed-width value, XXH3 for text and bytes; two words per row of
//! one batch in memory.

use std::fmt;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeBinaryArray, PrimitiveArray, RecordBatch, StructArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::*;
use datafusion::arrow::error::ArrowError;
use twox_hash::XxHash3_128;

/// The fingerprint of a relation's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(u128);

/// Sums up the rows of one relation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowSum(u128);

impl RowSum {
    /// Adds the rows of a batch.
    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let mut lanes = vec![Lanes::START; batch.num_rows()];
        for column in batch.columns() {
            mix_column(column, &mut lanes)?;
        }
        for lane in lanes {
            self.0 = self.0.wrapping_add(lane.finish());
        }
        Ok(())
    }

    /// Adds the rows that another sum has seen.
    pub(super) fn merge(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }

    /// The sum kept in a fingerprint: `INSERT INTO` continues from it.
    pub(super) fn of(fingerprint: Fingerprint, schema: &Schema) -> Self {
        Self(fingerprint.0.wrapping_sub(schema_hash(schema)))
    }

    /// The fingerprint of these rows under a schema.
    pub(super) fn finish(self, schema: &Schema) -> Fingerprint {
        Fingerprint(self.0.wrapping_add(schema_hash(schema)))
    }
}

impl Fingerprint {
    /// The fingerprint of a text, for views.
    pub fn of_text(text: &str) -> Self {
        Self(XxHash3_128::oneshot(text.as_bytes()))
    }

    /// Reads 32 hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 32).then(|| u128::from_str_radix(text, 16).ok().map(Self)).flatten()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Names and logical types; not nullability or metadata, which do not change what the rows say.
fn schema_hash(schema: &Schema) -> u128 {
    let mut text = String::new();
    for field in schema.fields() {
        text.push_str(&format!("{:?}:{}\n", field.name(), logical(field.data_type())));
    }
    XxHash3_128::oneshot(text.as_bytes())
}

/// The type that hashing sees: one representative per family of encodings.
fn logical(data_type: &DataType) -> DataType {
    let field = |field: &FieldRef| -> FieldRef {
        Field::new(field.name(), logical(field.data_type()), true).into()
    };
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => DataType::BinaryView,
        DataType::Dictionary(_, values) => logical(values),
        DataType::RunEndEncoded(_, values) => logical(values.data_type()),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(field).collect()),
        DataType::List(inner)
        | DataType::LargeList(inner)
        | DataType::ListView(inner)
        | DataType::LargeListView(inner)
        | DataType::FixedSizeList(inner, _) => {
            let item = Field::new_list_field(logical(inner.data_type()), true);
            DataType::LargeList(item.into())
        }
        DataType::Map(inner, sorted) => DataType::Map(field(inner), *sorted),
        other => other.clone(),
    }
}

/// The state of one row.
#[derive(Clone, Copy)]
struct Lanes(u64, u64);

const NULL: (u64, u64) = (0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f);

impl Lanes {
    const START: Self = Self(0x2d35_8dcc_aa6c_78a5, 0x8bb8_4b93_962e_acc9);

    fn mix(&mut self, low: u64, high: u64) {
        self.0 = fold(self.0 ^ low, 0x4b33_a62e_d433_d4a3).rotate_left(23) ^ low;
        self.1 = fold(self.1 ^ high, 0x4d5a_2da5_1de1_aa47).rotate_left(31) ^ high;
    }

    fn mix_bytes(&mut self, bytes: &[u8]) {
        let hash = XxHash3_128::oneshot(bytes);
        self.mix(hash as u64, (hash >> 64) as u64);
    }

    fn finish(self) -> u128 {
        let low = fold(self.0, 0xa076_1d64_78bd_642f) ^ self.1;
        let high = fold(self.1, 0xe703_7ed1_a0b4_28db) ^ self.0;
        (u128::from(high) << 64) | u128::from(low)
    }
}

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a).wrapping_mul(u128::from(b));
    (product as u64) ^ ((product >> 64) as u64)
}

/// Mixes one column into the rows.
fn mix_column(column: &ArrayRef, rows: &mut [Lanes]) -> Result<(), ArrowError> {
    macro_rules! primitive {
        ($type:ty, |$value:ident| $bits:expr) => {
            mix_primitive::<$type>(column.as_primitive(), rows, |$value| $bits)
        };
    }
    match column.data_type() {
        DataType::Null => rows.iter_mut().for_each(|row| row.mix(NULL.0, NULL.1)),
        DataType::Boolean => {
            let array = column.as_boolean();
            mix_each(array, rows, |row, i| {
                let bit = u64::from(array.value(i));
                row.mix(bit, !bit);
            });
        }
        DataType::Int8 => primitive!(Int8Type, |v| same(i64::from(v) as u64)),
        DataType::Int16 => primitive!(Int16Type, |v| same(i64::from(v) as u64)),
        DataType::Int32 => primitive!(Int32Type, |v| same(i64::from(v) as u64)),
        DataType::Int64 => primitive!(Int64Type, |v| same(v as u64)),
        DataType::UInt8 => primitive!(UInt8Type, |v| same(u64::from(v))),
        DataType::UInt16 => primitive!(UInt16Type, |v| same(u64::from(v))),
        DataType::UInt32 => primitive!(UInt32Type, |v| same(u64::from(v))),
        DataType::UInt64 => primitive!(UInt64Type, |v| same(v)),
        DataType::Float32 => primitive!(Float32Type, |v| same(f64_bits(f64::from(v)))),
        DataType::Float64 => primitive!(Float64Type, |v| same(f64_bits(v))),
        DataType::Date32 => primitive!(Date32Type, |v| same(i64::from(v) as u64)),
        DataType::Date64 => primitive!(Date64Type, |v| same(v as u64)),
        DataType::Timestamp(TimeUnit::Second, _) => {
            primitive!(TimestampSecondType, |v| same(v as u64))
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            primitive!(TimestampMillisecondType, |v| same(v as u64))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            primitive!(TimestampMicrosecondType, |v| same(v as u64))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            primitive!(TimestampNanosecondType, |v| same(v as u64))
        }
        DataType::Decimal128(_, _) => {
            primitive!(Decimal128Type, |v| (v as u64, (v >> 64) as u64))
        }
        DataType::Utf8View => {
            let array = column.as_string_view();
            mix_each(array, rows, |row, i| row.mix_bytes(array.value(i).as_bytes()));
        }
        DataType::BinaryView => {
            let array = column.as_binary_view();
            mix_each(array, rows, |row, i| row.mix_bytes(array.value(i)));
        }
        DataType::Utf8 => {
            let array = column.as_string::<i32>();
            mix_each(array, rows, |row, i| row.mix_bytes(array.value(i).as_bytes()));
        }
        DataType::FixedSizeBinary(_) => {
            let array: &FixedSizeBinaryArray = column.as_fixed_size_binary();
            mix_each(array, rows, |row, i| row.mix_bytes(array.value(i)));
        }
        DataType::Struct(_) => mix_struct(column.as_struct(), rows)?,
        DataType::LargeList(_) => {
            let array = column.as_list::<i64>();
            let mut items = vec![Lanes::START; array.values().len()];
            mix_column(array.values(), &mut items)?;
            let offsets = array.value_offsets();
            mix_each(array, rows, |row, i| {
                let range = offsets[i] as usize..offsets[i + 1] as usize;
                row.mix(range.len() as u64, !(range.len() as u64));
                for item in &items[range] {
                    let hash = item.finish();
                    row.mix(hash as u64, (hash >> 64) as u64);
                }
            });
        }
        other => {
            // Rarer encodings go through the representative of their family, and types without
            // one through their text form, which tells values apart.
            let target = match logical(other) {
                same if same == *other => DataType::Utf8View,
                family => family,
            };
            mix_column(&cast(column, &target)?, rows)?;
        }
    }
    Ok(())
}

fn mix_struct(array: &StructArray, rows: &mut [Lanes]) -> Result<(), ArrowError> {
    let mut inner = vec![Lanes::START; rows.len()];
    for column in array.columns() {
        mix_column(column, &mut inner)?;
    }
    mix_each(array, rows, |row, i| {
        let hash = inner[i].finish();
        row.mix(hash as u64, (hash >> 64) as u64);
    });
    Ok(())
}

fn mix_each(array: &dyn Array, rows: &mut [Lanes], mut mix: impl FnMut(&mut Lanes, usize)) {
    match array.nulls().filter(|nulls| nulls.null_count() > 0) {
        None => rows.iter_mut().enumerate().for_each(|(i, row)| mix(row, i)),
        Some(nulls) => rows.iter_mut().enumerate().for_each(|(i, row)| {
            if nulls.is_null(i) { row.mix(NULL.0, NULL.1) } else { mix(row, i) }
        }),
    }
}

fn mix_primitive<T: ArrowPrimitiveType>(
    array: &PrimitiveArray<T>,
    rows: &mut [Lanes],
    bits: impl Fn(T::Native) -> (u64, u64),
) {
    let values = array.values();
    mix_each(array, rows, |row, i| {
        let (low, high) = bits(values[i]);
        row.mix(low, high);
    });
}

/// Both lanes see the value, the second one with its bits in another place.
fn same(value: u64) -> (u64, u64) {
    (value, value.rotate_left(32) ^ 0x5851_f42d_4c95_7f2d)
}

/// All NaNs are one value; the zeros stay apart, as their bits do in the file.
fn f64_bits(value: f64) -> u64 {
    if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() }
}

#[cfg(test)]
#[path = "fingerprint_tests.rs"]
mod tests;
