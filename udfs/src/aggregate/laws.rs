//! The laws of every aggregate, checked on any accumulator: its state is a commutative monoid.

use datafusion::arrow::array::{ArrayRef, UInt32Array};
use datafusion::arrow::compute::take_arrays;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Accumulator;

/// A state as it travels: one array per state field.
type State = Vec<ArrayRef>;

/// Checks that the rows in `columns` give one value, to the bit, in one pass, in any order, and
/// through states of any parts merged in any way; that the empty state is the identity; and that
/// `evaluate` neither spends nor changes the state.
///
/// `order` is a permutation of the row numbers; `cuts` are two positions that cut it in three.
pub(crate) fn assert_monoid(
    accumulator: impl Fn() -> Box<dyn Accumulator>,
    columns: &[ArrayRef],
    order: &[u32],
    cuts: [usize; 2],
) {
    let rows =
        |rows: &[u32]| take_arrays(columns, &UInt32Array::from(rows.to_vec()), None).unwrap();
    let state = |part: &[u32]| {
        let mut accumulator = accumulator();
        accumulator.update_batch(&rows(part)).unwrap();
        travel(accumulator.state().unwrap())
    };
    let merge = |states: &[&State]| {
        let mut merged = accumulator();
        for state in states {
            merged.merge_batch(state).unwrap();
        }
        merged
    };
    let value = |states: &[&State]| merge(states).evaluate().unwrap();

    let mut one_pass = accumulator();
    one_pass.update_batch(columns).unwrap();
    let expected = one_pass.evaluate().unwrap();
    assert_eq!(one_pass.evaluate().unwrap(), expected, "evaluate changed the state");
    assert!(one_pass.size() >= size_of_val(one_pass.as_ref()), "size leaves out the struct");

    let mut row_by_row = accumulator();
    for row in order {
        row_by_row.update_batch(&rows(&[*row])).unwrap();
    }
    assert_eq!(row_by_row.evaluate().unwrap(), expected, "the order of rows changed the value");
    assert_eq!(
        value(&[&travel(row_by_row.state().unwrap())]),
        expected,
        "the state after evaluate lost something"
    );

    let [first, second] = cuts.map(|cut| cut.min(order.len()));
    let (first, second) = (first.min(second), first.max(second));
    let [a, b, c] = [&order[..first], &order[first..second], &order[second..]].map(state);
    let empty = travel(accumulator().state().unwrap());
    assert_eq!(value(&[&a, &b, &c]), expected, "a split changed the value");
    assert_eq!(value(&[&c, &a, &b]), expected, "merge does not commute");
    assert_eq!(value(&[&empty, &a, &empty, &b, &c]), expected, "empty is not the identity");
    let ab = travel(merge(&[&a, &b]).state().unwrap());
    let bc = travel(merge(&[&b, &c]).state().unwrap());
    assert_eq!(value(&[&ab, &c]), expected, "a merged state lost something");
    assert_eq!(value(&[&a, &bc]), expected, "merge does not associate");

    let mut mixed = accumulator();
    mixed.merge_batch(&a).unwrap();
    mixed.update_batch(&rows(&order[first..])).unwrap();
    assert_eq!(mixed.evaluate().unwrap(), expected, "update after merge changed the value");
}

/// A state as arrays, as between partial and final aggregation.
fn travel(state: Vec<ScalarValue>) -> State {
    state.iter().map(|field| field.to_array().unwrap()).collect()
}
