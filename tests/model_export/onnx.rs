//! Exported models, run with onnxruntime: they must score as the program does.
//!
//! Needs Python with onnx and onnxruntime, which tests/run installs.

use std::process::Command;

use serde_json::Value;

use crate::common::Project;
use crate::common::postgres::announced;

/// Scores are in (0, 1]: what different orders of a sum and another power may add up to.
const TOLERANCE: f64 = 1e-12;

/// Exports a model and runs it over rows: a query of a column per feature, in order, then `score`
/// and `is_anomaly`.
fn compare(project: &Project, relation: &str, rows: &str) -> Value {
    let (file, csv) = (format!("{relation}.onnx"), format!("{relation}.csv"));
    project.ok(&["model", "export", relation, "--format", "onnx", "--output", &file]);
    project.file(&csv, project.ok(&["sql", rows, "--format", "csv"]));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/onnx_runtime.py");
    let mut python = Command::new(announced("PIPELINE_TEST_PYTHON"));
    let output = python.arg(script).arg(project.path(&file)).arg(project.path(&csv));
    let output = output.output().expect("Python");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let difference = found["difference"].as_f64().expect("a number");
    assert!(difference <= TOLERANCE, "{relation}: {found}");
    assert_eq!(found["flipped"], 0, "{relation}: {found}");
    let info = project.value(&format!("SELECT model_info(model)['digest'] FROM {relation}"));
    assert_eq!(found["digest"], info.as_str(), "{relation}");
    found
}

#[test]
fn the_shipped_model_scores_in_onnxruntime_as_here() {
    let project = Project::shipped(5000);
    project.ok(&["exec", "sql"]);
    let found = compare(
        &project,
        "models.isolation_forest",
        "SELECT f['ln_bytes'] AS ln_bytes, f['ln_packets'] AS ln_packets,
             f['ln_bytes_per_packet'] AS ln_bytes_per_packet, f['ln_duration'] AS ln_duration,
             CAST(f['is_tcp'] AS DOUBLE) AS is_tcp,
             CAST(f['well_known_port'] AS DOUBLE) AS well_known_port,
             f['ln_minute_flows'] AS ln_minute_flows, f['ln_hour_flows'] AS ln_hour_flows,
             f['ln_hour_targets'] AS ln_hour_targets,
             f['ln_flows_per_target'] AS ln_flows_per_target,
             anomaly_score(model, f) AS score, is_anomaly(model, f) AS is_anomaly
         FROM (SELECT features AS f FROM silver.features), models.isolation_forest",
    );
    assert_eq!(found["rows"], 5000);
    assert!(found["anomalies"].as_i64() > Some(0));
}

/// Rows of every kind of feature, each missing in some rows: `usual` is what models are trained on,
/// `others` has infinities, extremes and unseen categories too. `rare` is one number or missing:
/// cuts separate the present from the missing. Names are no identifiers.
const MIXED: &str = r#"
CREATE OR REPLACE TABLE silver.numbers AS
SELECT id,
    CASE id % 17 WHEN 0 THEN NULL WHEN 1 THEN CAST('NaN' AS DOUBLE) ELSE sin(id) * (id % 101) END AS number,
    CASE id % 29 WHEN 0 THEN NULL ELSE 1.5 END AS rare,
    CASE id % 7 WHEN 0 THEN NULL ELSE id % 3 = 0 END AS truth,
    CASE id % 13 WHEN 0 THEN NULL ELSE 1700000000000000 + id * 1234567 END AS micros,
    CASE id % 11 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN 'größe, "x"' WHEN 3 THEN ' a '
        ELSE 'c' || (id % 5) END AS text
FROM generate_series(1, 4000) AS series(id);

CREATE OR REPLACE TABLE silver.others AS
SELECT * FROM silver.numbers
UNION ALL
SELECT id + 10000,
    CASE id % 9 WHEN 0 THEN CAST('Infinity' AS DOUBLE) WHEN 1 THEN -CAST('Infinity' AS DOUBLE) WHEN 2 THEN 1.7976931348623157e308
        WHEN 3 THEN -1.7976931348623157e308 WHEN 4 THEN -0.0 WHEN 5 THEN NULL
        ELSE number * 3 END,
    CASE id % 5 WHEN 0 THEN CAST('Infinity' AS DOUBLE) WHEN 1 THEN -CAST('Infinity' AS DOUBLE) WHEN 2 THEN 2 WHEN 3 THEN NULL
        ELSE rare END,
    id % 2 = 0, micros - 1000000000000000,
    CASE id % 4 WHEN 0 THEN 'never seen' WHEN 1 THEN 'N' WHEN 2 THEN 'C1' ELSE text END
FROM silver.numbers WHERE id <= 2000;

CREATE OR REPLACE VIEW silver.mixed AS
SELECT id, number, rare, truth, micros, text,
    {"ln(größe) %": number, _rare: rare, truth: truth, at: to_timestamp_micros(micros), text: text}
        AS features
FROM silver.others;
"#;

fn trained(name: &str, features: &str, options: &str) -> String {
    format!(
        "CREATE OR REPLACE TABLE models.{name} AS
         SELECT train_isolation_forest({features}, id, {{n_estimators: 200, contamination: 0.05{options}}}) AS model
         FROM silver.mixed WHERE id < 10000;\n"
    )
}

fn scores(relation: &str, columns: &str, features: &str) -> String {
    format!(
        "SELECT {columns}, anomaly_score(model, {features}) AS score,
             is_anomaly(model, {features}) AS is_anomaly
         FROM silver.mixed, {relation}"
    )
}

#[test]
fn every_kind_of_feature_scores_in_onnxruntime_as_here() {
    let project = Project::new();
    let models = trained("frequency", "features", "")
        + &trained("one_hot", "features", ", categories: 'one_hot', max_samples: 64")
        + &trained("text", "{text: text}", ", categories: 'one_hot'")
        + &trained("constant", "{one: 1}", "");
    project.file("sql/2_transformation/1_mixed.sql", MIXED);
    project.file("sql/3_training/1_models.sql", models);
    project.ok(&["exec", "sql"]);

    let columns = r#"coalesce(number, CAST('NaN' AS DOUBLE)) AS "ln(größe) %", coalesce(rare, CAST('NaN' AS DOUBLE)) AS _rare,
        coalesce(CAST(truth AS DOUBLE), CAST('NaN' AS DOUBLE)) AS truth,
        coalesce(CAST(micros AS DOUBLE) / 1e6, CAST('NaN' AS DOUBLE)) AS at, coalesce(text, '\N') AS text"#;
    for relation in ["models.frequency", "models.one_hot"] {
        let found = compare(&project, relation, &scores(relation, columns, "features"));
        assert_eq!(found["rows"], 6000);
        for some in ["anomalies", "presence_cuts"] {
            assert!(found[some].as_i64() > Some(0), "{relation}: no {some}");
        }
    }
    // Few scores: that of many rows is the threshold itself, which other sums may lie above.
    let text = scores("models.text", r"coalesce(text, '\N') AS text", "{text: text}");
    let found = compare(&project, "models.text", &text);
    assert!(found["at_threshold"].as_i64() > Some(100), "{found}");
    let constant = scores("models.constant", "1 AS one", "{one: 1}");
    let found = compare(&project, "models.constant", &constant);
    assert_eq!((&found["difference"], &found["anomalies"]), (&0.0.into(), &0.into()));
}
