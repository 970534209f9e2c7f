//! The main job, end to end through the real program: what runs, what is reused and why, equal
//! bytes whatever the layout, and one SELECT that tells where a model comes from.

#![allow(clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

mod common;

use common::{Project, settings, table_settings};

/// `relation: state (reason)` of the newest run, without statements that write nothing.
fn steps(project: &Project) -> Vec<String> {
    project.rows(
        "SELECT relation || ': ' || state || ' (' || reason || ')' FROM audit.steps
         WHERE run = (SELECT id FROM audit.runs ORDER BY started DESC LIMIT 1) AND relation IS NOT NULL ORDER BY ordinal",
    )
}

fn all_reused(project: &Project) -> bool {
    project.value("SELECT count(*) FROM audit.steps WHERE run = (SELECT id FROM audit.runs ORDER BY started DESC LIMIT 1) AND state <> 'reused'") == "0"
}

#[test]
fn shipped_pipeline_runs_and_then_reuses_every_step() {
    let project = Project::shipped(5000);
    let first = project.run(&["exec", "sql"]);
    assert_eq!(first.code, 0, "{}", first.stderr);
    let text = format!("--- stdout\n{}--- stderr\n{}", first.stdout, first.stderr);
    table_settings().bind(|| insta::assert_snapshot!("first_run", project.stable(&text)));
    let published = project.fingerprints();

    let second = project.ok(&["exec", "sql"]);
    table_settings().bind(|| insta::assert_snapshot!("second_run", project.stable(&second)));
    assert!(all_reused(&project));
    assert_eq!(project.fingerprints(), published);
}

#[test]
fn metrics_that_need_labels_are_absent_without_them() {
    let project = Project::shipped(2000);
    let script = "sql/1_ingestion/1_events.sql";
    let text = std::fs::read_to_string(project.path(script)).expect("the script");
    project.file(script, text.replace("CAST(label AS VARCHAR) ", "CAST(NULL AS VARCHAR) "));
    project.ok(&["exec", "sql"]);
    let metrics = project.rows("SELECT metric FROM eval.metrics ORDER BY 1");
    assert_eq!(metrics, ["anomaly_rate", "score_mean", "score_std"]);
}

#[test]
fn shipped_pipeline_finds_attacks() {
    let project = Project::shipped(100_000);
    project.ok(&["exec", "sql"]);
    let metric = |name: &str| -> f64 {
        project
            .value(&format!("SELECT value FROM eval.metrics WHERE metric = '{name}'"))
            .parse()
            .expect("a number")
    };
    assert!(metric("roc_auc") > 0.85, "{}", metric("roc_auc"));
    assert!(metric("average_precision") > 0.1, "{}", metric("average_precision"));
    assert_eq!(project.value("SELECT count(*) FROM eval.scores"), "100000");
}

/// Fingerprints of the shipped pipeline over files, under some settings.
fn fingerprints_of(files: usize, arguments: &[&str]) -> Vec<String> {
    const ROWS: usize = 20_000;
    let project = Project::shipped(ROWS);
    project.file("make/pipeline.toml", "warehouse = \"../other\"\n");
    for file in 0..files {
        let (from, to) = (file * ROWS / files, (file + 1) * ROWS / files);
        project.file(
            &format!("make/{file}.sql"),
            format!("COPY (SELECT * FROM synthetic_flows({ROWS}, 42) WHERE event_id >= {from} AND event_id < {to}) TO '{}/flows/{file}.parquet' STORED AS PARQUET;\n", project.path(".").display()),
        );
    }
    project.ok(&["exec", "make"]);
    project.ok(&[&["exec", "sql", "--source", "events=flows"], arguments].concat());
    let model =
        project.value("SELECT encode(digest(model, 'sha256'), 'hex') FROM models.isolation_forest");
    [project.fingerprints(), vec![model]].concat()
}

#[test]
fn same_bytes_whatever_the_partitions_batches_and_files() {
    let expected = fingerprints_of(1, &["--partitions", "1"]);
    assert_eq!(expected.len(), 10);
    for (files, arguments) in [
        (1, &["--partitions", "2"][..]),
        (50, &["--partitions", "8"]),
        (50, &["--partitions", "1", "--batch-size", "7"]),
        (3, &["--partitions", "2", "--batch-size", "8192"]),
    ] {
        assert_eq!(fingerprints_of(files, arguments), expected, "{files} files, {arguments:?}");
    }
    settings().bind(|| insta::assert_snapshot!("golden_fingerprints", expected.join("\n")));
}

#[test]
fn compressed_csv_and_json_are_read_directly() {
    let project = Project::new();
    project.file("make/pipeline.toml", "warehouse = \"../other\"\n");
    let mut expected = None;
    for (format, ending, options) in [
        ("CSV", "csv", ""),
        ("CSV", "csv.gz", "OPTIONS ('format.compression' 'gzip')"),
        ("CSV", "csv.zst", "OPTIONS ('format.compression' 'zstd')"),
        ("JSON", "json", ""),
        ("JSON", "json.gz", "OPTIONS ('format.compression' 'gzip')"),
    ] {
        let file = project.path(&format!("flows.{ending}"));
        project.file("make/1.sql", format!("COPY (SELECT event_id, src_ip, bytes, duration FROM synthetic_flows(3000, 1)) TO '{}' STORED AS {format} {options};\n", file.display()));
        project.ok(&["exec", "make"]);
        project.file("sql/1_ingestion/1.sql", "CREATE OR REPLACE TABLE raw.flows AS SELECT event_id, src_ip, bytes, duration FROM landing.flows;\n");
        project.ok(&["exec", "sql", "--source", &format!("flows={}", file.display())]);
        let fingerprint = project.fingerprints();
        assert_eq!(&fingerprint, expected.get_or_insert(fingerprint.clone()), "{ending}");
    }
}

#[test]
fn reader_options_of_a_source() {
    let project = Project::new();
    project.file("flows.txt", "1;0x0303;-\n2;80;7.5\n# a comment\n3;;1\n");
    project.file(
        "sql/pipeline.toml",
        "warehouse = \"../warehouse\"\n[sources.flows]\nformat = \"csv\"\nlocation = \"../flows.txt\"\ndelimiter = \";\"\ncomment = \"#\"\nnames = [\"id\", \"port\", \"bytes\"]\ntypes = { port = \"VARCHAR\", bytes = \"VARCHAR\" }\n",
    );
    project.file(
        "sql/1.sql",
        "CREATE OR REPLACE TABLE raw.flows AS\nSELECT id, port, CAST(nullif(bytes, '-') AS DOUBLE) AS bytes FROM landing.flows;\n",
    );
    project.ok(&["exec", "sql"]);
    assert_eq!(
        project.rows("SELECT * FROM raw.flows ORDER BY id"),
        ["1,0x0303,", "2,80,7.5", "3,,1.0"]
    );
}

#[test]
fn only_what_changed_runs_and_says_why() {
    let project = Project::shipped(2000);
    project.ok(&["exec", "sql"]);

    project.ok(&["exec", "sql", "--param", "trees=50"]);
    settings().bind(|| insta::assert_snapshot!("why_parameter", steps(&project).join("\n")));

    // Back to what was: the first run's versions still stand in.
    project.ok(&["exec", "sql"]);
    assert!(all_reused(&project));

    let features = std::fs::read_to_string(project.path("sql/2_transformation/4_features.sql"))
        .expect("the view");
    project.file("sql/2_transformation/4_features.sql", format!("-- only a comment\n{features}"));
    project.ok(&["exec", "sql"]);
    assert!(all_reused(&project), "comments and blanks do not matter");

    project.file(
        "sql/2_transformation/4_features.sql",
        features.replace("ln(1.0 + f.packets)", "ln(2.0 + f.packets)"),
    );
    project.ok(&["exec", "sql"]);
    settings().bind(|| insta::assert_snapshot!("why_sql", steps(&project).join("\n")));

    let config =
        std::fs::read_to_string(project.path("sql/pipeline.toml")).expect("the configuration");
    project.file(
        "sql/pipeline.toml",
        config.replace("synthetic_flows(2000, 42)", "synthetic_flows(2000, 43)"),
    );
    project.ok(&["exec", "sql"]);
    settings().bind(|| insta::assert_snapshot!("why_input", steps(&project).join("\n")));

    project.ok(&["exec", "sql", "--force"]);
    assert_eq!(project.value("SELECT count(*) FROM audit.steps WHERE run = (SELECT id FROM audit.runs ORDER BY started DESC LIMIT 1) AND state = 'reused'"), "0");
}

#[test]
fn a_changed_file_is_read_again() {
    let project = Project::new();
    project
        .file("sql/1.sql", "CREATE OR REPLACE TABLE raw.flows AS SELECT * FROM landing.flows;\n");
    project.file("flows.csv", "id\n1\n");
    let exec = ["exec", "sql", "--source", "flows=flows.csv"];
    project.ok(&exec);
    project.ok(&exec);
    assert!(all_reused(&project));
    project.file("flows.csv", "id\n1\n2\n");
    project.ok(&exec);
    assert_eq!(steps(&project), ["raw.flows: ran (input landing.flows changed)"]);
    assert_eq!(project.value("SELECT count(*) FROM raw.flows"), "2");
    let lineage = project.rows("SELECT relation, kind, size FROM audit.lineage ORDER BY size");
    assert_eq!(lineage, ["landing.flows,object,5", "landing.flows,object,7"]);
}

#[test]
fn results_that_nobody_can_repeat_are_not_reused() {
    let project = Project::new();
    project.file("sql/1.sql", "CREATE OR REPLACE TABLE raw.t AS SELECT random() AS r;\nCREATE OR REPLACE TABLE raw.u AS SELECT count(*) AS n FROM audit.runs;\n");
    project.ok(&["exec", "sql"]);
    project.ok(&["exec", "sql"]);
    assert_eq!(
        steps(&project),
        [
            "raw.t: ran (random() gives another result each time)",
            "raw.u: ran (the content of audit.runs is not versioned)"
        ]
    );
}

#[test]
fn a_failed_run_resumes_after_its_last_finished_step() {
    let project = Project::shipped(2000);
    let alerts =
        std::fs::read_to_string(project.path("sql/4_evaluation/3_alerts.sql")).expect("the script");
    project.file("sql/4_evaluation/3_alerts.sql", "ASSERT false AS 'not today';\n");
    assert_eq!(project.run(&["exec", "sql"]).code, 1);
    assert!(project.fingerprints().is_empty(), "nothing is visible");

    project.file("sql/4_evaluation/3_alerts.sql", alerts);
    project.ok(&["exec", "sql"]);
    let ran: Vec<_> =
        steps(&project).into_iter().filter(|step| !step.contains(": reused")).collect();
    assert_eq!(ran, ["eval.alerts: ran (first version)"]);
    assert_eq!(project.fingerprints().len(), 9);
}

#[test]
fn a_version_whose_file_is_gone_is_made_again() {
    let project = Project::shipped(2000);
    project.ok(&["exec", "sql"]);
    let before = project.fingerprints();
    let lost = project.value("SELECT f.path FROM audit.files f JOIN audit.current c ON f.version = c.version WHERE c.relation = 'silver.flows' LIMIT 1");
    std::fs::remove_file(project.path("warehouse").join(lost)).expect("a file to lose");
    project.ok(&["exec", "sql"]);
    let ran: Vec<_> =
        steps(&project).into_iter().filter(|step| !step.contains(": reused")).collect();
    assert_eq!(ran, ["silver.flows: ran (its earlier result is gone)"]);
    assert_eq!(project.fingerprints(), before);
}

#[test]
fn phases_and_selections_run_alone() {
    let project = Project::shipped(2000);
    let training = project.run(&["exec", "sql/3_training"]);
    assert_eq!(training.code, 2, "there is nothing to train on yet");
    assert!(training.stderr.contains("silver.features"), "{}", training.stderr);

    project.ok(&["exec", "sql", "--until", "transformation"]);
    project.ok(&["exec", "sql/3_training"]);
    assert_eq!(steps(&project), ["models.isolation_forest: ran (first version)"]);
    project.ok(&["exec", "sql/4_evaluation/1_scores.sql"]);
    assert_eq!(steps(&project), ["eval.scores: ran (first version)"]);
    project.ok(&["exec", "sql", "--from", "4_evaluation/2_metrics"]);
    assert_eq!(
        steps(&project),
        ["eval.metrics: ran (first version)", "eval.alerts: ran (first version)"]
    );
    project.ok(&["exec", "sql", "--select", "silver.flows", "--select", "training", "--force"]);
    assert_eq!(
        steps(&project),
        ["silver.flows: ran (--force)", "models.isolation_forest: ran (--force)"]
    );
    let typo = project.run(&["exec", "sql", "--from", "trainig"]);
    assert_eq!(
        (typo.code, typo.stderr.contains("did you mean `training`?")),
        (2, true),
        "{}",
        typo.stderr
    );
}

#[test]
fn a_dry_run_says_what_would_run_and_writes_nothing() {
    let project = Project::shipped(2000);
    project.ok(&["exec", "sql"]);
    let runs = project.value("SELECT count(*) FROM audit.runs");
    let text = project.ok(&["exec", "sql", "--dry-run", "--param", "trees=10"]);
    table_settings().bind(|| insta::assert_snapshot!("dry_run", project.stable(&text)));
    assert_eq!(project.value("SELECT count(*) FROM audit.runs"), runs);
}

#[test]
fn views_may_name_their_columns() {
    let project = Project::new();
    project.file("sql/1.sql", "CREATE OR REPLACE VIEW silver.v (a, \"B b\") AS SELECT 1, 2;\n");
    project.ok(&["exec", "sql"]);
    assert_eq!(project.value("SELECT a + \"B b\" FROM silver.v"), "3");
}

#[test]
fn sources_that_read_themselves_are_refused() {
    let project = Project::new();
    project.file(
        "sql/pipeline.toml",
        "warehouse = \"../warehouse\"\n[sources.a]\nquery = \"SELECT * FROM landing.b\"\n[sources.b]\nquery = \"SELECT * FROM landing.a\"\n",
    );
    let run = project.run(&["sql", "SELECT * FROM landing.a"]);
    assert_eq!(
        (run.code, run.stderr.contains("landing.a would read itself")),
        (2, true),
        "{}",
        run.stderr
    );
}

#[test]
fn any_folder_name_will_do() {
    let project = Project::shipped(200);
    let warehouse = "wh #1 %20 [x] ü";
    project.ok(&["exec", "sql", "--warehouse", warehouse]);
    let count =
        project.ok(&["sql", "SELECT count(*) AS n FROM eval.scores", "--warehouse", warehouse]);
    assert!(count.contains("200"), "{count}");
    project.file("da ta [1]/a ü#.csv", "id\n1\n").file("da ta [1]/deep/er/B.CSV", "id\n2\n");
    project.file(
        "sql/1_ingestion/1_events.sql",
        "CREATE OR REPLACE TABLE raw.t AS SELECT * FROM landing.t;\n",
    );
    for (source, sum) in [("t=da ta [1]", "3"), ("t=da ta ?1?/**/*.CSV", "2")] {
        project.ok(&["exec", "sql/1_ingestion", "--source", source]);
        assert_eq!(project.value("SELECT sum(id) FROM raw.t"), sum, "{source}");
    }
    project.ok(&["exec", "sql/1_ingestion", "--source", "t=da ta [1]/a ü#.csv"]);
    assert_eq!(project.value("SELECT sum(id) FROM raw.t"), "1");
}

#[test]
fn a_phase_is_itself_however_it_is_named() {
    let project = Project::new();
    project.file("sql/3_training/1.sql", "CREATE OR REPLACE TABLE raw.t AS SELECT 1 AS a;\n");
    let config = project.path("sql/pipeline.toml");
    let config = config.to_str().expect("UTF-8");
    for arguments in [
        &["exec", "sql/3_training"][..],
        &["exec", "sql/3_training", "--config", config],
        &["exec", "sql/3_training/1.sql"],
    ] {
        project.ok(arguments);
    }
    assert_eq!(
        project.rows("SELECT DISTINCT phase, file FROM audit.steps"),
        ["training,3_training/1.sql"]
    );
}

#[test]
fn views_are_not_broken_behind_their_back() {
    let project = Project::new();
    project.file("sql/1.sql", "CREATE OR REPLACE TABLE raw.t AS SELECT 1 AS a;\nCREATE OR REPLACE VIEW silver.v AS SELECT a FROM raw.t;\n");
    project.ok(&["exec", "sql"]);
    for sql in ["DROP TABLE raw.t;\n", "CREATE OR REPLACE TABLE raw.t AS SELECT 1 AS b;\n"] {
        project.file("sql/1.sql", sql);
        let run = project.run(&["exec", "sql"]);
        assert_eq!(
            (run.code, run.stderr.contains("view silver.v, which would break")),
            (2, true),
            "{}",
            run.stderr
        );
    }
    project.file("sql/1.sql", "DROP VIEW silver.v;\nDROP TABLE raw.t;\n");
    project.ok(&["exec", "sql"]);
    assert!(project.fingerprints().is_empty());
}

#[test]
fn a_source_that_changes_while_it_is_read_fails_the_run() {
    let project = Project::new();
    project.file("e.csv", "a\n1\n");
    let csv = project.path("e.csv");
    project.file(
        "sql/1.sql",
        format!(
            "CREATE OR REPLACE TABLE raw.t AS SELECT * FROM landing.e;\nCOPY (SELECT 2 AS a UNION ALL SELECT 3) TO '{}' STORED AS CSV;\nCREATE OR REPLACE TABLE raw.u AS SELECT a FROM landing.e;\n",
            csv.display()
        ),
    );
    let run = project.run(&["exec", "sql", "--source", "e=e.csv"]);
    assert_eq!(
        (run.code, run.stderr.contains("source `e` changed while it was read")),
        (3, true),
        "{}",
        run.stderr
    );
    assert!(project.fingerprints().is_empty());
}

#[test]
fn what_is_published_already_is_not_published_again() {
    let project = Project::new();
    project.file(
        "sql/1.sql",
        "CREATE OR REPLACE TABLE raw.t AS SELECT 1 AS a;\nINSERT INTO raw.t SELECT 2;\n",
    );
    project.ok(&["exec", "sql"]);
    assert_eq!(steps(&project), ["raw.t: ran (first version)", "raw.t: ran (appends)"]);
    let again = project.ok(&["exec", "sql"]);
    assert!(again.contains("2 reused, 0 relations published"), "{again}");
    assert_eq!(project.value("SELECT count(*) FROM audit.publications"), "1");
}

#[test]
fn conditions_of_every_form_are_checked() {
    let project = Project::new();
    let table = "CREATE OR REPLACE TABLE raw.t AS SELECT * FROM (VALUES (1), (2)) AS v(a);\n";
    for (condition, holds) in [
        ("EXISTS (SELECT 1 FROM raw.t)", true),
        ("NOT EXISTS (SELECT 1 FROM raw.t WHERE a > 2)", true),
        ("NOT EXISTS (SELECT 1 FROM raw.t WHERE a > 1)", false),
        ("2 IN (SELECT a FROM raw.t)", true),
        ("3 IN (SELECT a FROM raw.t) OR EXISTS (SELECT 1 FROM raw.t WHERE a = 1)", true),
        ("0 = (SELECT count(*) FROM raw.t WHERE a > 1)", false),
        ("NULL", false),
        ("(SELECT max(a) FROM raw.t WHERE a > 9) > 1", false),
    ] {
        project.file("sql/1.sql", format!("{table}ASSERT {condition};\n"));
        let run = project.run(&["exec", "sql"]);
        assert_eq!(run.code, i32::from(!holds), "{condition}\n{}", run.stderr);
    }
    let offending = project
        .rows("SELECT offending FROM audit.checks WHERE NOT passed AND offending IS NOT NULL");
    assert_eq!(offending, ["1", "1"]);
    project.file("sql/1.sql", format!("{table}ASSERT 1;\n"));
    let run = project.run(&["exec", "sql"]);
    assert_eq!(
        (run.code, run.stderr.contains("must be true or false")),
        (2, true),
        "{}",
        run.stderr
    );
}

#[test]
fn nobody_has_to_read_the_output() {
    let project = Project::shipped(2000);
    let program = env!("CARGO_BIN_EXE_pipeline");
    for command in [
        format!("{program} exec sql 2>&1 | true; exit ${{PIPESTATUS[0]}}"),
        format!(
            "{program} sql 'SELECT * FROM synthetic_flows(1000000000, 1)' --format csv | head -1"
        ),
        format!(
            "{program} sql 'SELECT * FROM synthetic_flows(1000000000, 1)' --format json | head -1"
        ),
    ] {
        let run = std::process::Command::new("bash")
            .args(["-c", &format!("set -o pipefail; {command}")])
            .current_dir(project.path("."))
            .output()
            .expect("bash");
        assert!(run.status.success(), "{command}: {}", String::from_utf8_lossy(&run.stderr));
    }
    assert_eq!(project.fingerprints().len(), 9);
}

#[test]
fn readers_leave_no_trace() {
    let project = Project::shipped(100);
    let text = project.ok(&["exec", "sql", "--dry-run"]);
    assert!(text.contains("15 steps would run"), "{text}");
    assert_eq!(project.value("SELECT count(*) FROM landing.events"), "100");
    let run = project.run(&["sql", "SELECT * FROM eval.metrics"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("(nothing is published)"), "{}", run.stderr);
    assert!(!project.path("warehouse").exists());
}

#[test]
fn where_a_model_comes_from_is_one_select() {
    let project = Project::shipped(2000);
    project.ok(&["exec", "sql"]);
    let text = project.ok(&["sql", "SELECT * FROM audit.model_provenance", "--format", "json"]);
    for part in [
        "synthetic_flows(2000, 42)",
        "roc_auc=",
        "trees=100",
        "raw.events",
        "models.isolation_forest",
        "train_isolation_forest(",
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    for (view, rows) in [
        ("ingestion_events", "5"),
        ("transformation_events", "4"),
        ("training_events", "1"),
        ("evaluation_events", "5"),
    ] {
        assert_eq!(project.value(&format!("SELECT count(*) FROM audit.{view}")), rows, "{view}");
    }
    let metrics = project
        .rows("SELECT DISTINCT metric FROM audit.metrics WHERE model IS NOT NULL ORDER BY 1");
    assert_eq!(
        metrics,
        [
            "anomaly_rate",
            "average_precision",
            "f1_score",
            "precision",
            "recall",
            "roc_auc",
            "score_mean",
            "score_std"
        ]
    );
}

#[test]
fn queries_read_layers_sources_audit_and_the_information_schema() {
    let project = Project::shipped(100);
    project.ok(&["exec", "sql", "--until", "ingestion"]);
    assert_eq!(project.value("SELECT count(*) FROM landing.events"), "100");
    let columns = "SELECT count(*) FROM information_schema.columns WHERE table_schema =";
    assert_eq!(project.value(&format!("{columns} 'raw' AND table_name = 'events'")), "11");
    assert_ne!(project.value(&format!("{columns} 'audit' AND table_name = 'runs'")), "0");
    let json = project.ok(&["sql", "SELECT 1 AS a, NULL AS b, 'x' AS c", "--format", "json"]);
    assert_eq!(json, "{\"a\":1,\"b\":null,\"c\":\"x\"}\n");
    let table = project.ok(&["sql", "SELECT 1 AS a WHERE false"]);
    assert_eq!(table, "+---+\n| a |\n+---+\n+---+\n");
    let two = project.run(&["sql", "SELECT 1; SELECT 2"]);
    assert_eq!((two.code, two.stderr.as_str()), (2, "error: exactly one statement is needed\n"));
    let write = project.run(&["sql", "DROP TABLE raw.events"]);
    assert_eq!(
        (write.code, write.stderr.contains("is not a query")),
        (2, true),
        "{}",
        write.stderr
    );
}

#[test]
fn a_model_made_again_with_equal_bytes_keeps_its_metrics() {
    let project = Project::shipped(2000);
    project.ok(&["exec", "sql"]);
    project.ok(&["exec", "sql", "--select", "models.isolation_forest", "--force"]);
    project.ok(&["exec", "sql"]);
    let metrics = project.rows("SELECT metrics LIKE '%roc_auc=%' FROM audit.model_provenance");
    assert_eq!(metrics, ["true", "true"]);
}

#[test]
fn line_breaks_in_quoted_values_are_values() {
    let project = Project::new();
    let rows: String = (0..400_000).map(|i| format!("{i},\"line one\n{i}, two\"\n")).collect();
    project.file("q.csv", format!("a,b\n{rows}"));
    project.file("sql/1.sql", "CREATE OR REPLACE TABLE raw.t AS SELECT * FROM landing.q;\n");
    for partitions in ["1", "4"] {
        project.ok(&["exec", "sql", "--force", "--source", "q=q.csv", "--partitions", partitions]);
        assert_eq!(project.value("SELECT count(*) FROM raw.t"), "400000", "{partitions}");
    }
}

#[test]
fn one_audit_store_serves_one_warehouse() {
    let project = Project::new();
    project.file("sql/1.sql", "CREATE OR REPLACE TABLE raw.t AS SELECT 1 AS a;\n");
    project.ok(&["exec", "sql", "--warehouse", "one", "--audit", "audit.db"]);
    for arguments in [
        &["exec", "sql", "--warehouse", "two", "--audit", "audit.db"][..],
        &["sql", "SELECT * FROM raw.t", "--warehouse", "sql", "--audit", "audit.db"],
    ] {
        let run = project.run(arguments);
        assert_eq!(
            (run.code, run.stderr.contains("belongs to the warehouse")),
            (2, true),
            "{}",
            run.stderr
        );
    }
    // Under another name it is the same warehouse.
    std::os::unix::fs::symlink(project.path("one"), project.path("link")).expect("a link");
    project.ok(&["exec", "sql", "--warehouse", "link", "--audit", "audit.db"]);
    project.ok(&["sql", "SELECT * FROM raw.t", "--warehouse", "one", "--audit", "audit.db"]);
}

#[test]
fn names_are_the_same_however_they_are_written() {
    let project = Project::new();
    project.file("sql/1.sql", "\u{feff}CREATE OR REPLACE TABLE PIPELINE.Raw.T AS SELECT 1 AS a;\n");
    project.ok(&["exec", "sql", "--select", "raw.t"]);
    project
        .file("sql/1.sql", "CREATE OR REPLACE TABLE silver.u AS SELECT a FROM pipeline.RAW.t;\n");
    project.ok(&["exec", "sql"]);
    assert_eq!(project.rows("SELECT relation FROM audit.steps ORDER BY 1"), ["raw.t", "silver.u"]);
    assert_eq!(project.rows("SELECT relation FROM audit.lineage"), ["raw.t"]);
    let deep = vec!["1"; 2_000].join("+");
    project.file("sql/1.sql", format!("CREATE OR REPLACE TABLE silver.u AS SELECT {deep} AS n;\n"));
    project.ok(&["exec", "sql"]);
    assert_eq!(project.value("SELECT n FROM silver.u"), "2000");
}

#[test]
fn insert_keeps_the_earlier_files() {
    let project = Project::new();
    project.file("sql/1.sql", "CREATE OR REPLACE TABLE raw.t AS SELECT 1 AS a, 'x' AS b;\n");
    project.ok(&["exec", "sql"]);
    project.file(
        "sql/1.sql",
        "INSERT INTO raw.t (a, b) VALUES (2, 'y');\nINSERT INTO raw.t SELECT 3, 'z';\n",
    );
    project.ok(&["exec", "sql"]);
    assert_eq!(project.rows("SELECT * FROM raw.t ORDER BY a"), ["1,x", "2,y", "3,z"]);
    let files = project.rows("SELECT count(*) FROM audit.files GROUP BY version ORDER BY 1");
    assert_eq!(files, ["1", "2", "3"]);
    // The same rows at once have the same fingerprint.
    let inserted = project.fingerprints();
    project.file("sql/1.sql", "CREATE OR REPLACE TABLE raw.t AS SELECT * FROM (VALUES (3, 'z'), (1, 'x'), (2, 'y')) AS v(a, b);\n");
    project.ok(&["exec", "sql"]);
    assert_eq!(project.fingerprints(), inserted);
}

#[test]
fn views_are_stored_and_see_new_tables() {
    let project = Project::new();
    project.file("sql/1.sql", "CREATE OR REPLACE TABLE raw.t AS SELECT 1 AS a;\nCREATE OR REPLACE VIEW silver.v AS SELECT a + $plus AS b FROM raw.t;\n");
    project.file("sql/pipeline.toml", "warehouse = \"../warehouse\"\n[params]\nplus = 10\n");
    project.ok(&["exec", "sql"]);
    assert_eq!(project.value("SELECT b FROM silver.v"), "11");
    project.file("sql/1.sql", "CREATE OR REPLACE TABLE raw.t AS SELECT 2 AS a;\n");
    project.ok(&["exec", "sql"]);
    assert_eq!(project.value("SELECT b FROM silver.v"), "12");

    project.file("sql/1.sql", "CREATE OR REPLACE VIEW silver.v AS SELECT * FROM silver.v;\n");
    let run = project.run(&["exec", "sql"]);
    assert_eq!((run.code, run.stderr.contains("would read itself")), (2, true), "{}", run.stderr);
    project.file("sql/1.sql", "DROP VIEW silver.v;\nDROP TABLE IF EXISTS raw.nothing;\n");
    project.ok(&["exec", "sql"]);
    assert_eq!(project.fingerprints().len(), 1);
    assert_eq!(project.value("SELECT count(*) FROM audit.publications WHERE version IS NULL"), "1");
}

#[test]
fn relations_change_their_kind_only_by_drop() {
    let project = Project::new();
    project.file("sql/1.sql", "CREATE TABLE raw.t AS SELECT 1 AS a;\n");
    project.ok(&["exec", "sql"]);
    for (sql, message) in [
        ("CREATE TABLE raw.t AS SELECT 2 AS a;\n", "raw.t exists already"),
        ("CREATE OR REPLACE VIEW raw.t AS SELECT 2 AS a;\n", "raw.t exists already as a table"),
        ("DROP VIEW raw.t;\n", "raw.t is a table, not a view"),
        ("CREATE OR REPLACE TABLE raw.u AS SELECT 1 AS a, 2 AS a;\n", "a"),
        (
            "CREATE OR REPLACE TABLE raw.\"Not A Name\" AS SELECT 1 AS a;\n",
            "is not a name for a relation",
        ),
    ] {
        project.file("sql/1.sql", sql);
        let run = project.run(&["exec", "sql"]);
        assert_eq!((run.code, run.stderr.contains(message)), (2, true), "{sql}{}", run.stderr);
    }
    project.file("sql/1.sql", "CREATE TABLE IF NOT EXISTS raw.t AS SELECT 2 AS a;\n");
    project.ok(&["exec", "sql"]);
    assert_eq!(project.value("SELECT a FROM raw.t"), "1");
}

#[test]
fn external_tables_settings_and_selects_are_steps() {
    let project = Project::new();
    project.file("flows.csv", "id,bytes\n1,10\n2,20\n");
    let csv = project.path("flows.csv");
    project.file(
        "sql/1.sql",
        format!(
            "SET datafusion.execution.batch_size = 100;\nCREATE EXTERNAL TABLE landing.flows STORED AS CSV LOCATION '{}' OPTIONS ('format.has_header' 'true');\nCREATE OR REPLACE TABLE raw.flows AS SELECT * FROM landing.flows;\nSELECT sum(bytes) AS total FROM raw.flows;\nCOPY raw.flows TO '{}' STORED AS CSV;\n",
            csv.display(),
            project.path("copied.csv").display(),
        ),
    );
    let text = project.ok(&["exec", "sql"]);
    assert!(text.contains("| 30    |"), "{text}");
    assert_eq!(
        std::fs::read_to_string(project.path("copied.csv")).expect("the copy"),
        "id,bytes\n1,10\n2,20\n"
    );
    project.ok(&["exec", "sql"]);
    let states = project.rows("SELECT kind, state FROM audit.steps WHERE run = (SELECT id FROM audit.runs ORDER BY started DESC LIMIT 1) ORDER BY ordinal");
    assert_eq!(states, ["other,ran", "other,ran", "table,reused", "select,ran", "other,ran"]);
}

#[test]
fn models_by_group_score_by_join() {
    let project = Project::shipped(5000);
    project.file(
        "sql/5_segments/1.sql",
        "CREATE OR REPLACE TABLE models.by_protocol AS
         SELECT protocol, train_isolation_forest({ln_bytes: ln(1.0 + bytes)}, event_id, {n_estimators: 20}) AS model
         FROM silver.flows GROUP BY protocol;
         CREATE OR REPLACE TABLE eval.by_protocol AS
         SELECT f.event_id, anomaly_score(m.model, {ln_bytes: ln(1.0 + f.bytes)}) AS score
         FROM silver.flows f JOIN models.by_protocol m ON f.protocol = m.protocol;
         ASSERT (SELECT count(*) FROM eval.by_protocol WHERE score IS NULL) = 0 AS 'every flow has a score';\n",
    );
    project.ok(&["exec", "sql"]);
    assert_eq!(project.value("SELECT count(*) FROM eval.by_protocol"), "5000");
}

#[test]
fn postgres_keeps_the_same_records() {
    let url = std::env::var("PIPELINE_TEST_POSTGRES")
        .expect("PIPELINE_TEST_POSTGRES is not set: run tests/run, which starts a server");
    let project = Project::shipped(2000);
    let schema = format!("e2e_{}", std::process::id());
    let psql = |sql: &str| {
        let output = std::process::Command::new("psql")
            .args(["-v", "ON_ERROR_STOP=1", "-X", "-q", "-t", "-A", "-d", &url, "-c", sql])
            .output()
            .expect("psql");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    psql(&format!("CREATE SCHEMA {schema}"));
    let separator = if url.contains('?') { '&' } else { '?' };
    let audit = format!("{url}{separator}options=-csearch_path%3D{schema}");
    project.ok(&["exec", "sql", "--audit", &audit]);
    project.ok(&["exec", "sql", "--audit", &audit]);
    let count = |what: &str| psql(&format!("SELECT count(*) FROM {schema}.{what}"));
    assert_eq!(count("runs WHERE state = 'succeeded'"), "2");
    assert_eq!(count("steps WHERE state = 'reused'"), "15");
    assert_eq!(count("current"), "9");
    assert_eq!(count("model_provenance"), "1");
    assert_eq!(
        psql(&format!(
            "SELECT count(*) FROM {schema}.runs WHERE command LIKE '%@%' OR configuration LIKE '%password%'"
        )),
        "0"
    );
    let seen = project.ok(&["sql", "SELECT count(*) AS n FROM eval.scores", "--audit", &audit]);
    assert!(seen.contains("2000"), "{seen}");
    psql(&format!("DROP SCHEMA {schema} CASCADE"));
}
