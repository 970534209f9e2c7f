//! The views that answer an analyst's questions.

use std::time::Duration;

use pipeline::audit::*;

use crate::conformance;
use crate::fixture::Fixture;
use crate::samples::{
    at, change, column, object_input, param, run, step, table_step, text, version_id, version_input,
};

conformance! {
    every_phase_has_its_events,
    provenance_tells_data_code_parameters_and_metrics,
    provenance_of_a_model_without_anything,
}

async fn every_phase_has_its_events(fixture: Fixture) {
    let store = fixture.open().await;
    let run = run("r1");
    store.begin_run(&run, &[]).await.unwrap();
    let phases = ["ingestion", "transformation", "training", "evaluation"];
    for (phase, ordinal) in phases.iter().zip(1..) {
        store.record_step(&step(&run.id, ordinal, phase)).await.unwrap();
    }
    store.finish_run(&run.id, RunState::Failed, Some("boom")).await.unwrap();
    for (phase, ordinal) in phases.iter().zip(1..) {
        let events = store.read(&format!("{phase}_events")).await.unwrap();
        assert_eq!(column(&events, "ordinal"), [Value::Integer(ordinal)]);
        assert_eq!(column(&events, "phase"), [text(phase)]);
        assert_eq!(column(&events, "run_state"), [text("failed")]);
        let finished = at(ordinal) + chrono::TimeDelta::milliseconds(250);
        assert_eq!(column(&events, "event_time"), [Value::Timestamp(finished)]);
    }
    assert_eq!(store.read("step_events").await.unwrap().rows.len(), 4);
}

async fn provenance_tells_data_code_parameters_and_metrics(fixture: Fixture) {
    let store = fixture.open().await;
    let run = run("r1");
    let (events, flows, forest) = ("raw.events", "silver.flows", "models.isolation_forest");
    let lease = store.acquire_lease("w", &run.id, Duration::from_secs(3600)).await.unwrap();
    store.begin_run(&run, &[param("trees", "100"), param("seed", "42")]).await.unwrap();
    let query = LineageRecord {
        relation: "landing.hosts".into(),
        kind: InputKind::Query,
        source: "SELECT * FROM synthetic_flows(10, 1)".into(),
        ..object_input("", "")
    };
    let query = LineageRecord { etag: None, size: None, modified: None, ..query };
    let object = object_input("landing.events", "s3://landing/events.csv");
    let steps = [
        table_step(&run.id, 1, "ingestion", events, vec![query, object]),
        table_step(&run.id, 2, "transformation", flows, vec![version_input(&run.id, 1, events)]),
        table_step(
            &run.id,
            3,
            "training",
            forest,
            // Reads the events too: reached on two ways, told once.
            vec![version_input(&run.id, 2, flows), version_input(&run.id, 1, events)],
        ),
    ];
    for step in &steps {
        store.record_step(step).await.unwrap();
    }
    for (ordinal, value) in [(4, 0.25), (5, 0.75)] {
        let mut judged = table_step(&run.id, ordinal, "evaluation", "eval.metrics", vec![]);
        let metric = |metric: &str, value| MetricRecord {
            relation: "eval.metrics".into(),
            version: version_id(&run.id, ordinal, "eval.metrics"),
            model: Some(version_id(&run.id, 3, forest)),
            metric: metric.into(),
            value,
        };
        judged.metrics = vec![metric("roc_auc", Some(value)), metric("average_precision", None)];
        store.record_step(&judged).await.unwrap();
    }
    store.publish(&lease, &[change(&run.id, 3, forest)]).await.unwrap();

    let models = store.read("model_provenance").await.unwrap();
    assert_eq!(models.rows.len(), 1);
    let [data] = column(&models, "data").try_into().unwrap();
    let expected = format!(
        "landing.events = s3://landing/events.csv (etag v1)\n\
         landing.hosts = SELECT * FROM synthetic_flows(10, 1)\n\
         raw.events = {} (fingerprint {:032x})\n\
         silver.flows = {} (fingerprint {:032x})",
        version_id(&run.id, 1, events),
        1,
        version_id(&run.id, 2, flows),
        2,
    );
    assert_eq!(data, text(&expected));
    assert_eq!(column(&models, "parameters"), [text("seed=42, trees=100")]);
    assert_eq!(column(&models, "metrics"), [text("average_precision=NULL, roc_auc=0.75")]);
    assert_eq!(column(&models, "version"), [text(version_id(&run.id, 3, forest).as_str())]);
    assert_eq!(column(&models, "is_current"), [Value::Boolean(true)]);
    assert!(matches!(column(&models, "published")[..], [Value::Timestamp(_)]));
    assert_eq!(column(&models, "run_started"), [Value::Timestamp(at(0))]);
    assert_eq!(column(&models, "git_commit"), [text("0a1b2c")]);
    assert_eq!(column(&models, "git_dirty"), [Value::Boolean(false)]);
    let [Value::Text(sql)] = &column(&models, "sql")[..] else { panic!() };
    assert!(sql.contains("TABLE models.isolation_forest"));
}

async fn provenance_of_a_model_without_anything(fixture: Fixture) {
    let store = fixture.open().await;
    let run = run("r1");
    store.begin_run(&run, &[]).await.unwrap();
    let model = table_step(&run.id, 1, "training", "models.ecod", vec![]);
    store.record_step(&model).await.unwrap();
    let models = store.read("model_provenance").await.unwrap();
    for unknown in ["data", "parameters", "metrics", "published"] {
        assert_eq!(column(&models, unknown), [Value::Null], "{unknown}");
    }
    assert_eq!(column(&models, "is_current"), [Value::Boolean(false)]);
}
