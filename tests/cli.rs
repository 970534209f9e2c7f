//! Bad input: each case shows the message and the exit code, that readers still see the last
//! published state, and that the run is on record as failed.
//!
//! Snapshots are in `tests/snapshots`; `INSTA_UPDATE=always tests/run` writes them anew.

#![allow(clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use common::{Project, seen, settings};

/// A pipeline of one table that is published once, so that there is something to lose.
fn published() -> Project {
    let project = Project::new();
    project.file(
        "sql/1_ingestion/1_events.sql",
        "CREATE OR REPLACE TABLE raw.events AS SELECT 1 AS a, 'x' AS b;\n",
    );
    project.ok(&["exec", "sql"]);
    project
}

/// Runs what must fail and shows it. The published state must be the one before, and the newest
/// run on record in `state` with the error that the user saw.
fn fails(project: &Project, name: &str, code: i32, arguments: &[&str]) {
    fails_in(project, name, code, "failed", arguments);
}

fn fails_in(project: &Project, name: &str, code: i32, state: &str, arguments: &[&str]) {
    let before = project.fingerprints();
    let run = project.run(arguments);
    // Columns of the closing table are as wide as what differs between machines.
    let table: String = run
        .stdout
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n")
        .collect();
    let text = format!("exit code {}\n--- stderr\n{}--- stdout\n{table}", run.code, run.stderr);
    settings().bind(|| insta::assert_snapshot!(name, project.stable(&text)));
    assert_eq!(run.code, code, "{text}");
    assert_eq!(project.fingerprints(), before, "readers must still see the last published state");
    let newest = project.rows("SELECT state, error FROM audit.runs ORDER BY started DESC LIMIT 1");
    assert!(newest[0].starts_with(&format!("{state},")), "{newest:?}");
    let message = run.stderr.lines().find(|line| line.starts_with("error:")).expect("an error");
    let recorded = newest.join("\n").replace("\"\"", "\"");
    assert!(recorded.contains(message), "{message}\nis not on record:\n{recorded}");
}

#[test]
fn unknown_column() {
    let project = published();
    project.file(
        "sql/2_transformation/1_flows.sql",
        "CREATE OR REPLACE TABLE silver.flows AS\nSELECT a,\n       bb\nFROM raw.events;\n",
    );
    fails(&project, "unknown_column", 2, &["exec", "sql"]);
}

#[test]
fn unknown_column_in_the_last_script_is_found_before_the_first_step() {
    let project = published();
    project.file(
        "sql/1_ingestion/1_events.sql",
        "CREATE OR REPLACE TABLE raw.events AS SELECT 2 AS a, 'x' AS b;\n",
    );
    project.file(
        "sql/4_evaluation/1_last.sql",
        "CREATE OR REPLACE TABLE eval.last AS SELECT raw.events.c FROM raw.events;\n",
    );
    fails(&project, "unknown_column_last", 2, &["exec", "sql"]);
    assert_eq!(project.value("SELECT count(*) FROM audit.versions"), "1", "nothing was made");
}

#[test]
fn unknown_table() {
    let project = published();
    project.file(
        "sql/2_transformation/1_flows.sql",
        "CREATE OR REPLACE TABLE silver.flows AS\nSELECT * FROM raw.event;\n",
    );
    fails(&project, "unknown_table", 2, &["exec", "sql"]);
}

#[test]
fn unknown_source() {
    let project = published();
    project.file(
        "sql/2_transformation/1_flows.sql",
        "CREATE OR REPLACE TABLE silver.flows AS SELECT * FROM landing.flows;\n",
    );
    fails(&project, "unknown_source", 2, &["exec", "sql"]);
}

#[test]
fn unknown_function() {
    let project = published();
    project.file(
        "sql/2_transformation/1_flows.sql",
        "CREATE OR REPLACE TABLE silver.flows AS\nSELECT rok_auc(b, a) FROM raw.events;\n",
    );
    fails(&project, "unknown_function", 2, &["exec", "sql"]);
}

#[test]
fn syntax_error() {
    let project = published();
    project.file(
        "sql/2_transformation/1_flows.sql",
        "-- fine so far\nCREATE OR REPLACE TABLE silver.flows AS\nSELECT a FROM raw.events WHERE );\n",
    );
    fails(&project, "syntax_error", 2, &["exec", "sql"]);
}

#[test]
fn no_layer() {
    let project = published();
    project.file(
        "sql/2_transformation/1_flows.sql",
        "CREATE OR REPLACE TABLE flows AS SELECT a FROM raw.events;\n",
    );
    fails(&project, "no_layer", 2, &["exec", "sql"]);
}

#[test]
fn statements_that_change_rows_in_place() {
    let project = published();
    project.file("sql/2_transformation/1_flows.sql", "DELETE FROM raw.events WHERE a = 1;\n");
    fails(&project, "delete", 2, &["exec", "sql"]);
}

#[test]
fn parameter_without_a_value() {
    let project = published();
    project.file(
        "sql/2_transformation/1_flows.sql",
        "CREATE OR REPLACE TABLE silver.flows AS\nSELECT a FROM raw.events WHERE a < $limit;\n",
    );
    fails(&project, "parameter_without_value", 2, &["exec", "sql"]);
}

#[test]
fn parameter_of_the_wrong_type() {
    let project = published();
    project.file("sql/pipeline.toml", "warehouse = \"../warehouse\"\n[params]\ntrees = 100\n");
    fails(&project, "parameter_type", 2, &["exec", "sql", "--param", "trees=many"]);
}

#[test]
fn parameter_that_nothing_uses() {
    let project = published();
    project.file("sql/pipeline.toml", "warehouse = \"../warehouse\"\n[params]\ntrees = 100\n");
    fails(&project, "parameter_unused", 2, &["exec", "sql", "--param", "tree=7"]);
}

fn with_source(project: &Project, source: &str) {
    project.file(
        "sql/pipeline.toml",
        format!("warehouse = \"../warehouse\"\n[sources.flows]\n{source}\n"),
    );
    project.file(
        "sql/1_ingestion/2_flows.sql",
        "CREATE OR REPLACE TABLE raw.flows AS\nSELECT * FROM landing.flows;\n",
    );
}

#[test]
fn missing_source_file() {
    let project = published();
    with_source(&project, "location = \"../flows.csv\"");
    fails(&project, "missing_source", 2, &["exec", "sql"]);
}

#[test]
fn source_without_files() {
    let project = published();
    with_source(&project, "location = \"../flows/\"\nformat = \"csv\"");
    project.file("flows/notes.md", "nothing here").file("flows/empty.csv", "");
    fails(&project, "empty_source", 2, &["exec", "sql"]);
}

#[test]
fn source_with_a_header_and_no_rows_fails_the_shipped_assertion() {
    let project = Project::shipped(10);
    project.ok(&["exec", "sql", "--until", "ingestion"]);
    project.file("empty.csv", "event_id,timestamp,src_ip,src_port,dst_ip,dst_port,protocol,duration,bytes,packets,label\n");
    fails(
        &project,
        "no_rows",
        1,
        &["exec", "sql", "--until", "ingestion", "--source", "events=empty.csv"],
    );
}

#[test]
fn malformed_csv_row() {
    let project = published();
    with_source(&project, "location = \"../flows/\"\nformat = \"csv\"\ninfer_rows = 10");
    let rows: String = (0..40_000).map(|i| format!("{i},{}\n", i * 2)).collect();
    project.file("flows/a.csv", format!("id,bytes\n{rows}"));
    project.file("flows/b.csv", format!("id,bytes\n{rows}40000,many\n{rows}"));
    fails(&project, "malformed_value", 2, &["exec", "sql", "--partitions", "4"]);
    project.file("flows/b.csv", format!("id,bytes\n{rows}1,2,3\n"));
    fails(&project, "malformed_width", 2, &["exec", "sql", "--partitions", "4"]);
}

#[test]
fn malformed_json_line() {
    let project = published();
    with_source(&project, "location = \"../flows.ndjson\"\ninfer_rows = 2");
    project.file("flows.ndjson", "{\"id\": 1}\n{\"id\": 2}\n{\"id\": \n");
    fails(&project, "malformed_json", 2, &["exec", "sql"]);
}

#[test]
fn content_that_is_not_what_its_name_says() {
    let project = published();
    for (name, file, content) in [
        ("malformed_early", "flows.csv", &b"a,b,c\n1,x,1\n2,y\n"[..]),
        ("malformed_gzip", "flows.csv.gz", b"not gzip at all"),
        ("malformed_parquet", "flows.parquet", b"not parquet at all"),
        ("malformed_early_json", "flows.json", b"{\"a\": 1}\n{\"a\" 2}\n"),
    ] {
        with_source(&project, &format!("location = \"../{file}\""));
        project.file(file, content);
        fails(&project, name, 2, &["exec", "sql"]);
    }
}

#[test]
fn schema_drift_between_files() {
    let project = published();
    with_source(&project, "location = \"../flows/\"\nformat = \"csv\"");
    project.file("flows/1.csv", "id,port\n1,80\n");
    for (name, second) in [
        ("drift_columns", "id,dst_port\n2,443\n"),
        ("drift_order", "port,id\n443,2\n"),
        ("drift_type", "id,port\n2,0x0303\n"),
    ] {
        project.file("flows/2.csv", second);
        fails(&project, name, 2, &["exec", "sql"]);
    }
}

#[test]
fn failed_assertion_counts_the_offending_rows() {
    let project = published();
    project.file(
        "sql/2_transformation/1_check.sql",
        "CREATE OR REPLACE TABLE silver.flows AS SELECT * FROM (VALUES (1), (-2), (-3)) AS t(bytes);\nASSERT (SELECT count(*) FROM silver.flows WHERE bytes < 0) = 0 AS 'bytes are never negative';\nSELECT 1;\n",
    );
    fails(&project, "assertion", 1, &["exec", "sql"]);
    let checks = project.rows("SELECT passed, offending, message FROM audit.checks");
    assert_eq!(checks, ["false,2,bytes are never negative"]);
    let steps = project.rows("SELECT ordinal, state FROM audit.steps WHERE run = (SELECT id FROM audit.runs ORDER BY started DESC LIMIT 1) ORDER BY 1");
    assert_eq!(steps, ["1,reused", "2,ran", "3,failed", "4,skipped"]);
}

#[test]
fn feature_missing_at_scoring() {
    let project = Project::shipped(1000);
    project.ok(&["exec", "sql"]);
    project.file(
        "sql/4_evaluation/1_scores.sql",
        "CREATE OR REPLACE TABLE eval.scores AS\nSELECT event_id,\n  anomaly_score((SELECT model FROM models.isolation_forest), {ln_bytes: ln(1.0 + bytes)}) AS score\nFROM silver.flows;\n",
    );
    fails(&project, "missing_feature", 2, &["exec", "sql", "--until", "4_evaluation/1_scores.sql"]);
}

#[test]
fn unknown_training_option() {
    let project = Project::shipped(1000);
    project.ok(&["exec", "sql"]);
    project.file(
        "sql/3_training/1_isolation_forest.sql",
        "CREATE OR REPLACE TABLE models.isolation_forest AS\nSELECT train_isolation_forest(features, event_id, {n_estimator: 7}) AS model\nFROM silver.features;\n",
    );
    fails(&project, "unknown_option", 2, &["exec", "sql"]);
}

#[test]
fn value_that_is_no_model() {
    let project = published();
    project.file(
        "sql/4_evaluation/1_scores.sql",
        "CREATE OR REPLACE TABLE eval.scores AS\nSELECT anomaly_score(arrow_cast('not a model', 'Binary'), {a: CAST(a AS DOUBLE)}) AS score FROM raw.events;\n",
    );
    fails(&project, "foreign_model", 2, &["exec", "sql"]);
}

#[test]
fn damaged_model() {
    let project = Project::shipped(1000);
    project.ok(&["exec", "sql"]);
    project.file(
        "sql/4_evaluation/1_scores.sql",
        "CREATE OR REPLACE TABLE eval.scores AS\nSELECT f.event_id, anomaly_score(m.damaged, f.features) AS score\nFROM silver.features AS f, (SELECT decode(left(encode(model, 'hex'), 2000), 'hex') AS damaged FROM models.isolation_forest) AS m;\n",
    );
    fails(&project, "damaged_model", 2, &["exec", "sql", "--until", "4_evaluation/1_scores.sql"]);
}

#[test]
fn unreachable_audit_store() {
    let project = published();
    let run = project.run(&["exec", "sql", "--audit", "postgres://ann:hunter2@127.0.0.1:1/audit"]);
    let text = format!("exit code {}\n{}{}", run.code, run.stderr, run.stdout);
    settings().bind(|| insta::assert_snapshot!("unreachable_audit", project.stable(&text)));
    assert_eq!(run.code, 3);
    assert!(!text.contains("hunter2"));
    assert_eq!(project.fingerprints().len(), 1);
}

#[test]
fn warehouse_that_cannot_be_written() {
    let project = published();
    // A folder stands where the first file goes: permissions would not stop root.
    fs::create_dir(project.path("warehouse/.writable")).expect("a folder");
    fails(&project, "unwritable_warehouse", 3, &["exec", "sql"]);
}

#[test]
fn audit_store_of_another_warehouse() {
    let project = published();
    let audit = ["--audit", "warehouse/audit.db"];
    let arguments = [&["exec", "sql", "--warehouse", "other"][..], &audit].concat();
    fails(&project, "another_warehouse", 2, &arguments);
    assert!(!project.path("other").exists());
}

#[test]
fn full_disk() {
    let project = published();
    project.file(
        "sql/1_ingestion/2_flows.sql",
        "CREATE OR REPLACE TABLE raw.flows AS SELECT * FROM synthetic_flows(200000, 1);\n",
    );
    // A file size limit stands in for a full disk: writes beyond it fail just so.
    let limited =
        format!("trap '' XFSZ; ulimit -f 2048; exec {} exec sql", env!("CARGO_BIN_EXE_pipeline"));
    let before = project.fingerprints();
    let output = std::process::Command::new("bash")
        .args(["-c", &limited])
        .current_dir(project.path("."))
        .output()
        .expect("bash");
    let run = seen(&output);
    assert_eq!(run.code, 3, "{}", run.stderr);
    let text = format!("exit code {}\n{}", run.code, run.stderr);
    settings().bind(|| insta::assert_snapshot!("full_disk", project.stable(&text)));
    assert_eq!(project.fingerprints(), before);
    assert_eq!(
        project.value("SELECT state FROM audit.runs ORDER BY started DESC LIMIT 1"),
        "failed"
    );
    let left: Vec<_> = walk(&project.path("warehouse/raw/flows"));
    assert!(left.is_empty(), "nothing half-written stays: {left:?}");
    project.ok(&["exec", "sql"]);
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return vec![];
    };
    entries
        .flat_map(|entry| {
            let path = entry.expect("an entry").path();
            if path.is_dir() { walk(&path) } else { vec![path] }
        })
        .collect()
}

#[test]
fn memory_limit_is_an_error_with_a_hint() {
    let project = published();
    project.file("sql/1_ingestion/2_flows.sql", "CREATE OR REPLACE TABLE raw.flows AS SELECT roc_auc(label = 'scan', bytes) AS value FROM synthetic_flows(500000, 1);\n");
    let before = project.fingerprints();
    let run = project.run(&["exec", "sql", "--memory-limit", "1MB"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(run.stderr.contains("error: out of memory or disk"), "{}", run.stderr);
    assert!(run.stderr.contains("hint: raise --memory-limit"), "{}", run.stderr);
    assert_eq!(project.fingerprints(), before);
}

#[test]
fn interrupt_ends_in_seconds_and_is_on_record() {
    for (signal, name) in [("INT", "SIGINT"), ("TERM", "SIGTERM")] {
        let project = published();
        project.file(
            "sql/1_ingestion/2_flows.sql",
            "CREATE OR REPLACE TABLE raw.flows AS SELECT * FROM synthetic_flows(2000000000, 1);\n",
        );
        let before = project.fingerprints();
        let child = project
            .command(&["exec", "sql"])
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("the program starts");
        wait_until(|| !walk(&project.path("warehouse/raw/flows")).is_empty());
        let stopped = Instant::now();
        let kill = std::process::Command::new("kill")
            .args(["-s", signal, &child.id().to_string()])
            .status();
        assert!(kill.expect("kill").success());
        let run = seen(&child.wait_with_output().expect("the program ends"));
        assert!(stopped.elapsed() < Duration::from_secs(20));
        assert_eq!(run.code, 130, "{}", run.stderr);
        assert!(run.stderr.contains(&format!("error: cancelled by {name}")), "{}", run.stderr);
        assert_eq!(project.fingerprints(), before);
        assert_eq!(
            project.value("SELECT state FROM audit.runs ORDER BY started DESC LIMIT 1"),
            "cancelled"
        );
        // The lease was given back: the next run does not wait.
        project.file("sql/1_ingestion/2_flows.sql", "SELECT 1;\n");
        project.ok(&["exec", "sql"]);
    }
}

fn wait_until(condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(60), "waited in vain");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn two_runs_at_once_do_not_mix() {
    let project = published();
    project.file(
        "sql/1_ingestion/2_flows.sql",
        "CREATE OR REPLACE TABLE raw.flows AS SELECT * FROM synthetic_flows(2000000000, 1);\n",
    );
    let mut first = project
        .command(&["exec", "sql"])
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the program starts");
    wait_until(|| !walk(&project.path("warehouse/raw/flows")).is_empty());
    let second = project.run(&["exec", "sql"]);
    assert_eq!(second.code, 3, "{}", second.stderr);
    assert!(
        second.stderr.contains("error:") && second.stderr.contains("hint:"),
        "{}",
        second.stderr
    );
    first.kill().expect("kill");
    first.wait().expect("it ends");
    let states = project.rows("SELECT state FROM audit.runs ORDER BY started");
    assert_eq!(states, ["succeeded", "running", "failed"], "the refused run is on record too");
}

#[test]
fn configuration_errors() {
    for (name, config, arguments) in [
        ("config_unknown_key", "warehouse = \"w\"\nwarehose = \"x\"\n", &["exec", "sql"][..]),
        ("config_unknown_source_key", "[sources.a]\nlocaton = \"x.csv\"\n", &["exec", "sql"]),
        ("config_source_without_location", "[sources.a]\nformat = \"csv\"\n", &["exec", "sql"]),
        (
            "config_unknown_format",
            "[sources.a]\nlocation = \"x\"\nformat = \"xml\"\n",
            &["exec", "sql"],
        ),
        ("config_bad_size", "memory_limit = \"plenty\"\n", &["exec", "sql"]),
        ("config_short_lease", "lease = \"500ms\"\n", &["exec", "sql"]),
        ("bad_share", "", &["exec", "sql", "--memory-limit", "120%"]),
        ("bad_wait", "", &["exec", "sql", "--wait", "soon"]),
        ("config_unsupported_store", "warehouse = \"ftp://example/x\"\n", &["exec", "sql"]),
        ("missing_folder", "", &["exec", "nowhere"]),
        ("no_scripts", "", &["exec", "sql"]),
        ("bad_param", "", &["exec", "sql", "--param", "trees"]),
        ("bad_memory_limit", "", &["exec", "sql", "--memory-limit", "lots"]),
        ("unknown_flag", "", &["exec", "sql", "--forse"]),
    ] {
        let project = Project::new();
        project.file("sql/pipeline.toml", config);
        let run = project.run(arguments);
        assert_eq!(run.code, 2, "{name}: {}", run.stderr);
        settings().bind(|| insta::assert_snapshot!(name, project.stable(&run.stderr)));
    }
}

#[test]
fn help_pages() {
    let project = Project::new();
    for (name, arguments) in [
        ("help", &["--help"][..]),
        ("help_exec", &["exec", "--help"]),
        ("help_sql", &["sql", "--help"]),
        ("help_model_export", &["model", "export", "--help"]),
        ("help_audit_migrate", &["audit", "migrate", "--help"]),
        ("help_audit_verify", &["audit", "verify", "--help"]),
        ("help_gc", &["gc", "--help"]),
    ] {
        settings().bind(|| insta::assert_snapshot!(name, project.ok(arguments)));
    }
}

#[test]
fn read_only_scripts_folder_is_enough() {
    let project = published();
    let folder = project.path("sql");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).expect("permissions");
    project.ok(&["exec", "sql"]);
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("permissions");
}
