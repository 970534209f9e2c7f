use std::sync::Arc;

use datafusion::arrow::array::{
    DictionaryArray, Float64Array, Int32Array, Int64Array, LargeStringArray, ListArray,
    StringArray, StringViewArray,
};

use super::*;

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true)))
        .unwrap()
}

fn fingerprint(batches: &[RecordBatch]) -> Fingerprint {
    let mut sum = RowSum::default();
    for batch in batches {
        sum.add(batch).unwrap();
    }
    sum.finish(&batches[0].schema())
}

fn sample() -> RecordBatch {
    batch(vec![
        ("id", Arc::new(Int64Array::from_iter(0..100))),
        (
            "name",
            Arc::new(StringArray::from_iter(
                (0..100).map(|i| (i % 7 != 0).then(|| format!("n{i}"))),
            )),
        ),
        (
            "value",
            Arc::new(Float64Array::from_iter(
                (0..100).map(|i| (i % 5 != 0).then_some(f64::from(i) / 3.0)),
            )),
        ),
    ])
}

#[test]
fn order_and_batching_do_not_matter() {
    let all = sample();
    let whole = fingerprint(std::slice::from_ref(&all));
    assert_eq!(whole, fingerprint(&[all.slice(60, 40), all.slice(0, 7), all.slice(7, 53)]));
}

#[test]
fn merged_sums_equal_one_pass() {
    let all = sample();
    let (mut left, mut right) = (RowSum::default(), RowSum::default());
    left.add(&all.slice(0, 31)).unwrap();
    right.add(&all.slice(31, 69)).unwrap();
    left.merge(right);
    assert_eq!(left.finish(&all.schema()), fingerprint(&[all]));
}

#[test]
fn rows_and_duplicates_count() {
    let all = sample();
    let whole = fingerprint(std::slice::from_ref(&all));
    assert_ne!(whole, fingerprint(&[all.slice(0, 99)]));
    assert_ne!(whole, fingerprint(&[all.clone(), all.slice(0, 1)]));
    assert_ne!(whole, fingerprint(&[all.clone(), all]));
}

#[test]
fn encodings_of_one_logical_type_are_equal() {
    let texts = [Some("a"), None, Some(""), Some("a longer text that is not inlined")];
    let plain: ArrayRef = Arc::new(StringArray::from_iter(texts));
    let expected = fingerprint(&[batch(vec![("t", plain)])]);
    let others: [ArrayRef; 3] = [
        Arc::new(StringViewArray::from_iter(texts)),
        Arc::new(LargeStringArray::from_iter(texts)),
        Arc::new(texts.into_iter().collect::<DictionaryArray<Int32Type>>()),
    ];
    for other in others {
        assert_eq!(expected, fingerprint(&[batch(vec![("t", other)])]));
    }
}

#[test]
fn values_do_not_move_between_columns_or_rows() {
    let two = |a: Vec<i64>, b: Vec<i64>| {
        fingerprint(&[batch(vec![
            ("a", Arc::new(Int64Array::from(a))),
            ("b", Arc::new(Int64Array::from(b))),
        ])])
    };
    let base = two(vec![1, 2], vec![3, 4]);
    assert_ne!(base, two(vec![3, 4], vec![1, 2]));
    assert_ne!(base, two(vec![1, 2], vec![4, 3]));
    assert_ne!(base, two(vec![0, 0], vec![0, 0]));
}

#[test]
fn names_and_types_count() {
    let named =
        |name| fingerprint(&[batch(vec![(name, Arc::new(Int64Array::from(vec![1])) as ArrayRef)])]);
    assert_ne!(named("a"), named("b"));
    let narrow: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    assert_ne!(named("a"), fingerprint(&[batch(vec![("a", narrow)])]));
}

#[test]
fn null_empty_and_zero_differ() {
    let of = |value: Option<i64>| {
        fingerprint(&[batch(vec![("a", Arc::new(Int64Array::from(vec![value])))])])
    };
    assert_ne!(of(None), of(Some(0)));
    let list = |items: Vec<Option<Vec<Option<i64>>>>| {
        let array = ListArray::from_iter_primitive::<Int64Type, _, _>(items);
        fingerprint(&[batch(vec![("l", Arc::new(array))])])
    };
    assert_ne!(list(vec![None]), list(vec![Some(vec![])]));
    assert_ne!(list(vec![Some(vec![Some(1), Some(2)])]), list(vec![Some(vec![Some(2), Some(1)])]));
    assert_ne!(
        list(vec![Some(vec![Some(1)]), Some(vec![Some(2)])]),
        list(vec![Some(vec![Some(1), Some(2)]), Some(vec![])])
    );
}

#[test]
fn an_insert_continues_a_fingerprint() {
    let all = sample();
    let first = fingerprint(&[all.slice(0, 50)]);
    let mut sum = RowSum::of(first, &all.schema());
    sum.add(&all.slice(50, 50)).unwrap();
    assert_eq!(sum.finish(&all.schema()), fingerprint(&[all]));
}

#[test]
fn the_value_is_fixed_for_ever() {
    assert_eq!(fingerprint(&[sample()]).to_string(), "1a478d433fb377f538c51334f80545e9");
}
