//! Runs and their steps: what is written is read back.

use std::time::Duration;

use pipeline::audit::*;
use pipeline::error::ErrorKind;

use crate::conformance;
use crate::fixture::Fixture;
use crate::samples::{
    at, column, object_input, param, run, step, table_step, text, version_id, version_input,
};

conformance! {
    a_run_is_recorded_with_its_parameters,
    a_run_ends_as_it_says,
    abandoned_runs_are_marked_as_failed,
    a_step_is_read_back_as_it_was_written,
    a_step_is_recorded_whole_or_not_at_all,
    any_text_survives,
    an_undefined_metric_is_null,
    earlier_versions_are_found_across_runs,
    only_a_check_that_ran_and_passed_is_found,
}

async fn a_run_is_recorded_with_its_parameters(fixture: Fixture) {
    let store = fixture.open().await;
    let record = RunRecord { git_commit: None, git_dirty: Some(true), ..run("r1") };
    store.begin_run(&record, &[param("seed", "42"), param("trees", "100")]).await.unwrap();

    let runs = store.read("runs").await.unwrap();
    assert_eq!(
        runs.rows,
        [vec![
            text("r1"),
            text("running"),
            Value::Timestamp(at(0)),
            Value::Null,
            text("pipeline exec sql/"),
            text("analyst"),
            text("worker-1"),
            Value::Null,
            Value::Boolean(true),
            text("0.1.0"),
            text("55.2.0"),
            text("{}"),
            Value::Null,
        ]]
    );
    let params = store.read("params").await.unwrap();
    assert_eq!(column(&params, "name"), [text("seed"), text("trees")]);
    assert_eq!(column(&params, "value"), [text("42"), text("100")]);
}

async fn a_run_ends_as_it_says(fixture: Fixture) {
    let store = fixture.open().await;
    let id = RunId::new("r1");
    let unknown = store.finish_run(&id, RunState::Failed, None).await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::Conflict);

    store.begin_run(&run("r1"), &[]).await.unwrap();
    store.finish_run(&id, RunState::Cancelled, Some("SIGTERM")).await.unwrap();
    let runs = store.read("runs").await.unwrap();
    assert_eq!(column(&runs, "state"), [text("cancelled")]);
    assert_eq!(column(&runs, "error"), [text("SIGTERM")]);

    store.finish_run(&id, RunState::Succeeded, None).await.unwrap();
    let late = store.finish_run(&id, RunState::Failed, Some("late")).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Conflict);
}

async fn abandoned_runs_are_marked_as_failed(fixture: Fixture) {
    let store = fixture.open().await;
    let hour = Duration::from_secs(3600);
    let (dead, alive, refused) = (run("dead"), run("alive"), run("refused"));
    store.acquire_lease("w", &dead.id, Duration::ZERO).await.unwrap();
    store.begin_run(&dead, &[]).await.unwrap();
    store.acquire_lease("w", &alive.id, hour).await.unwrap();
    store.begin_run(&alive, &[]).await.unwrap();

    // A run that does not get the lease is recorded too, and leaves its holder alone.
    store.acquire_lease("w", &refused.id, hour).await.unwrap_err();
    store.begin_run(&refused, &[]).await.unwrap();
    let runs = store.read("runs").await.unwrap();
    let mut states: Vec<_> = column(&runs, "id").into_iter().zip(column(&runs, "state")).collect();
    states.sort_by_key(|state| format!("{state:?}"));
    let expected = [("alive", "running"), ("dead", "failed"), ("refused", "running")];
    assert_eq!(states, expected.map(|(id, state)| (text(id), text(state))));
    assert!(column(&runs, "error").contains(&text("its process ended without a word")));
}

async fn a_step_is_read_back_as_it_was_written(fixture: Fixture) {
    let store = fixture.open().await;
    let run = run("r1");
    store.begin_run(&run, &[]).await.unwrap();
    let source = object_input("landing.events", "s3://landing/events.csv");
    let mut made = table_step(&run.id, 1, "ingestion", "raw.events", vec![source]);
    let files = &mut made.version.as_mut().unwrap().files;
    files.push(FileRecord {
        path: "raw/events/older/9.parquet".into(),
        etag: None,
        ..files[0].clone()
    });
    store.record_step(&made).await.unwrap();

    // The next version shares a file with it.
    let inputs = vec![
        version_input(&run.id, 1, "raw.events"),
        object_input("landing.events", "s3://landing/more.csv"),
    ];
    let mut inserted = table_step(&run.id, 2, "ingestion", "raw.events", inputs);
    inserted.version.as_mut().unwrap().files.push(made.version.as_ref().unwrap().files[0].clone());
    store.record_step(&inserted).await.unwrap();

    for outcome in [&made, &inserted] {
        let NewVersion { version, files, inputs, .. } = outcome.version.as_ref().unwrap();
        let id = &version.id;
        assert_eq!(store.version(id).await.unwrap().as_ref(), Some(version));
        assert_eq!(&store.inputs(id).await.unwrap(), inputs);
        let mut by_path = files.clone();
        by_path.sort_by(|a, b| a.path.cmp(&b.path));
        assert_eq!(store.files(id).await.unwrap(), by_path);
    }
    assert_eq!(store.version(&VersionId::new("none")).await.unwrap(), None);

    let steps = store.read("steps").await.unwrap();
    assert_eq!(column(&steps, "duration_seconds"), [Value::Real(0.25), Value::Real(0.25)]);
    assert_eq!(column(&steps, "bytes"), [Value::Null, Value::Null]);
    assert_eq!(column(&steps, "started"), [1, 2].map(|s| Value::Timestamp(at(s))));
}

async fn a_step_is_recorded_whole_or_not_at_all(fixture: Fixture) {
    let store = fixture.open().await;
    let run = run("r1");
    store.begin_run(&run, &[]).await.unwrap();
    store.record_step(&step(&run.id, 1, "ingestion")).await.unwrap();
    let same_ordinal = table_step(&run.id, 1, "ingestion", "raw.events", vec![]);
    let error = store.record_step(&same_ordinal).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert_eq!(store.previous_version("raw.events").await.unwrap(), None);
}

async fn any_text_survives(fixture: Fixture) {
    let store = fixture.open().await;
    let odd = "it's \"ünïcode\" ?1 $1 -- 🦀\n\t\\ %s ; DROP TABLE runs;";
    let record = RunRecord { command: odd.into(), ..run(odd) };
    store.begin_run(&record, &[param(odd, odd)]).await.unwrap();
    let mut outcome = table_step(&record.id, 1, "ingestion", odd, vec![object_input(odd, odd)]);
    outcome.step.error = Some("a\0b".into());
    store.record_step(&outcome).await.unwrap();

    let NewVersion { version, inputs, .. } = outcome.version.unwrap();
    assert_eq!(store.find_version(odd, &version.identity).await.unwrap(), Some(version.clone()));
    assert_eq!(store.inputs(&version.id).await.unwrap(), inputs);
    assert_eq!(column(&store.read("runs").await.unwrap(), "command"), [text(odd)]);
    assert_eq!(column(&store.read("params").await.unwrap(), "value"), [text(odd)]);
    assert_eq!(column(&store.read("steps").await.unwrap(), "error"), [text("a\u{FFFD}b")]);
}

async fn an_undefined_metric_is_null(fixture: Fixture) {
    let store = fixture.open().await;
    let run = run("r1");
    store.begin_run(&run, &[]).await.unwrap();
    let mut outcome = table_step(&run.id, 1, "evaluation", "eval.metrics", vec![]);
    let metric = |metric: &str, value| MetricRecord {
        relation: "eval.metrics".into(),
        version: version_id(&run.id, 1, "eval.metrics"),
        model: None,
        metric: metric.into(),
        value,
    };
    outcome.metrics = vec![
        metric("roc_auc", None),
        metric("nan", Some(f64::NAN)),
        metric("tiny", Some(f64::MIN_POSITIVE)),
        metric("third", Some(1.0 / 3.0)),
    ];
    store.record_step(&outcome).await.unwrap();
    let values = column(&store.read("metrics").await.unwrap(), "value");
    let third = Value::Real(1.0 / 3.0);
    assert_eq!(values, [Value::Null, Value::Null, Value::Real(f64::MIN_POSITIVE), third]);
}

async fn earlier_versions_are_found_across_runs(fixture: Fixture) {
    let store = fixture.open().await;
    for (id, ordinal) in [("r1", 1), ("r2", 2), ("r3", 3)] {
        let run = run(id);
        store.begin_run(&run, &[]).await.unwrap();
        let mut outcome = table_step(&run.id, ordinal, "ingestion", "raw.events", vec![]);
        if id == "r3" {
            outcome.version.as_mut().unwrap().version.identity = "another query".into();
        }
        store.record_step(&outcome).await.unwrap();
        store.finish_run(&run.id, RunState::Failed, Some("later")).await.unwrap();
    }
    let newest = |found: Option<VersionRecord>| found.map(|version| version.run.to_string());
    let same = store.find_version("raw.events", "identity of raw.events").await.unwrap();
    assert_eq!(newest(same).as_deref(), Some("r2"));
    let other = store.find_version("raw.events", "another query").await.unwrap();
    assert_eq!(newest(other).as_deref(), Some("r3"));
    assert_eq!(newest(store.previous_version("raw.events").await.unwrap()).as_deref(), Some("r3"));
    let elsewhere = store.find_version("raw.flows", "identity of raw.events").await.unwrap();
    assert_eq!(newest(elsewhere), None);
}

async fn only_a_check_that_ran_and_passed_is_found(fixture: Fixture) {
    let store = fixture.open().await;
    let run = run("r1");
    store.begin_run(&run, &[]).await.unwrap();
    for (ordinal, identity, passed) in [(1, "good", true), (2, "bad", false)] {
        let mut outcome = step(&run.id, ordinal, "evaluation");
        outcome.step.kind = "assert".into();
        outcome.step.identity = Some(identity.into());
        outcome.check = Some(CheckRecord {
            condition: "(SELECT count(*) FROM raw.events) > 0".into(),
            message: "no events".into(),
            passed,
            offending: (!passed).then_some(7),
        });
        store.record_step(&outcome).await.unwrap();
    }
    assert!(store.find_passed_check("good").await.unwrap());
    assert!(!store.find_passed_check("bad").await.unwrap());
    assert!(!store.find_passed_check("unknown").await.unwrap());
    let checks = store.read("checks").await.unwrap();
    assert_eq!(column(&checks, "passed"), [Value::Boolean(true), Value::Boolean(false)]);
    assert_eq!(column(&checks, "offending"), [Value::Null, Value::Integer(7)]);
}
