//! The laws of every training function: the model does not depend on how the rows are laid out.

use datafusion::arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray};
use datafusion::arrow::array::{AsArray, StructArray};
use datafusion::arrow::datatypes::Fields;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::aggregate::laws::assert_monoid;

/// Value, text, key, label.
type Row = (Option<f64>, Option<u8>, i64, bool);

fn columns(trainer: &dyn Trainer, rows: &[Row]) -> Vec<ArrayRef> {
    let fields = Fields::from(vec![
        Field::new("x", DataType::Float64, true),
        Field::new("text", DataType::Utf8, true),
    ]);
    let text = |row: &Row| row.1.map(|text| text.to_string());
    let features = StructArray::new(
        fields,
        vec![
            Arc::new(Float64Array::from_iter(rows.iter().map(|row| row.0))),
            Arc::new(StringArray::from_iter(rows.iter().map(text))),
        ],
        None,
    );
    let mut columns: Vec<ArrayRef> = vec![Arc::new(features)];
    if trainer.is_supervised() {
        columns.push(Arc::new(BooleanArray::from_iter(rows.iter().map(|row| Some(row.3)))));
    }
    columns.push(Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.2))));
    columns
}

/// Checks with these options, which should make the fit cheap, that the state is a monoid.
pub(crate) fn assert_layout_invariant(
    trainer: &'static dyn Trainer,
    options: Vec<(&str, ScalarValue)>,
) {
    let (hyperparameters, _) = parse_options(trainer, Some(&ScalarValue::from(options))).unwrap();
    assert_training(trainer, hyperparameters);
}

/// The same with these hyperparameters.
pub(crate) fn assert_training(
    trainer: &'static dyn Trainer,
    hyperparameters: Arc<dyn Hyperparameters>,
) {
    let accumulator = || -> Box<dyn Accumulator> {
        let features = Arc::clone(&columns(trainer, &[])[0]);
        let fields = features.as_struct().fields().clone();
        let signature = features::signature(trainer.doc().name, &fields).unwrap();
        let (hyperparameters, options) = (Arc::clone(&hyperparameters), TrainingOptions::default());
        Box::new(TrainAccumulator::new(trainer, hyperparameters, options, signature).unwrap())
    };
    let value = prop_oneof![Just(None), Just(Some(f64::NAN)), any::<f64>().prop_map(Some)];
    // Keys repeat.
    let row = (value, proptest::option::of(0..4_u8), 0..40_i64, any::<bool>());
    let rows = vec(row, 0..60).prop_flat_map(|mut rows: Vec<Row>| {
        if !rows.is_empty() {
            rows.extend([(Some(1.0), None, 50, true), (Some(2.0), None, 51, false)]);
        }
        let order: Vec<u32> = (0..rows.len() as u32).collect();
        (Just(rows), Just(order).prop_shuffle())
    });
    TestRunner::new(Config::with_cases(64))
        .run(&(rows, [0..60_usize, 0..60_usize]), |((rows, order), cuts)| {
            assert_monoid(accumulator, &columns(trainer, &rows), &order, cuts);
            Ok(())
        })
        .unwrap();
}
