//! How the states of the metrics cross Arrow.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, Float64Array, LargeListArray};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::cast::{as_float64_array, as_large_list_array, as_uint64_array};
use datafusion::common::{Result, internal_err};
use datafusion::scalar::ScalarValue;

use super::metric::{Change, MetricState};
use crate::metrics::{Confusion, Loss, MeanLoss, MetricError, Samples, Scores, TwoSamples};

impl MetricState for Scores {
    fn fields() -> Vec<(&'static str, DataType)> {
        ["positives", "negatives"].map(|name| (name, sample_type())).to_vec()
    }

    fn push(&mut self, label: f64, score: f64) -> Result<(), MetricError> {
        self.push(label, score)
    }

    fn merge(&mut self, states: &[ArrayRef]) -> Result<()> {
        merge_samples(self.samples(), states)
    }

    fn take(&mut self) -> Result<Vec<ScalarValue>> {
        take_samples(self.samples())
    }

    fn heap_size(&self) -> usize {
        self.heap_size()
    }

    const RETRACT: Option<Change<Self>> = None;
}

impl MetricState for TwoSamples {
    fn fields() -> Vec<(&'static str, DataType)> {
        ["reference", "current"].map(|name| (name, sample_type())).to_vec()
    }

    fn push(&mut self, value: f64, is_reference: f64) -> Result<(), MetricError> {
        self.push(value, is_reference)
    }

    fn merge(&mut self, states: &[ArrayRef]) -> Result<()> {
        merge_samples(self.samples(), states)
    }

    fn take(&mut self) -> Result<Vec<ScalarValue>> {
        take_samples(self.samples())
    }

    fn heap_size(&self) -> usize {
        self.heap_size()
    }

    const RETRACT: Option<Change<Self>> = None;
}

fn sample_type() -> DataType {
    DataType::LargeList(value_field())
}

fn value_field() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Float64, true))
}

fn merge_samples(samples: &mut Samples, states: &[ArrayRef]) -> Result<()> {
    let [first, second] = states else {
        return internal_err!("a state of samples has 2 columns, got {}", states.len());
    };
    let (first, second) = (as_large_list_array(first)?, as_large_list_array(second)?);
    for row in 0..first.len() {
        let (first, second) = (first.value(row), second.value(row));
        samples.merge(as_float64_array(&first)?.values(), as_float64_array(&second)?.values());
    }
    Ok(())
}

fn take_samples(samples: &mut Samples) -> Result<Vec<ScalarValue>> {
    samples.take_sorted().into_iter().map(sample_list).collect()
}

/// One list, whose values are not copied.
fn sample_list(values: Vec<f64>) -> Result<ScalarValue> {
    let list = LargeListArray::try_new(
        value_field(),
        OffsetBuffer::from_lengths([values.len()]),
        Arc::new(Float64Array::from(values)),
        None,
    )?;
    Ok(ScalarValue::LargeList(Arc::new(list)))
}

impl<L: Loss> MetricState for MeanLoss<L> {
    fn fields() -> Vec<(&'static str, DataType)> {
        ["rows", "sum_high", "sum_low"].map(|name| (name, DataType::UInt64)).to_vec()
    }

    fn push(&mut self, label: f64, probability: f64) -> Result<(), MetricError> {
        self.merge(Self::of(label, probability)?);
        Ok(())
    }

    fn merge(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [rows, high, low] = counts(states)?;
        for row in 0..rows.len() {
            let sum = u128::from(high[row]) << 64 | u128::from(low[row]);
            self.merge(Self::from_parts(rows[row], sum));
        }
        Ok(())
    }

    fn take(&mut self) -> Result<Vec<ScalarValue>> {
        let (rows, sum) = std::mem::take(self).parts();
        Ok([rows, (sum >> 64) as u64, sum as u64].map(ScalarValue::from).to_vec())
    }

    fn heap_size(&self) -> usize {
        0
    }

    const RETRACT: Option<Change<Self>> = Some(|state, label, probability| {
        state.retract(Self::of(label, probability)?);
        Ok(())
    });
}

/// The state columns as integers, one slice per column.
fn counts<const N: usize>(states: &[ArrayRef]) -> Result<[&[u64]; N]> {
    let columns = states
        .iter()
        .map(|column| Ok(&as_uint64_array(column)?.values()[..]))
        .collect::<Result<Vec<_>>>()?;
    columns.try_into().or_else(|columns: Vec<_>| {
        internal_err!("a state of counts has {N} columns, got {}", columns.len())
    })
}

impl MetricState for Confusion {
    fn fields() -> Vec<(&'static str, DataType)> {
        ["true_positives", "false_positives", "false_negatives", "true_negatives"]
            .map(|name| (name, DataType::UInt64))
            .to_vec()
    }

    fn push(&mut self, label: f64, predicted: f64) -> Result<(), MetricError> {
        self.merge(Self::of(label, predicted)?);
        Ok(())
    }

    fn merge(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [true_positives, false_positives, false_negatives, true_negatives] = counts(states)?;
        for row in 0..true_positives.len() {
            self.merge(Self {
                true_positives: true_positives[row],
                false_positives: false_positives[row],
                false_negatives: false_negatives[row],
                true_negatives: true_negatives[row],
            });
        }
        Ok(())
    }

    fn take(&mut self) -> Result<Vec<ScalarValue>> {
        let Self { true_positives, false_positives, false_negatives, true_negatives } =
            std::mem::take(self);
        let counts = [true_positives, false_positives, false_negatives, true_negatives];
        Ok(counts.map(ScalarValue::from).to_vec())
    }

    fn heap_size(&self) -> usize {
        0
    }

    const RETRACT: Option<Change<Self>> = Some(|state, label, predicted| {
        state.retract(Self::of(label, predicted)?);
        Ok(())
    });
}
