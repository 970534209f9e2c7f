//! The laws of a commutative monoid, for every metric.

use datafusion::arrow::array::Float64Array;
use datafusion::arrow::datatypes::Schema;
use proptest::prelude::*;

use super::*;
use crate::aggregate::{average_precision, f1_score, precision, recall, roc_auc};

/// A label and a small number: few values make many ties.
type Row = (Option<bool>, Option<u8>);

fn metrics() -> [Arc<AggregateUDF>; 5] {
    [
        roc_auc::udaf(),
        average_precision::udaf(),
        precision::udaf(),
        recall::udaf(),
        f1_score::udaf(),
    ]
}

fn accumulator(udaf: &AggregateUDF) -> Box<dyn Accumulator> {
    let args = AccumulatorArgs {
        return_field: Arc::new(Field::new("metric", DataType::Float64, true)),
        schema: &Schema::empty(),
        ignore_nulls: false,
        order_bys: &[],
        is_reversed: false,
        name: "metric",
        is_distinct: false,
        exprs: &[],
        expr_fields: &[],
    };
    udaf.accumulator(args).unwrap()
}

fn columns(udaf: &AggregateUDF, rows: &[Row]) -> Vec<ArrayRef> {
    let ranks = ["roc_auc", "average_precision"].contains(&udaf.name());
    let other = |number: u8| f64::from(if ranks { number } else { number % 2 });
    let labels = rows.iter().map(|row| row.0.map(|label| f64::from(u8::from(label))));
    let others = rows.iter().map(|row| row.1.map(other));
    vec![Arc::new(labels.collect::<Float64Array>()), Arc::new(others.collect::<Float64Array>())]
}

fn state(accumulator: &mut dyn Accumulator) -> Vec<ArrayRef> {
    let values = accumulator.state().unwrap();
    values.iter().map(|value| value.to_array().unwrap()).collect()
}

fn rows() -> impl Strategy<Value = Vec<(Row, usize)>> {
    let row =
        (proptest::option::weighted(0.9, any::<bool>()), proptest::option::weighted(0.9, 0..6_u8));
    proptest::collection::vec((row, 0..4_usize), 0..40)
}

proptest! {
    #[test]
    fn any_split_in_any_order_equals_one_pass(rows in rows()) {
        for udaf in metrics() {
            let all: Vec<Row> = rows.iter().map(|(row, _)| *row).collect();
            let mut one_pass = accumulator(&udaf);
            one_pass.update_batch(&columns(&udaf, &all)).unwrap();
            let expected = one_pass.evaluate().unwrap();
            prop_assert_eq!(&one_pass.evaluate().unwrap(), &expected, "evaluate changes the state");

            // Some of the four parts may be empty: the identity. The first merges come last.
            let mut merged = accumulator(&udaf);
            for part in (0..4).rev() {
                let part: Vec<Row> =
                    rows.iter().filter(|(_, of)| *of == part).map(|(row, _)| *row).rev().collect();
                let mut partial = accumulator(&udaf);
                partial.update_batch(&columns(&udaf, &part)).unwrap();
                merged.merge_batch(&state(partial.as_mut())).unwrap();
            }
            prop_assert_eq!(&merged.evaluate().unwrap(), &expected);

            // A merged state is merged again.
            let mut again = accumulator(&udaf);
            again.merge_batch(&state(merged.as_mut())).unwrap();
            prop_assert_eq!(&again.evaluate().unwrap(), &expected);
        }
    }

    #[test]
    fn rows_with_null_change_nothing(rows in rows()) {
        for udaf in metrics() {
            let all: Vec<Row> = rows.iter().map(|(row, _)| *row).collect();
            let complete: Vec<Row> =
                all.iter().copied().filter(|row| row.0.is_some() && row.1.is_some()).collect();
            let value = |rows: &[Row]| {
                let mut accumulator = accumulator(&udaf);
                accumulator.update_batch(&columns(&udaf, rows)).unwrap();
                accumulator.evaluate().unwrap()
            };
            prop_assert_eq!(value(&all), value(&complete));
        }
    }

    #[test]
    fn a_row_taken_back_was_never_there(rows in rows()) {
        let kept: Vec<Row> = rows.iter().filter(|(_, part)| *part > 0).map(|(row, _)| *row).collect();
        let gone: Vec<Row> = rows.iter().filter(|(_, part)| *part == 0).map(|(row, _)| *row).collect();
        for udaf in metrics() {
            let mut slid = accumulator(&udaf);
            if !slid.supports_retract_batch() {
                continue;
            }
            slid.update_batch(&columns(&udaf, &gone)).unwrap();
            slid.update_batch(&columns(&udaf, &kept)).unwrap();
            slid.retract_batch(&columns(&udaf, &gone)).unwrap();
            let mut fresh = accumulator(&udaf);
            fresh.update_batch(&columns(&udaf, &kept)).unwrap();
            prop_assert_eq!(slid.evaluate().unwrap(), fresh.evaluate().unwrap());
        }
    }
}

#[test]
fn size_counts_the_scores() {
    let mut accumulator = accumulator(&roc_auc::udaf());
    let empty = accumulator.size();
    let rows = vec![(Some(true), Some(1)); 1000];
    accumulator.update_batch(&columns(&roc_auc::udaf(), &rows)).unwrap();
    assert!(accumulator.size() >= empty + 8000);
}
