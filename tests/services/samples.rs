//! Small records, valid and easy to vary.

use chrono::{DateTime, TimeDelta, Utc};
use pipeline::audit::*;

/// A time with microseconds, `seconds` after a fixed one.
pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_767_225_600_123_456).unwrap() + TimeDelta::seconds(seconds)
}

pub(crate) fn run(id: &str) -> RunRecord {
    RunRecord {
        id: RunId::new(id),
        started: at(0),
        command: "pipeline exec sql/".into(),
        user: "analyst".into(),
        host: "worker-1".into(),
        git_commit: Some("0a1b2c".into()),
        git_dirty: Some(false),
        binary_version: "0.1.0".into(),
        datafusion_version: "55.2.0".into(),
        configuration: "{}".into(),
    }
}

pub(crate) fn param(name: &str, value: &str) -> ParamRecord {
    ParamRecord { name: name.into(), value: value.into(), origin: "configuration".into() }
}

/// A step that made nothing.
pub(crate) fn step(run: &RunId, ordinal: i64, phase: &str) -> StepOutcome {
    let step = StepRecord {
        run: run.clone(),
        ordinal,
        phase: phase.into(),
        file: format!("{phase}/{ordinal:02}.sql"),
        line: 3,
        kind: "select".into(),
        relation: None,
        sql: "SELECT 1".into(),
        sql_hash: "c0ffee".into(),
        identity: None,
        state: StepState::Ran,
        reason: "ran: always".into(),
        rows: Some(1),
        bytes: None,
        started: at(ordinal),
        finished: at(ordinal) + TimeDelta::milliseconds(250),
        error: None,
        version: None,
    };
    StepOutcome { step, version: None, check: None, metrics: vec![] }
}

/// A step that made a version of `relation` from `inputs`.
pub(crate) fn table_step(
    run: &RunId,
    ordinal: i64,
    phase: &str,
    relation: &str,
    inputs: Vec<LineageRecord>,
) -> StepOutcome {
    let version = version(run, ordinal, relation);
    let mut outcome = step(run, ordinal, phase);
    outcome.step.kind = "table".into();
    outcome.step.relation = Some(relation.into());
    outcome.step.sql = format!("CREATE OR REPLACE TABLE {relation} AS SELECT ...");
    outcome.step.identity = Some(version.identity.clone());
    outcome.step.version = Some(version.id.clone());
    let file = FileRecord {
        path: format!("{}/0.parquet", version.id),
        size: 1_234,
        etag: Some("\"e\"".into()),
        rows: version.rows,
        digest: Some("d".repeat(64)),
    };
    outcome.version =
        Some(NewVersion { version, files: vec![file], inputs, manifest: "m".repeat(64) });
    outcome
}

pub(crate) fn version(run: &RunId, ordinal: i64, relation: &str) -> VersionRecord {
    VersionRecord {
        id: version_id(run, ordinal, relation),
        relation: relation.into(),
        kind: RelationKind::Table,
        definition: None,
        rows: 42,
        bytes: 1_234,
        schema: r#"[{"name":"x","type":"Float64"}]"#.into(),
        fingerprint: format!("{ordinal:032x}"),
        identity: format!("identity of {relation}"),
        run: run.clone(),
        created: at(ordinal),
    }
}

pub(crate) fn version_id(run: &RunId, ordinal: i64, relation: &str) -> VersionId {
    let time = at(ordinal).format("%Y%m%dT%H%M%S%6fZ");
    VersionId::new(format!("{}/{time}-{run}", relation.replace('.', "/")))
}

/// The version of `relation` that step `ordinal` made, as an input.
pub(crate) fn version_input(run: &RunId, ordinal: i64, relation: &str) -> LineageRecord {
    LineageRecord {
        relation: relation.into(),
        kind: InputKind::Version,
        source: version_id(run, ordinal, relation).to_string(),
        fingerprint: Some(format!("{ordinal:032x}")),
        size: None,
        etag: None,
        modified: None,
    }
}

pub(crate) fn object_input(relation: &str, uri: &str) -> LineageRecord {
    LineageRecord {
        relation: relation.into(),
        kind: InputKind::Object,
        source: uri.into(),
        fingerprint: None,
        size: Some(99),
        etag: Some("v1".into()),
        modified: Some(at(-60)),
    }
}

pub(crate) fn change(run: &RunId, ordinal: i64, relation: &str) -> Change {
    Change { relation: relation.into(), version: Some(version_id(run, ordinal, relation)) }
}

/// The values of one column.
pub(crate) fn column(rows: &Rows, name: &str) -> Vec<Value> {
    let index = rows.columns.iter().position(|(column, _)| column == name).unwrap();
    rows.rows.iter().map(|row| row[index].clone()).collect()
}

pub(crate) fn text(text: &str) -> Value {
    Value::Text(text.into())
}
