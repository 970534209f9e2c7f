//! The encoding is pinned; replaying what was written gives what was written, and tells whatever is
//! changed after.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::entry::{Draft, Link, LogEntry};
use super::event;
use super::payload::{RowChange, first_entries};
use super::replay::{Finding, Replay};
use crate::audit::relations::{CURRENT, EXPLAINED, LEASES, METRICS, PARAMS, RUNS, Relation};
use crate::audit::values::values;
use crate::audit::{ColumnType, RunId, Value};
use crate::error::ErrorKind;

fn at(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_767_225_600_000_000 + micros).unwrap()
}

fn entry() -> LogEntry {
    LogEntry {
        sequence: 2,
        time: at(123_456),
        actor: "ann@worker-1".into(),
        run: Some(RunId::new("r1")),
        event: "published".into(),
        payload: r#"{"put":{}}"#.into(),
        previous: "p".repeat(64),
        hash: String::new(),
    }
}

/// Entries of a new log that make these changes, one each.
fn log(changes: &[Vec<RowChange>]) -> Vec<LogEntry> {
    let mut log: Vec<LogEntry> = vec![];
    for changes in std::iter::once(&vec![]).chain(changes) {
        let event = if log.is_empty() { event::STORE_CREATED } else { event::STEP_RECORDED };
        let head = log.last().map(|e| Link { sequence: e.sequence, hash: e.hash.clone() });
        let draft = Draft::new(event, None).explaining(changes).unwrap();
        log.push(draft.seal(head, at(log.len() as i64)));
    }
    log
}

fn replay(log: &[LogEntry]) -> Replay {
    let mut replay = Replay::default();
    log.iter().for_each(|entry| replay.follow(entry));
    replay
}

fn entries_of(findings: &[Finding]) -> Vec<Option<i64>> {
    findings.iter().map(|finding| finding.entry).collect()
}

/// The bytes of every log depend on this: a change makes all stores unverifiable.
#[test]
fn the_encoding_is_pinned() {
    let by_hand = {
        let mut bytes = b"pipeline log 1\n".to_vec();
        bytes.extend(2_i64.to_le_bytes());
        bytes.extend(1_767_225_600_123_456_i64.to_le_bytes());
        for text in ["ann@worker-1", "r1", "published", r#"{"put":{}}"#, &"p".repeat(64)] {
            bytes.extend((text.len() as u64).to_le_bytes());
            bytes.extend(text.as_bytes());
        }
        blake3::hash(&bytes).to_hex().to_string()
    };
    assert_eq!(entry().computed_hash(), by_hand);
    assert_eq!(by_hand, "5f078cf683218f9b53b9609b0076cef0c57ec8e2a69981d2072d5ab5933c9859");
}

#[test]
fn the_hash_depends_on_every_field_and_on_where_they_end() {
    let other = |change: fn(&mut LogEntry)| {
        let mut entry = entry();
        change(&mut entry);
        entry.computed_hash()
    };
    let hashes = [
        other(|_| ()),
        other(|e| e.sequence = 3),
        other(|e| e.time += TimeDelta::microseconds(1)),
        other(|e| e.actor.push('x')),
        other(|e| e.run = None),
        other(|e| e.run = Some(RunId::new(""))),
        other(|e| e.event.push('x')),
        other(|e| e.payload.push(' ')),
        other(|e| e.previous.push('0')),
        // The same letters in other fields.
        other(|e| (e.actor, e.run) = ("ann@worker-1r".into(), Some(RunId::new("1")))),
        other(|e| (e.event, e.payload) = ("publishe".into(), r#"d{"put":{}}"#.into())),
    ];
    let distinct: std::collections::BTreeSet<_> = hashes.iter().collect();
    assert_eq!(distinct.len(), hashes.len());
}

#[test]
fn a_payload_is_canonical_json() {
    let changes = [
        RowChange::Put(&PARAMS, values!["r1", "b", "2", "configuration"]),
        RowChange::Put(&PARAMS, values!["r1", "a", "it's \"1\"", "configuration"]),
        RowChange::Put(&METRICS, values!["r1", 1, 1, "eval.m", "v", Value::Null, "auc", 1.0]),
        RowChange::Set(&LEASES, vec![("run", Value::Null), ("expires", at(1).into())]),
        RowChange::Delete(&CURRENT, vec![("relation", "raw.events".into())]),
    ];
    let draft = Draft::new("x", None).note("manifest", "m").explaining(&changes).unwrap();
    let expected = r#"{"delete":{"current":[{"relation":"raw.events"}]},"note":{"manifest":"m"},"put":{"metrics":[{"metric":"auc","position":1,"relation":"eval.m","run":"r1","step":1,"value":"1.0","version":"v"}],"params":[{"name":"b","origin":"configuration","run":"r1","value":"2"},{"name":"a","origin":"configuration","run":"r1","value":"it's \"1\""}]},"set":{"leases":[{"expires":"2026-01-01T00:00:00.000001Z","run":null}]}}"#;
    assert_eq!(draft.seal(None, at(0)).payload, expected);
}

#[test]
fn a_broken_chain_is_found_where_it_breaks() {
    let changes: Vec<_> = (1..=5)
        .map(|n| vec![RowChange::Put(&PARAMS, values!["r", format!("p{n}"), "1", "here"])])
        .collect();
    let sound = log(&changes);
    assert_eq!(replay(&sound).findings, []);
    let first = |log: &[LogEntry]| replay(log).findings.first().and_then(|found| found.entry);
    let changed = |change: fn(&mut LogEntry)| {
        let mut log = sound.clone();
        change(&mut log[3]);
        first(&log)
    };
    assert_eq!(changed(|e| e.actor.push('x')), Some(4));
    assert_eq!(changed(|e| e.payload = "{}".into()), Some(4));
    assert_eq!(changed(|e| e.payload = "{".into()), Some(4));
    assert_eq!(changed(|e| e.previous = "0".repeat(64)), Some(4));
    assert_eq!(changed(|e| e.hash = "0".repeat(64)), Some(4));
    // With a hash that fits, the next one does not.
    let resealed = changed(|e| {
        e.actor.push('x');
        e.hash = e.computed_hash();
    });
    assert_eq!(resealed, Some(5));
    let without = |gone: usize| {
        let mut log = sound.clone();
        log.remove(gone);
        first(&log)
    };
    assert_eq!((0..5).map(without).collect::<Vec<_>>(), [1, 2, 3, 4, 5].map(Some));
    let mut swapped = sound.clone();
    swapped.swap(2, 3);
    assert_eq!(first(&swapped), Some(3));
}

#[test]
fn a_payload_that_cannot_be_is_found() {
    for payload in [
        "null",
        r#"{"puts":{}}"#,
        r#"{"put":{"nowhere":[{}]}}"#,
        r#"{"put":{"params":[{"colour":"red"}]}}"#,
        r#"{"put":{"steps":[{"rows":"many"}]}}"#,
        r#"{"put":{"steps":[{"rows":1.5}]}}"#,
        r#"{"put":{"runs":[{"started":"yesterday"}]}}"#,
        r#"{"set":{"runs":[{"id":"nobody","state":"failed"}]}}"#,
        r#"{"delete":{"current":[{"relation":"raw.nothing"}]}}"#,
    ] {
        let mut log = log(&[vec![]]);
        log[1].payload = payload.into();
        log[1].hash = log[1].computed_hash();
        let findings = replay(&log).findings;
        assert_eq!(entries_of(&findings), [Some(2)], "{payload}");
        assert!(findings[0].what.starts_with("its payload cannot be right"), "{findings:?}");
    }
}

#[test]
fn rows_that_differ_are_found_with_the_entry_that_wrote_them() {
    let row = |name: &str, value: &str| values!["r", name, value, "here"];
    let put = |name: &str| vec![RowChange::Put(&PARAMS, row(name, "1"))];
    let replay = replay(&log(&[put("a"), put("b"), put("a")]));
    assert_eq!(replay.compare(&PARAMS, &[row("b", "1"), row("a", "1")]), []);
    let found = |rows: &[Vec<Value>]| {
        let findings = replay.compare(&PARAMS, rows);
        findings.into_iter().map(|found| (found.entry, found.what)).collect::<Vec<_>>()
    };
    let what = |entry, what: &str| (entry, format!("the row of `params` with run, name {what}"));
    assert_eq!(
        found(&[row("a", "2"), row("b", "1")]),
        [what(Some(4), r#""r", "a": `value` is "2", the log says "1""#)]
    );
    assert_eq!(found(&[row("a", "1")]), [what(Some(3), r#""r", "b": it is gone"#)]);
    assert_eq!(
        found(&[row("a", "1"), row("b", "1"), row("c", "1")]),
        [what(None, r#""r", "c": no entry explains it"#)]
    );
    assert_eq!(
        found(&[row("a", "1"), row("b", "1"), row("b", "1")]),
        [what(None, r#""r", "b": it is there twice"#)]
    );
}

#[test]
fn only_the_end_of_a_held_lease_may_move() {
    let row =
        |run: Option<&str>, expires: Option<DateTime<Utc>>| values!["w", run, 1, at(0), expires];
    let held = log(&[vec![RowChange::Put(&LEASES, row(Some("r"), Some(at(30))))]]);
    let held = replay(&held);
    assert_eq!(held.compare(&LEASES, &[row(Some("r"), Some(at(99)))]), []);
    assert_eq!(held.compare(&LEASES, &[row(Some("x"), Some(at(99)))]).len(), 1);
    assert_eq!(held.compare(&LEASES, &[row(None, None)]).len(), 1);
    let free = replay(&log(&[vec![RowChange::Put(&LEASES, row(None, None))]]));
    assert_eq!(free.compare(&LEASES, &[row(None, Some(at(99)))]).len(), 1);
}

#[test]
fn the_head_is_sealed_between_a_publish_and_the_release() {
    let run = RunId::new("r");
    let mut replay = Replay::default();
    let mut head = None;
    let mut sealed = vec![];
    for (event, run) in [
        (event::STORE_CREATED, None),
        (event::LEASE_ACQUIRED, Some(&run)),
        (event::PUBLISHED, Some(&run)),
        (event::LEASE_RELEASED, Some(&run)),
        // Ended without a publish.
        (event::LEASE_ACQUIRED, Some(&run)),
        (event::RUN_ENDED, Some(&run)),
        (event::LEASE_RELEASED, Some(&run)),
        // Died before its head was written; another took over.
        (event::LEASE_ACQUIRED, Some(&run)),
        (event::PUBLISHED, Some(&run)),
        (event::LEASE_ACQUIRED, Some(&RunId::new("next"))),
        (event::LEASE_RELEASED, Some(&RunId::new("next"))),
    ] {
        let entry = Draft::new(event, run).explaining([]).unwrap().seal(head, at(0));
        replay.follow(&entry);
        head = Some(Link { sequence: entry.sequence, hash: entry.hash });
        sealed.push(replay.sealed);
    }
    assert_eq!(replay.findings, []);
    assert_eq!(sealed, [0, 0, 0, 3, 3, 3, 3, 3, 3, 3, 3]);
}

#[test]
fn the_first_entries_take_up_all_rows() {
    let lease = values![Value::Null, Value::Null, 0, Value::Null, Value::Null];
    let new = first_entries(vec![(&RUNS, vec![]), (&LEASES, vec![lease.clone()])], at(0)).unwrap();
    assert_eq!(new.len(), 1);
    assert_eq!(new[0].seal(None, at(0)).event, event::STORE_CREATED);

    let params: Vec<_> = (0..1001).map(|n| values!["r", format!("{n}"), "1", "here"]).collect();
    let old =
        first_entries(vec![(&PARAMS, params.clone()), (&LEASES, vec![lease])], at(0)).unwrap();
    let mut replay = Replay::default();
    let mut head = None;
    for draft in &old {
        let entry = draft.seal(head, at(0));
        assert_eq!(entry.event, event::STORE_ADOPTED);
        replay.follow(&entry);
        head = Some(Link { sequence: entry.sequence, hash: entry.hash });
    }
    assert_eq!((old.len(), &replay.findings), (2, &vec![]));
    assert_eq!(replay.compare(&PARAMS, &params), []);
}

#[test]
fn no_log_begins_under_a_live_run() {
    let lease = |expires: i64| values!["/warehouse", "r", 1, at(0), at(expires)];
    let begin = |lease| first_entries(vec![(&LEASES, vec![lease])], at(100));
    assert_eq!(begin(lease(101)).unwrap_err().kind(), ErrorKind::Conflict);
    assert!(begin(lease(100)).is_ok());
}

/// A value of a column, NULL among them where it is no key.
fn value(table: &'static Relation, column: &str, kind: ColumnType) -> BoxedStrategy<Value> {
    let some = match kind {
        // Few, so that rows meet.
        ColumnType::Text if table.key.contains(&column) => "[ab]".prop_map(Value::from).boxed(),
        ColumnType::Integer if table.key.contains(&column) => (1_i64..3).prop_map_into().boxed(),
        ColumnType::Text => any::<String>().prop_map(Value::from).boxed(),
        ColumnType::Integer => any::<i64>().prop_map_into().boxed(),
        ColumnType::Real => any::<f64>().prop_map(Value::from).boxed(),
        ColumnType::Boolean => any::<bool>().prop_map_into().boxed(),
        ColumnType::Timestamp => (-10_000_000_000_000_i64..10_000_000_000_000)
            .prop_map(|micros| at(micros).into())
            .boxed(),
    };
    match table.key.contains(&column) {
        true => some,
        false => prop_oneof![4 => some, 1 => Just(Value::Null)].boxed(),
    }
}

fn row() -> impl Strategy<Value = (&'static Relation, Vec<Value>)> {
    (0..EXPLAINED.len()).prop_flat_map(|table| {
        let table = &EXPLAINED[table];
        let columns = table.columns.iter().map(|(name, kind)| value(table, name, *kind));
        (Just(table), columns.collect::<Vec<_>>())
    })
}

/// What a database would hold.
type Content = Vec<(&'static Relation, Vec<Value>)>;

fn key_of(table: &Relation, row: &[Value]) -> Vec<(&'static str, Value)> {
    let at = |name: &&'static str| (*name, row[table.position(name).unwrap()].clone());
    table.key.iter().map(at).collect()
}

fn place(content: &Content, table: &Relation, row: &[Value]) -> Option<usize> {
    let key = key_of(table, row);
    content.iter().position(|(t, r)| t.name == table.name && key_of(t, r) == key)
}

/// Makes a change on the database's side; tells it as the log does.
fn make(content: &mut Content, table: &'static Relation, row: Vec<Value>, kind: u8) -> RowChange {
    match (kind, place(content, table, &row)) {
        (1, Some(at)) => {
            content.remove(at);
            RowChange::Delete(table, key_of(table, &row))
        }
        (2, Some(at)) => {
            // Half of the columns.
            let changed = table
                .columns
                .iter()
                .enumerate()
                .filter(|(i, (name, _))| i % 2 == 0 || table.key.contains(name));
            let changed: Vec<_> = changed.map(|(i, (name, _))| (*name, row[i].clone())).collect();
            for (name, value) in &changed {
                content[at].1[table.position(name).unwrap()] = value.clone();
            }
            RowChange::Set(table, changed)
        }
        (_, Some(at)) => {
            content[at].1 = row.clone();
            RowChange::Put(table, row)
        }
        (_, None) => {
            content.push((table, row.clone()));
            RowChange::Put(table, row)
        }
    }
}

fn compare(replay: &Replay, content: &Content) -> Vec<Finding> {
    let table = |table: &'static Relation| {
        let rows = content.iter().filter(|(t, _)| t.name == table.name);
        replay.compare(table, &rows.map(|(_, row)| row.clone()).collect::<Vec<_>>())
    };
    EXPLAINED.iter().flat_map(table).collect()
}

proptest! {
    #[test]
    fn a_replay_gives_what_was_written_and_tells_any_change(
        changes in prop::collection::vec((row(), 0_u8..3), 1..25),
        which in any::<prop::sample::Index>(),
        column in any::<prop::sample::Index>(),
        (table, fresh) in row(),
    ) {
        let mut content = Content::new();
        let told: Vec<_> = changes
            .into_iter()
            .map(|((table, row), kind)| vec![make(&mut content, table, row, kind)])
            .collect();
        let log = log(&told);
        let replay = replay(&log);
        prop_assert_eq!(&replay.findings, &vec![]);
        prop_assert_eq!(compare(&replay, &content), vec![]);

        if place(&content, table, &fresh).is_none() {
            let mut more = content.clone();
            more.push((table, fresh.clone()));
            prop_assert_eq!(entries_of(&compare(&replay, &more)), vec![None]);
        }
        if !content.is_empty() {
            let at = which.index(content.len());
            let mut less = content.clone();
            less.remove(at);
            let findings = compare(&replay, &less);
            prop_assert_eq!(findings.len(), 1);
            prop_assert!(findings[0].entry.is_some());

            let (table, row) = &content[at];
            let column = column.index(row.len());
            let mut changed = content.clone();
            changed[at].1[column] = match &row[column] {
                Value::Null => match table.columns[column].1 {
                    ColumnType::Text => Value::Text(String::new()),
                    ColumnType::Integer => Value::Integer(0),
                    ColumnType::Real => Value::Real(0.0),
                    ColumnType::Boolean => Value::Boolean(false),
                    ColumnType::Timestamp => Value::Timestamp(at_start()),
                },
                _ => Value::Null,
            };
            prop_assert!(!compare(&replay, &changed).is_empty());
        }
    }

    #[test]
    fn any_payload_is_a_finding_or_a_change_but_no_panic(payload in ".*|\\{\"(put|set|delete)\":\\{\"runs\":\\[.*\\]\\}\\}") {
        let mut log = log(&[vec![]]);
        log[1].payload = payload;
        replay(&log);
    }
}

fn at_start() -> DateTime<Utc> {
    at(-1)
}
