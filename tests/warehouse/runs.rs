//! Whole runs through the real program: the same results wherever the warehouse is.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::common::Project;
use super::common::places::Place;
use super::common::s3::{minio, prefix, servers};

fn exec(project: &Project) -> Duration {
    let clock = Instant::now();
    project.ok(&["exec", "sql"]);
    clock.elapsed()
}

#[test]
fn the_shipped_pipeline_gives_the_same_bytes_on_every_store() {
    const ROWS: usize = 20_000;
    let local = Project::shipped(ROWS);
    let on_disk = exec(&local);
    let expected = local.fingerprints();
    assert_eq!(expected.len(), 9);
    let scores = "SELECT count(*), min(score), max(score) FROM eval.scores";
    for server in servers() {
        let warehouse = format!("s3://warehouse/{}", prefix());
        let project = Project::shipped(ROWS).on(&server, &warehouse, "");
        let ratio = exec(&project).as_secs_f64() / on_disk.as_secs_f64();
        println!("first run on {}: {ratio:.2} times the time of a local disk", server.name);
        assert_eq!(project.fingerprints(), expected, "{}", server.name);
        assert_eq!(project.rows(scores), local.rows(scores), "{}", server.name);
        let second = project.ok(&["exec", "sql"]);
        assert!(second.contains("15 reused"), "{}: {second}", server.name);
        let configuration = project.value("SELECT DISTINCT configuration FROM audit.runs");
        assert!(configuration.contains(&server.endpoint), "{configuration}");
    }
}

#[test]
fn layers_may_have_buckets_of_their_own() {
    let local = Project::shipped(2000);
    exec(&local);
    for server in servers() {
        let (main, raw, models) = (prefix(), prefix(), prefix());
        let layers = format!(
            "[layers]\nraw = \"s3://raw/{raw}\"\nmodels = \"s3://models/{models}\"\neval = \"../eval\"\n"
        );
        let project =
            Project::shipped(2000).on(&server, &format!("s3://warehouse/{main}"), &layers);
        exec(&project);
        assert_eq!(project.fingerprints(), local.fingerprints(), "{}", server.name);
        assert!(project.path("eval/scores").is_dir(), "{}: a layer may be local", server.name);
        assert_eq!(project.value("SELECT count(*) FROM eval.scores"), "2000");
        let second = project.ok(&["exec", "sql"]);
        assert!(second.contains("15 reused"), "{}: {second}", server.name);
        // The audit store knows this warehouse with its layers and no other.
        let config = std::fs::read_to_string(project.path("sql/pipeline.toml")).unwrap();
        project.file("sql/pipeline.toml", config.replace(&raw, &prefix()));
        let moved = project.run(&["sql", "SELECT 1"]);
        assert_eq!(moved.code, 2, "{}", moved.stderr);
        assert!(moved.stderr.contains("this audit store belongs to"), "{}", moved.stderr);
    }
}

#[test]
fn appends_and_views_work_as_on_a_disk() {
    for server in servers() {
        let project = Project::new().on(&server, &format!("s3://warehouse/{}", prefix()), "");
        project.file("sql/1.sql", "CREATE OR REPLACE TABLE raw.t AS SELECT 1 AS a;\nINSERT INTO raw.t SELECT 2;\nCREATE OR REPLACE VIEW silver.v AS SELECT sum(a) AS s FROM raw.t;\nASSERT (SELECT s FROM silver.v) = 3 AS 'sum';\n");
        exec(&project);
        assert_eq!(project.value("SELECT s FROM silver.v"), "3", "{}", server.name);
    }
}

#[test]
fn a_stopped_run_leaves_no_upload_and_no_lock() {
    for server in servers() {
        let warehouse = format!("s3://warehouse/{}", prefix());
        let place = Place::at(&server, &warehouse, "");
        let project = Project::new().on(&server, &warehouse, "");
        project.file("sql/1.sql", "CREATE OR REPLACE TABLE raw.big AS SELECT sha256(CAST(event_id AS VARCHAR)) AS a FROM synthetic_flows(2000000000, 1);\n");
        let mut run = project
            .command(&["exec", "sql"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let clock = Instant::now();
        while place.unfinished().is_empty() {
            let ended = run.try_wait().expect("a child");
            if ended.is_some() || clock.elapsed() > Duration::from_secs(120) {
                let _ = run.kill();
                panic!("{}: no upload in parts was begun ({ended:?})", server.name);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let stop = std::process::Command::new("kill").arg(run.id().to_string()).status();
        assert!(stop.expect("kill").success());
        assert_eq!(run.wait().expect("it ends").code(), Some(130), "{}", server.name);
        // A part that a server still takes while it aborts the upload can bring it back; `gc` ends it.
        if !place.unfinished().is_empty() {
            project.ok(&["gc", "--grace", "0s"]);
        }
        assert_eq!(place.unfinished(), Vec::<String>::new(), "{}", server.name);
        project.file("sql/1.sql", "CREATE OR REPLACE TABLE raw.small AS SELECT 1 AS a;\n");
        exec(&project);
    }
}

#[test]
fn a_first_try_says_what_is_missing() {
    let server = minio();
    let mut project = Project::new();
    project.file("sql/1.sql", "SELECT 1;\n");
    let fails = |project: &Project, arguments: &[&str], parts: &[&str]| {
        let clock = Instant::now();
        let run = project.run(arguments);
        assert_eq!(run.code, 2, "{}", run.stderr);
        for part in parts {
            assert!(run.stderr.contains(part), "`{part}` is not in:\n{}", run.stderr);
        }
        assert!(
            clock.elapsed() < Duration::from_secs(20),
            "an error that is certain comes at once"
        );
    };
    let warehouse = format!("s3://warehouse/{}", prefix());
    let on_s3 = ["exec", "sql", "--warehouse", &warehouse];
    fails(&project, &on_s3, &["needs an audit store outside of it", "--audit", "postgres://"]);
    let on_s3 = [&on_s3[..], &["--audit", "audit.db"]].concat();
    fails(&project, &on_s3, &["there are no credentials for S3", "AWS_ACCESS_KEY_ID"]);
    project.env("AWS_ACCESS_KEY_ID", &server.key);
    fails(&project, &on_s3, &["AWS_ACCESS_KEY_ID is set, AWS_SECRET_ACCESS_KEY is not"]);
    project.env("AWS_SECRET_ACCESS_KEY", "not-the-secret");
    project.env("AWS_ENDPOINT_URL", &server.endpoint);
    fails(&project, &on_s3, &["is not encrypted", "AWS_ALLOW_HTTP=true"]);
    project.env("AWS_ALLOW_HTTP", "true");
    fails(&project, &on_s3, &["cannot be written", "403 SignatureDoesNotMatch", "check AWS_"]);
    project.env("AWS_ACCESS_KEY_ID", "nobody");
    fails(&project, &on_s3, &["cannot be written", "403 InvalidAccessKeyId", "check AWS_"]);
    project.env("AWS_ACCESS_KEY_ID", &server.key);
    project.env("AWS_SECRET_ACCESS_KEY", &server.secret);
    project.ok(&on_s3);
    let missing = ["exec", "sql", "--warehouse", "s3://no-such-bucket/x", "--audit", "other.db"];
    fails(&project, &missing, &["404 NoSuchBucket", "create the bucket, or correct the location"]);
    // A typing error does not bind the record to a warehouse that does not exist.
    let corrected = format!("s3://warehouse/{}", prefix());
    project.ok(&["exec", "sql", "--warehouse", &corrected, "--audit", "other.db"]);
    let secret = ["exec", "sql", "--warehouse", "s3://KEY:hunter2@bucket/x", "--audit", "other.db"];
    fails(&project, &secret, &["holds neither credentials nor a server"]);
    assert!(!project.run(&secret).stderr.contains("hunter2"));
}

#[test]
fn wrong_configurations_are_refused() {
    let server = minio();
    for (more, parts) in [
        ("endpont = \"x\"", &["unknown field `endpont`"][..]),
        ("secret_access_key = \"x\"", &["unknown field"]),
        ("timeout = \"soon\"", &["`timeout` in [s3]", "for example `30s`"]),
        ("[layers]\nbronze = \"s3://raw/x\"", &["unknown field `bronze`", "`silver`"]),
        ("[layers]\nraw = \"s3://warehouse/x/y\"", &["[layers] raw", "overlaps", "the warehouse"]),
        (
            "[layers]\nraw = \"s3://raw/x\"\nsilver = \"s3://raw/x/s\"",
            &["[layers] silver", "overlaps with raw"],
        ),
    ] {
        let project = Project::new().on(&server, "s3://warehouse/x", more);
        project.file("sql/1.sql", "SELECT 1;\n");
        let run = project.run(&["exec", "sql"]);
        assert_eq!(run.code, 2, "{}", run.stderr);
        for part in parts {
            assert!(run.stderr.contains(part), "`{part}` is not in:\n{}", run.stderr);
        }
    }
    let layers = "[layers]\nraw = \"s3://raw/x\"";
    let project = Project::new().on(&server, "s3://warehouse/x", layers);
    project.file("sql/1.sql", "SELECT 1;\n");
    let run = project.run(&["exec", "sql", "--warehouse", "elsewhere"]);
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert!(run.stderr.contains("belongs to the warehouse s3://warehouse/x"), "{}", run.stderr);
}
