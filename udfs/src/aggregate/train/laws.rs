//! The laws of every training function, checked on any algorithm.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StructArray};
use datafusion::arrow::datatypes::{DataType, Field, Fields};
use datafusion::logical_expr::Accumulator;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::{TrainAccumulator, Trainer};
use crate::aggregate::laws::assert_monoid;
use crate::detectors::training::{Hyperparameters, TrainingOptions};

/// Checks [`assert_monoid`] on rows of two features, some missing, with keys that repeat.
pub(crate) fn assert_training(
    trainer: &'static dyn Trainer,
    hyperparameters: Arc<dyn Hyperparameters>,
) {
    let fields = Fields::from(vec![
        Field::new("x", DataType::Float64, true),
        Field::new("flag", DataType::Boolean, true),
    ]);
    let signature = crate::features::signature(trainer.doc().name, &fields).unwrap();
    let accumulator = || -> Box<dyn Accumulator> {
        let (hyperparameters, options) = (Arc::clone(&hyperparameters), TrainingOptions::default());
        Box::new(
            TrainAccumulator::new(trainer, hyperparameters, options, signature.clone()).unwrap(),
        )
    };
    let number = prop_oneof![
        Just(None),
        Just(Some(f64::NAN)),
        any::<f64>().prop_map(Some),
        (0..9).prop_map(|x| Some(f64::from(x)))
    ];
    let row = (number, any::<Option<bool>>(), any::<bool>(), 0..40_i64);
    let rows = vec(row, 0..60).prop_flat_map(|rows| {
        let order: Vec<u32> = (0..rows.len() as u32).collect();
        (Just(rows), Just(order).prop_shuffle())
    });
    TestRunner::default()
        .run(&(rows, [0..60_usize, 0..60_usize]), |((rows, order), cuts)| {
            let features: Vec<ArrayRef> = vec![
                Arc::new(Float64Array::from_iter(rows.iter().map(|row| row.0))),
                Arc::new(BooleanArray::from_iter(rows.iter().map(|row| row.1))),
            ];
            let mut columns: Vec<ArrayRef> =
                vec![Arc::new(StructArray::new(fields.clone(), features, None))];
            if trainer.is_supervised() {
                columns.push(Arc::new(BooleanArray::from_iter(rows.iter().map(|row| Some(row.2)))));
            }
            columns.push(Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.3))));
            assert_monoid(accumulator, &columns, &order, cuts);
            Ok(())
        })
        .unwrap();
}
