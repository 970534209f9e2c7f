use datafusion::arrow::array::BinaryArray;
use linfa::ParamGuard;
use ndarray::Array2;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::aggregate::laws::assert_monoid;
use crate::detectors::categories::{CategoryCounts, CategoryEncoding, Encoder};
use crate::detectors::hbos::Hbos;
use crate::detectors::training::{TrainingOptions, train};

type Row = (Option<f64>, Option<u8>);

fn columns(model: &[u8], rows: &[Row]) -> Vec<ArrayRef> {
    let fields = Fields::from(vec![
        Field::new("x", DataType::Float64, true),
        Field::new("text", DataType::Utf8, true),
    ]);
    let text = |row: &Row| row.1.map(|text| text.to_string());
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Float64Array::from_iter(rows.iter().map(|row| row.0))),
        Arc::new(StringArray::from_iter(rows.iter().map(text))),
    ];
    let models = vec![Some(model); rows.len()];
    vec![
        Arc::new(models.into_iter().collect::<BinaryArray>()),
        Arc::new(StructArray::new(fields, columns, None)),
    ]
}

/// Of 50 rows: `x` from 0 to 4 and the texts 0 and 1.
fn model() -> Vec<u8> {
    let rows = columns(&[], &[]);
    let signature = features::signature(NAME, rows[1].as_struct().fields()).unwrap();
    let mut counts = CategoryCounts::new("text".to_owned(), CategoryEncoding::default());
    counts.count("0", 25).unwrap();
    counts.count("1", 25).unwrap();
    let encoding = CategoryEncoding::default();
    let encoder = Encoder::new(&signature, encoding, [counts.categories()]);
    let sample = Array2::from_shape_fn((50, 2), |(row, column)| (row % [5, 2][column]) as f64);
    let (params, options) = (Hbos::params().check().unwrap(), TrainingOptions::default());
    train(&params, &options, signature, encoder, 50, sample.view(), None).unwrap().encode()
}

#[test]
fn the_state_is_a_commutative_monoid() {
    let model = model();
    let value = prop_oneof![Just(None), any::<f64>().prop_map(Some), (-9.0..9.0).prop_map(Some)];
    let rows = vec((value, proptest::option::of(0..4_u8)), 0..60).prop_flat_map(|rows| {
        let order: Vec<u32> = (0..rows.len() as u32).collect();
        (Just(rows), Just(order).prop_shuffle())
    });
    proptest!(ProptestConfig::with_cases(64), |(
        (rows, order) in rows, cuts in [0..60_usize, 0..60_usize]
    )| {
        let accumulator = || Box::new(DriftAccumulator(None)) as Box<dyn Accumulator>;
        assert_monoid(accumulator, &columns(&model, &rows), &order, cuts);
    });
}
