//! How the states of the metrics cross Arrow.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, Float64Array, LargeListArray};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::cast::{as_float64_array, as_large_list_array, as_uint64_array};
use datafusion::common::{Result, internal_err};
use datafusion::scalar::ScalarValue;

use super::metric::{Change, MetricState};
use crate::metrics::{Confusion, MetricError, Scores};

impl MetricState for Scores {
    fn fields() -> Vec<(&'static str, DataType)> {
        let scores = DataType::LargeList(score_field());
        vec![("positives", scores.clone()), ("negatives", scores)]
    }

    fn push(&mut self, label: f64, score: f64) -> Result<(), MetricError> {
        self.push(label, score)
    }

    fn merge(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [positives, negatives] = states else {
            return internal_err!("a state of scores has 2 columns, got {}", states.len());
        };
        let (positives, negatives) =
            (as_large_list_array(positives)?, as_large_list_array(negatives)?);
        for row in 0..positives.len() {
            let (positives, negatives) = (positives.value(row), negatives.value(row));
            self.merge(
                as_float64_array(&positives)?.values(),
                as_float64_array(&negatives)?.values(),
            );
        }
        Ok(())
    }

    fn take(&mut self) -> Result<Vec<ScalarValue>> {
        let (positives, negatives) = self.take_sorted();
        Ok(vec![score_list(positives)?, score_list(negatives)?])
    }

    fn heap_size(&self) -> usize {
        self.heap_size()
    }

    const RETRACT: Option<Change<Self>> = None;
}

fn score_field() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Float64, true))
}

/// One list, whose values are not copied.
fn score_list(scores: Vec<f64>) -> Result<ScalarValue> {
    let list = LargeListArray::try_new(
        score_field(),
        OffsetBuffer::from_lengths([scores.len()]),
        Arc::new(Float64Array::from(scores)),
        None,
    )?;
    Ok(ScalarValue::LargeList(Arc::new(list)))
}

impl MetricState for Confusion {
    fn fields() -> Vec<(&'static str, DataType)> {
        ["true_positives", "false_positives", "false_negatives"]
            .map(|name| (name, DataType::UInt64))
            .to_vec()
    }

    fn push(&mut self, label: f64, predicted: f64) -> Result<(), MetricError> {
        self.merge(Self::of(label, predicted)?);
        Ok(())
    }

    fn merge(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [true_positives, false_positives, false_negatives] = states else {
            return internal_err!(
                "a state of confusion counts has 3 columns, got {}",
                states.len()
            );
        };
        let true_positives = as_uint64_array(true_positives)?.values();
        let false_positives = as_uint64_array(false_positives)?.values();
        let false_negatives = as_uint64_array(false_negatives)?.values();
        for row in 0..true_positives.len() {
            self.merge(Self {
                true_positives: true_positives[row],
                false_positives: false_positives[row],
                false_negatives: false_negatives[row],
            });
        }
        Ok(())
    }

    fn take(&mut self) -> Result<Vec<ScalarValue>> {
        let Self { true_positives, false_positives, false_negatives } = std::mem::take(self);
        let counts = [true_positives, false_positives, false_negatives];
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
