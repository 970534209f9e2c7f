//! The laws of JSON, checked on the model of any detector.

use std::collections::HashSet;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::detectors::laws::{assert_scores, odd_rows};
use crate::detectors::model::Model;

/// Checks that a model survives.
pub(in crate::detectors) fn assert_round_trip(model: &Model) {
    let text = model.to_json().unwrap();
    let read = Model::from_json(&text).unwrap();
    assert_eq!(read.encode(), model.encode(), "{text}");
}

/// Checks that the order of fields does not matter; that an unknown, a missing and a repeated field
/// of any object is an error that names it; and that no change makes the reader panic, or accept
/// what is not a model.
pub(in crate::detectors) fn assert_json(model: &Model) {
    let text = model.to_json().unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    // Its fields are sorted.
    assert_ne!(document.to_string(), text);
    assert_eq!(Model::from_json(&document.to_string()).unwrap().encode(), model.encode());

    let mut places = vec![];
    add_places(&document, String::new(), &mut places);
    // One place of each kind: lists are long.
    let mut known = HashSet::new();
    let kind = |place: &str| -> String { place.chars().filter(|c| !c.is_ascii_digit()).collect() };
    let kinds: Vec<String> =
        places.iter().filter(|place| known.insert(kind(place))).cloned().collect();

    kinds.iter().for_each(|place| assert_fields(&document, place));
    assert_changes(&document, &[kinds, places]);
}

fn add_places(value: &Value, at: String, places: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            for (position, item) in items.iter().enumerate() {
                add_places(item, format!("{at}/{position}"), places);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                add_places(field, format!("{at}/{name}"), places);
            }
        }
        _ => {}
    }
    places.push(at);
}

fn assert_fields(document: &Value, place: &str) {
    let Some(Value::Object(fields)) = document.pointer(place) else { return };
    let error = |change: &dyn Fn(&mut serde_json::Map<String, Value>), repeated: &str| {
        let mut changed = document.clone();
        change(changed.pointer_mut(place).unwrap().as_object_mut().unwrap());
        let text = changed.to_string().replace("\"extra\"", &format!("{repeated:?}"));
        Model::from_json(&text).unwrap_err().to_string()
    };
    let extra = |fields: &mut serde_json::Map<String, Value>| {
        fields.insert("extra".to_owned(), json!(1));
    };
    let unknown = error(&extra, "extra");
    assert!(unknown.contains("unknown") && unknown.contains("`extra`"), "{place}: {unknown}");
    for name in fields.keys() {
        let missing = error(&|fields| drop(fields.remove(name)), "extra");
        let again = |fields: &mut serde_json::Map<String, Value>| {
            fields.insert("extra".to_owned(), fields[name].clone());
        };
        let repeated = error(&again, name);
        // An object that stands for a kind of node has one field.
        if !["leaf", "split"].contains(&name.as_str()) {
            assert!(missing.contains(&format!("missing field `{name}`")), "{place}: {missing}");
            assert!(repeated.contains(&format!("duplicate field `{name}`")), "{place}: {repeated}");
        }
    }
}

fn change_a_little(value: &mut Value, kind: usize) {
    match (value, kind) {
        (Value::Array(items), 0) => drop(items.pop()),
        (Value::Array(items), 1) => items.extend(items.last().cloned()),
        (Value::Array(items), _) => items.reverse(),
        (Value::Number(number), 0) => *number = number.as_u64().unwrap_or(0).wrapping_add(1).into(),
        (Value::Bool(truth), _) => *truth = !*truth,
        _ => {}
    }
}

/// `of` are the places to change: those of each kind, and all.
fn assert_changes(document: &Value, of: &[Vec<String>; 2]) {
    let features = document["features"].as_array().unwrap().len();
    let values = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(-0.0),
        json!(0.5),
        json!(1e300),
        json!(4_294_967_297_u64),
        json!(u64::MAX),
        json!("Infinity"),
        json!([]),
        json!([[], []]),
        json!({}),
    ];
    let change = (any::<bool>(), any::<Index>(), 0..values.len() + 3);
    let byte = (any::<Index>(), prop_oneof![any::<u8>(), Just(b'0'), Just(b'9'), Just(b'[')]);
    let changes = proptest::collection::vec(change, 0..3);
    let bytes = proptest::collection::vec(byte, 0..2);
    let cases = (4_000_000 / document.to_string().len()).clamp(20, 300) as u32;
    TestRunner::new(Config::with_cases(cases))
        .run(&(changes, bytes), |(changes, bytes)| {
            let mut changed = document.clone();
            for (all, place, action) in changes {
                let places = &of[usize::from(all)];
                // An earlier change may have removed it.
                let Some(target) = changed.pointer_mut(&places[place.index(places.len())]) else {
                    continue;
                };
                match action.checked_sub(values.len()) {
                    None => *target = values[action].clone(),
                    Some(kind) => change_a_little(target, kind),
                }
            }
            let mut text = changed.to_string().into_bytes();
            for (at, byte) in bytes {
                let at = at.index(text.len());
                text[at] = byte;
            }
            if let Ok(model) = Model::from_json(&String::from_utf8_lossy(&text)) {
                assert_scores(&model, &odd_rows(features));
                assert_round_trip(&model);
            }
            Ok(())
        })
        .unwrap();
}
