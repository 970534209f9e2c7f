//! What `pipeline model export` finds, refuses and writes. Snapshots are in `tests/snapshots`.

use std::collections::BTreeSet;
use std::fs;

use udfs::detectors::model::Model;

use crate::common::{Project, settings};

const ROWS: &str = "CREATE OR REPLACE TABLE silver.rows AS SELECT id, id * id AS x FROM generate_series(1, 300) AS s(id);\n";

fn models(seed: u64) -> String {
    let train = |options: &str| format!("train_isolation_forest({{x: x}}, id, {{{options}}})");
    let forest = train(&format!("n_estimators: 5, seed: {seed}"));
    let small = train("n_estimators: 2");
    format!(
        "CREATE OR REPLACE TABLE models.forest AS SELECT {forest} AS model FROM silver.rows;
CREATE OR REPLACE TABLE models.by_parity AS
SELECT id % 2 AS parity, {small} AS model FROM silver.rows GROUP BY id % 2;
CREATE OR REPLACE TABLE models.two AS SELECT {small} AS first, {forest} AS second FROM silver.rows;
CREATE OR REPLACE TABLE models.other AS SELECT train_mahalanobis({{x: x}}, id) AS model FROM silver.rows;
CREATE OR REPLACE TABLE models.untrained AS SELECT {small} AS model FROM silver.rows WHERE id < 0;
CREATE OR REPLACE TABLE models.foreign AS SELECT arrow_cast('not a model', 'Binary') AS model;
"
    )
}

fn published() -> Project {
    let project = Project::new();
    project.file("sql/2_transformation/1_rows.sql", ROWS);
    project.file("sql/3_training/1_models.sql", models(1));
    project.ok(&["exec", "sql"]);
    project
}

/// The files beside the scripts and the warehouse.
fn files(project: &Project) -> BTreeSet<String> {
    let entries = fs::read_dir(project.path(".")).expect("the folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    names.map(|name| name.into_string().expect("UTF-8")).collect()
}

fn export(project: &Project, more: &[&str]) -> Vec<u8> {
    project.ok(&[&["model", "export", "--force", "--output", "exported"][..], more].concat());
    fs::read(project.path("exported")).expect("the file")
}

#[test]
fn what_is_not_one_model_is_an_error_and_no_file() {
    let mut project = published();
    // One snapshot of all: the messages beside each other.
    let mut text = String::new();
    project.file("taken.onnx", "precious");
    let before = files(&project);
    let onnx = ["--format", "onnx", "--output", "new.onnx"];
    for arguments in [
        &["models.forrest"][..],
        &["forest"],
        &["silver.rows"],
        &["models.by_parity"],
        &["models.by_parity", "--where", "parity = 2"],
        &["models.by_parity", "--where", "party = 1"],
        &["models.by_parity", "--where", "parity ="],
        &["models.two"],
        &["models.two", "--column", "frist"],
        &["models.by_parity", "--column", "parity"],
        &["models.other"],
        &["models.untrained"],
        &["models.foreign"],
        &["models.forest@20200101T000000000Z-000000"],
        &["models.forest@"],
        &["models.forest", "--output", "taken.onnx"],
        &["models.forest", "--force", "--output", "warehouse"],
        &["models.forest", "--output", "nowhere/new.onnx"],
    ] {
        let output = match arguments.contains(&"--output") {
            true => &onnx[..2],
            false => &onnx[..],
        };
        let run = project.run(&[&["model", "export"], arguments, output].concat());
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{arguments:?}\n{}", run.stderr);
        text += &format!("$ pipeline model export {}\n{}\n", arguments.join(" "), run.stderr);
    }
    let mut settings = settings();
    settings.set_snapshot_path("../snapshots");
    settings.bind(|| insta::assert_snapshot!("model_export_errors", project.stable(&text)));
    assert_eq!(files(&project), before);
    assert_eq!(fs::read(project.path("taken.onnx")).expect("the file"), b"precious");

    project.env("PIPELINE_WAREHOUSE", "elsewhere");
    let run = project.run(&[&["model", "export", "models.forest"], &onnx[..]].concat());
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert!(run.stderr.contains("nothing is published"), "{}", run.stderr);
}

#[test]
fn a_file_is_whole_or_not_there() {
    let project = published();
    let before = files(&project);
    // A limit of a file's size stands in for a full disk: it ends the first write.
    let limited = format!(
        "trap '' XFSZ; ulimit -f 1; exec {} model export models.forest --format onnx --output new.onnx",
        env!("CARGO_BIN_EXE_pipeline")
    );
    let mut bash = std::process::Command::new("bash");
    let output = bash.args(["-c", &limited]).current_dir(project.path(".")).output();
    let output = output.expect("bash");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{message}");
    assert!(message.starts_with("error: cannot write new.onnx"), "{message}");
    assert_eq!(files(&project), before);
}

#[test]
fn the_binary_form_is_the_value_in_the_table() {
    let project = published();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    for (relation, column, more) in [
        ("models.forest", "model", &[][..]),
        ("models.by_parity", "model", &["--where", "parity = 1 -- the odd ones"]),
        ("models.two", "second", &["--column", "second"]),
        ("models.other", "model", &[]),
    ] {
        let arguments = [&[relation, "--format", "binary"], more].concat();
        let exported = export(&project, &arguments);
        let condition = if relation == "models.by_parity" { "WHERE parity = 1" } else { "" };
        let value =
            project.value(&format!("SELECT encode({column}, 'hex') FROM {relation} {condition}"));
        assert_eq!(hex(&exported), value, "{relation}");
    }
}

#[test]
fn the_json_form_is_read_back_as_the_same_model() {
    let project = published();
    let json = export(&project, &["models.forest", "--format", "json"]);
    let model = Model::from_json(&String::from_utf8(json).expect("UTF-8")).expect("a model");
    assert_eq!(model.encode(), export(&project, &["models.forest", "--format", "binary"]));
}

#[test]
fn stdout_gets_the_bytes_of_the_file() {
    let project = published();
    let file = export(&project, &["models.forest", "--format", "onnx"]);
    let arguments = ["model", "export", "models.forest", "--format", "onnx", "-o", "-"];
    let output = project.command(&arguments).output().expect("the program");
    assert!(output.status.success());
    assert_eq!(output.stdout, file);
    assert!(output.stderr.is_empty());
    assert!(!files(&project).contains("-"));
}

#[test]
fn a_link_is_followed_and_its_file_replaced() {
    let project = published();
    project.file("real.onnx", "old");
    std::os::unix::fs::symlink("real.onnx", project.path("exported")).expect("a link");
    let exported = export(&project, &["models.forest", "--format", "onnx"]);
    assert_eq!(fs::read(project.path("real.onnx")).expect("the file"), exported);
    assert!(project.path("exported").is_symlink());
}

#[test]
fn a_run_names_what_was_published_when_it_had_ended() {
    let project = published();
    let run = || project.value("SELECT id FROM audit.runs ORDER BY started DESC LIMIT 1");
    let first = run();
    let binary = |relation: &str| export(&project, &[relation, "--format", "binary"]);
    let old = binary("models.forest");

    project.file("sql/3_training/1_models.sql", models(2));
    project.ok(&["exec", "sql"]);
    let second = run();
    let new = binary("models.forest");
    assert_ne!(old, new);

    // One that publishes nothing, and one that fails.
    project.ok(&["exec", "sql"]);
    let third = run();
    project.file("sql/4_evaluation/1_no.sql", "ASSERT 1 = 2 AS 'no';\n");
    assert_eq!(project.run(&["exec", "sql"]).code, 1);
    let failed = run();

    assert_eq!(binary(&format!("models.forest@{first}")), old);
    assert_eq!(binary(&format!("models.forest@{second}")), new);
    assert_eq!(binary(&format!("models.forest@{third}")), new);
    let arguments = [&format!("models.forest@{failed}"), "--format", "binary", "-o", "-"];
    let refused = project.run(&[&["model", "export"], &arguments[..]].concat());
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains(&format!("there is no run {failed} that has succeeded")));
}
