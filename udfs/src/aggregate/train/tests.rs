use datafusion::arrow::array::{
    ArrayRef, AsArray, BinaryArray, BooleanArray, Decimal128Array, DictionaryArray, Float64Array,
    Int8Array, Int32Array, Int64Array, LargeStringArray, StringArray, StringViewArray, StructArray,
    UInt64Array,
};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::datatypes::{Fields, Int32Type};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::datasource::MemTable;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use linfa::ParamGuard;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::aggregate::laws::assert_monoid;
use crate::aggregate::train_isolation_forest::TrainIsolationForest;
use crate::detectors::isolation_forest::{IsolationForest, IsolationForestParams};

const NAME: &str = "train_isolation_forest";

type Row = (Option<f64>, Option<bool>, i64, bool);

fn features(rows: &[Row]) -> ArrayRef {
    let fields = Fields::from(vec![
        Field::new("x", DataType::Float64, true),
        Field::new("flag", DataType::Boolean, true),
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Float64Array::from_iter(rows.iter().map(|row| row.0))),
        Arc::new(BooleanArray::from_iter(rows.iter().map(|row| row.1))),
    ];
    let valid = NullBuffer::from_iter(rows.iter().map(|row| row.3));
    Arc::new(StructArray::new(fields, columns, Some(valid)))
}

fn keys(rows: &[Row]) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.2)))
}

fn new(params: IsolationForestParams, features: &ArrayRef) -> TrainAccumulator {
    let signature = crate::features::signature(NAME, features.as_struct().fields()).unwrap();
    let params = Arc::new(params.check().unwrap());
    TrainAccumulator::new(&TrainIsolationForest, params, Default::default(), signature).unwrap()
}

/// An accumulator with a sample of 3 x 4 rows over the features `x` and `flag`.
fn accumulator() -> Box<dyn Accumulator> {
    accumulator_with_seed(42)
}

fn accumulator_with_seed(seed: u64) -> Box<dyn Accumulator> {
    let params = IsolationForest::params().n_estimators(3).max_samples(4).seed(seed);
    Box::new(new(params, &features(&[])))
}

/// The model trained on these columns.
fn train(features: &ArrayRef, keys: &ArrayRef) -> ScalarValue {
    let params = IsolationForest::params().n_estimators(10).max_samples(8);
    let mut accumulator = new(params, features);
    accumulator.update_batch(&[Arc::clone(features), Arc::clone(keys)]).unwrap();
    accumulator.evaluate().unwrap()
}

proptest! {
    #[test]
    fn the_state_is_a_commutative_monoid(
        (rows, order) in vec(
            (
                prop_oneof![Just(None), Just(Some(f64::NAN)), any::<f64>().prop_map(Some)],
                any::<Option<bool>>(),
                // Keys repeat.
                0..40_i64,
                prop::bool::weighted(0.9),
            ),
            0..60,
        )
        .prop_flat_map(|rows: Vec<Row>| {
            let order: Vec<u32> = (0..rows.len() as u32).collect();
            (Just(rows), Just(order).prop_shuffle())
        }),
        cuts in [0..60_usize, 0..60_usize],
    ) {
        assert_monoid(accumulator, &[features(&rows), keys(&rows)], &order, cuts);
    }
}

#[test]
fn no_rows_give_null() {
    assert_eq!(accumulator().evaluate().unwrap(), ScalarValue::BinaryView(None));
    let none: ArrayRef = Arc::new(BinaryArray::from(vec![None::<&[u8]>]));
    let mut merged = accumulator();
    merged.merge_batch(&[Arc::clone(&none), none]).unwrap();
    assert_eq!(merged.evaluate().unwrap(), ScalarValue::BinaryView(None));
}

#[test]
fn states_with_other_parameters_are_refused() {
    let state = accumulator_with_seed(7).state().unwrap();
    let state: Vec<_> = state.iter().map(|field| field.to_array().unwrap()).collect();
    let error = accumulator().merge_batch(&state).unwrap_err();
    assert!(error.to_string().contains("made with other parameters or features"), "{error}");
}

#[test]
fn a_null_key_is_an_error() {
    let keys: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
    let row = (Some(1.0), None, 1, true);
    let error = accumulator().update_batch(&[features(&[row, row]), keys]).unwrap_err();
    assert!(error.to_string().contains("argument `key` is NULL in 1 rows"), "{error}");
}

/// NULL and NaN are one value, and so is a NULL struct with all features NULL, whatever lies
/// under it.
#[test]
fn missing_is_missing() {
    let rows = |missing: Row| {
        let mut rows: Vec<Row> =
            (0..8).map(|key| (Some(key as f64), Some(true), key, true)).collect();
        rows[3] = missing;
        train(&features(&rows), &keys(&rows))
    };
    let all_null = rows((None, None, 3, true));
    assert_eq!(rows((Some(f64::NAN), None, 3, true)), all_null);
    assert_eq!(rows((Some(5.0), Some(false), 3, false)), all_null);
    assert_ne!(rows((Some(5.0), None, 3, true)), all_null);
}

#[test]
fn the_encoding_of_keys_and_features_does_not_matter() {
    let rows: Vec<Row> =
        (0..20).map(|key| (Some(key as f64), Some(key % 2 == 0), key, true)).collect();
    let numbers = features(&rows);
    let expected = train(&numbers, &keys(&rows));
    for keys in [
        Arc::new(Int8Array::from_iter_values(0..20)) as ArrayRef,
        Arc::new(UInt64Array::from_iter_values(0..20)),
        Arc::new(DictionaryArray::<Int32Type>::new(
            Int32Array::from_iter_values(0..20),
            Arc::new(Int64Array::from_iter_values(0..20)),
        )),
    ] {
        assert_eq!(train(&numbers, &keys), expected, "{}", keys.data_type());
    }
    let texts: Vec<String> = (0..20).map(|key| format!("event-{key}")).collect();
    let expected = train(&numbers, &(Arc::new(StringArray::from(texts.clone())) as ArrayRef));
    for keys in [
        Arc::new(LargeStringArray::from(texts.clone())) as ArrayRef,
        Arc::new(StringViewArray::from(texts.clone())),
        Arc::new(BinaryArray::from_iter_values(&texts)),
    ] {
        assert_eq!(train(&numbers, &keys), expected, "{}", keys.data_type());
    }
    let one = |column: ArrayRef| -> ArrayRef {
        let field = Field::new("x", column.data_type().clone(), true);
        Arc::new(StructArray::new(Fields::from(vec![field]), vec![column], None))
    };
    let keys = keys(&rows);
    let expected =
        train(&one(Arc::new(Float64Array::from_iter_values((0..20).map(f64::from)))), &keys);
    let decimals = Decimal128Array::from_iter_values((0..20).map(|x| x * 100));
    for column in [
        Arc::new(Int32Array::from_iter_values(0..20)) as ArrayRef,
        Arc::new(decimals.with_precision_and_scale(10, 2).unwrap()),
    ] {
        assert_eq!(train(&one(Arc::clone(&column)), &keys), expected, "{}", column.data_type());
    }
}

/// Options are checked before anything runs.
#[tokio::test]
async fn wrong_options_fail_the_optimiser() {
    let ctx = context(SessionConfig::new());
    for (options, message) in [
        ("{seed: -1}", "option `seed` must be an integer from 0, got -1 (Int64)"),
        ("{max_samples: 1}", "option `max_samples` must be between 2 and 16777216, got 1"),
        ("{seed: value}", "argument `options` must be a literal, the same for all rows"),
    ] {
        let query = format!(
            "SELECT train_isolation_forest({{x: value}}, value, {options}) FROM generate_series(1, 9)"
        );
        let error = ctx.sql(&query).await.unwrap().into_optimized_plan().unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }
}

/// Some engines do not fold literals before they run a plan.
#[tokio::test]
async fn options_are_read_without_an_optimiser() {
    let state = SessionStateBuilder::new_from_existing(context(SessionConfig::new()).state())
        .with_optimizer_rules(vec![])
        .build();
    #[allow(clippy::disallowed_methods)]
    let ctx = SessionContext::new_with_state(state);
    let query = |options: &str| {
        format!(
            "SELECT model_info(train_isolation_forest({{x: 1}}, 1, {options}))['options']['n_estimators']"
        )
    };
    let batches = ctx.sql(&query("{n_estimators: 3}")).await.unwrap().collect().await.unwrap();
    assert_eq!(batches[0].column(0).as_string::<i32>().value(0), "3");
    let error = ctx.sql(&query("{n_estimators: 0}")).await.unwrap().collect().await.unwrap_err();
    assert!(error.to_string().contains("must be between 1 and 10000, got 0"), "{error}");
}

fn context(config: SessionConfig) -> SessionContext {
    #[allow(clippy::disallowed_methods)]
    let ctx = SessionContext::new_with_config(config);
    crate::register_all(&ctx);
    ctx
}

/// The whole engine: the same rows in other batches, partitions and orders give the same model.
#[tokio::test]
async fn layout_does_not_change_the_model() {
    let rows: Vec<Row> = (0..3000_i64)
        .map(|key| {
            let x = (key * 7919 % 1013) as f64;
            (Some(x).filter(|_| key % 17 != 0), Some(key % 5 == 0), key, key % 29 != 0)
        })
        .collect();
    let mut reversed = rows.clone();
    reversed.reverse();
    let mut models = vec![];
    for rows in [rows, reversed] {
        for (files, batch_size, target_partitions) in [1, 7]
            .into_iter()
            .flat_map(|f| [1, 3, 8192].map(|b| [1, 4].map(|p| (f, b, p))))
            .flatten()
        {
            let config = SessionConfig::new()
                .with_batch_size(batch_size)
                .with_target_partitions(target_partitions);
            let ctx = context(config);
            let batch = |rows: &[Row]| {
                RecordBatch::try_from_iter_with_nullable([
                    ("features", features(rows), true),
                    ("key", keys(rows), true),
                ])
                .unwrap()
            };
            let partitions = rows
                .chunks(rows.len() / files)
                .map(|rows| rows.chunks(batch_size.max(100)).map(batch).collect::<Vec<_>>());
            let table = MemTable::try_new(batch(&[]).schema(), partitions.collect()).unwrap();
            ctx.register_table("t", Arc::new(table)).unwrap();
            let query = "SELECT train_isolation_forest(features, key, {n_estimators: 5, \
                         max_samples: 64, contamination: 0.05}) AS model FROM t";
            let batches = ctx.sql(query).await.unwrap().collect().await.unwrap();
            models.push(batches[0].column(0).as_binary_view().value(0).to_vec());
        }
    }
    models.dedup();
    assert_eq!(models.len(), 1);
}
