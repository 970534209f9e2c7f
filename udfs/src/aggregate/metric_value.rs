//! How the values of the metrics become SQL values.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float64Array, Int64Array, StructArray};
use datafusion::arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{Result, ScalarValue};

use crate::metrics::{Confusion, PrPoint, RocPoint};

/// The value of a metric; None is NULL.
pub(super) trait MetricValue: 'static {
    /// Its SQL type.
    fn data_type() -> DataType;

    /// The SQL value.
    fn into_scalar(self) -> Result<ScalarValue>;
}

impl MetricValue for Option<f64> {
    fn data_type() -> DataType {
        DataType::Float64
    }

    fn into_scalar(self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(self))
    }
}

/// BIGINT, as `count` gives.
impl MetricValue for Confusion {
    fn data_type() -> DataType {
        let names = ["true_positives", "false_positives", "false_negatives", "true_negatives"];
        DataType::Struct(fields(names, &DataType::Int64))
    }

    fn into_scalar(self) -> Result<ScalarValue> {
        let DataType::Struct(fields) = Self::data_type() else {
            return ScalarValue::try_from(&Self::data_type());
        };
        let counts =
            [self.true_positives, self.false_positives, self.false_negatives, self.true_negatives];
        let column = |count| Arc::new(Int64Array::from(vec![count as i64])) as ArrayRef;
        let row = StructArray::try_new(fields, counts.map(column).to_vec(), None)?;
        Ok(ScalarValue::Struct(Arc::new(row)))
    }
}

/// A point of a curve: a struct of three DOUBLEs.
trait CurvePoint: 'static {
    const NAMES: [&'static str; 3];

    fn values(&self) -> [f64; 3];
}

impl CurvePoint for RocPoint {
    const NAMES: [&'static str; 3] = ["threshold", "fpr", "tpr"];

    fn values(&self) -> [f64; 3] {
        [self.threshold, self.fpr, self.tpr]
    }
}

impl CurvePoint for PrPoint {
    const NAMES: [&'static str; 3] = ["threshold", "precision", "recall"];

    fn values(&self) -> [f64; 3] {
        [self.threshold, self.precision, self.recall]
    }
}

impl<P: CurvePoint> MetricValue for Option<Vec<P>> {
    fn data_type() -> DataType {
        let point = DataType::Struct(fields(P::NAMES, &DataType::Float64));
        DataType::List(Arc::new(Field::new_list_field(point, true)))
    }

    fn into_scalar(self) -> Result<ScalarValue> {
        let Some(points) = self else {
            return ScalarValue::try_from(&Self::data_type());
        };
        let column = |at: usize| {
            let values = points.iter().map(|point| point.values()[at]);
            Arc::new(Float64Array::from_iter_values(values)) as ArrayRef
        };
        let fields = fields(P::NAMES, &DataType::Float64);
        let points = StructArray::try_new(fields, [0, 1, 2].map(column).to_vec(), None)?;
        Ok(SingleRowListArrayBuilder::new(Arc::new(points)).build_list_scalar())
    }
}

fn fields<const N: usize>(names: [&str; N], data_type: &DataType) -> Fields {
    names.map(|name| Field::new(name, data_type.clone(), true)).to_vec().into()
}
