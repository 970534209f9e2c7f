//! The laws of a commutative monoid, for every metric.

use datafusion::arrow::array::Float64Array;
use datafusion::arrow::datatypes::Schema;
use datafusion::physical_expr::expressions::lit;
use proptest::prelude::*;

use super::*;
use crate::aggregate::laws::assert_monoid;
use crate::aggregate::{
    average_precision, brier_score, confusion_matrix, f1_score, jensen_shannon_distance,
    ks_statistic, log_loss, matthews_corrcoef, population_stability_index, pr_curve, precision,
    precision_at_k, recall, recall_at_fpr, roc_auc, roc_curve, wasserstein_distance,
};

/// A label and a small number: few values make many ties.
type Row = (Option<bool>, Option<u8>);

fn metrics() -> [Arc<AggregateUDF>; 17] {
    [
        average_precision::udaf(),
        brier_score::udaf(),
        confusion_matrix::udaf(),
        f1_score::udaf(),
        jensen_shannon_distance::udaf(),
        ks_statistic::udaf(),
        log_loss::udaf(),
        matthews_corrcoef::udaf(),
        population_stability_index::udaf(),
        pr_curve::udaf(),
        precision::udaf(),
        precision_at_k::udaf(),
        recall::udaf(),
        recall_at_fpr::udaf(),
        roc_auc::udaf(),
        roc_curve::udaf(),
        wasserstein_distance::udaf(),
    ]
}

fn accumulator(udaf: &AggregateUDF) -> Box<dyn Accumulator> {
    let columns = [lit(0.0), lit(0.0)];
    let literal = match udaf.name() {
        "precision_at_k" => Some(lit(3_i64)),
        "recall_at_fpr" => Some(lit(0.3)),
        "pr_curve" | "roc_curve" => Some(lit(4_i64)),
        _ => None,
    };
    let exprs: Vec<_> = columns.into_iter().chain(literal).collect();
    let args = AccumulatorArgs {
        return_field: Arc::new(Field::new("metric", udaf.return_type(&[]).unwrap(), true)),
        schema: &Schema::empty(),
        ignore_nulls: false,
        order_bys: &[],
        is_reversed: false,
        name: "metric",
        is_distinct: false,
        exprs: &exprs,
        expr_fields: &[],
    };
    udaf.accumulator(args).unwrap()
}

/// The two columns of a metric: a truth value, and a number of the kind that it takes.
fn columns(udaf: &AggregateUDF, rows: &[Row]) -> Vec<ArrayRef> {
    let number = |number: u8| match udaf.name() {
        "precision" | "recall" | "f1_score" | "matthews_corrcoef" | "confusion_matrix" => {
            f64::from(number % 2)
        }
        "log_loss" | "brier_score" => f64::from(number) / 5.0,
        // Sums of these round.
        _ => f64::from(number) / 7.0,
    };
    let truths = rows.iter().map(|row| row.0.map(|truth| f64::from(u8::from(truth))));
    let numbers = rows.iter().map(|row| row.1.map(number));
    let columns: [ArrayRef; 2] =
        [Arc::new(truths.collect::<Float64Array>()), Arc::new(numbers.collect::<Float64Array>())];
    match udaf.name() {
        "jensen_shannon_distance"
        | "ks_statistic"
        | "population_stability_index"
        | "wasserstein_distance" => columns.into_iter().rev().collect(),
        _ => columns.to_vec(),
    }
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
    fn the_state_is_a_commutative_monoid(
        (rows, order) in rows().prop_flat_map(|rows| {
            let order: Vec<u32> = (0..rows.len() as u32).collect();
            (Just(rows), Just(order).prop_shuffle())
        }),
        cuts in [0..40_usize, 0..40_usize],
    ) {
        let rows: Vec<Row> = rows.into_iter().map(|(row, _)| row).collect();
        for udaf in metrics() {
            assert_monoid(|| accumulator(&udaf), &columns(&udaf, &rows), &order, cuts);
        }
    }

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
