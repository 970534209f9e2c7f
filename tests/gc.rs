//! `pipeline gc` as users run it: it removes exactly what nobody needs, a dry run lists exactly that,
//! and afterwards everything fits and is made again bit for bit.

#![allow(clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use common::s3::{prefix, servers};
use common::{Project, seen, told};
use pipeline::audit::{AuditStore, RunId};
use pipeline::config::{Overrides, Settings};
use pipeline::warehouse::{Store, Stores};

/// Two tables that grow out of each other, one file each; `$factor` changes the second.
fn pipeline() -> Project {
    let project = Project::new();
    project.file(
        "sql/pipeline.toml",
        "warehouse = \"../warehouse\"\npartitions = 1\n[params]\nfactor = 1\nleast = 1\nfirst = 0\n",
    );
    project.file(
        "sql/1_events.sql",
        "CREATE OR REPLACE TABLE raw.events AS SELECT $first + 1 AS id UNION ALL SELECT $first + 2;
         INSERT INTO raw.events SELECT $first + 3 AS id;\n",
    );
    project.file(
        "sql/2_flows.sql",
        "CREATE OR REPLACE VIEW silver.doubled AS SELECT id * 2 AS id FROM raw.events;
         CREATE OR REPLACE TABLE silver.flows AS SELECT id * $factor AS id FROM silver.doubled;
         ASSERT (SELECT count(*) FROM silver.flows) > $least AS 'too few flows';\n",
    );
    project
}

/// A run that makes versions and cannot publish them.
fn fail(project: &Project, arguments: &[&str]) {
    let failing = ["exec", "sql", "--param", "least=1000"];
    assert_eq!(project.run(&[&failing, arguments].concat()).code, 1);
}

/// Collects, having checked that a dry run lists exactly what goes then, and touches nothing; gives
/// the files that went.
fn collect(project: &Project, arguments: &[&str]) -> BTreeSet<String> {
    let before = project.files();
    let store = fs::read(project.path("warehouse/audit.db")).expect("a store");
    let dry = project.ok(&[&["gc", "--dry-run"], arguments].concat());
    assert_eq!(project.files(), before);
    assert_eq!(fs::read(project.path("warehouse/audit.db")).expect("a store"), store);
    let forecast = told(&dry);

    let done = project.ok(&[&["gc"], arguments].concat());
    assert_eq!(told(&done), forecast, "{dry}\n{done}");
    let after = project.files();
    assert!(after.is_subset(&before));
    let gone = before.difference(&after).filter(|path| !path.ends_with('/')).cloned();
    let gone: BTreeSet<String> = gone.collect();
    assert_eq!(gone, forecast);
    let totals = |text: &str| {
        text.lines()
            .last()
            .expect("a total")
            .split_once("remove")
            .map(|t| t.1.trim_start_matches('d').to_owned())
    };
    assert_eq!(totals(&dry), totals(&done));
    assert!(project.ok(&["audit", "verify"]).starts_with("all fits"));
    gone
}

/// Ids of versions.
fn versions(project: &Project, clause: &str) -> BTreeSet<String> {
    project.rows(&format!("SELECT id FROM audit.versions {clause}")).into_iter().collect()
}

#[test]
fn nothing_is_removed_where_nothing_failed() {
    let project = pipeline();
    project.ok(&["exec", "sql"]);
    project.ok(&["exec", "sql", "--param", "factor=2"]);
    let before = project.files();
    assert!(collect(&project, &["--grace", "0s"]).is_empty());
    assert_eq!(project.files(), before);
    assert_eq!(project.value("SELECT count(*) FROM audit.removals"), "0");
    // What is not current any more can still be published again.
    project.ok(&["exec", "sql"]);
    assert_eq!(project.rows("SELECT id FROM silver.flows ORDER BY id"), ["2", "4", "6"]);
}

#[test]
fn versions_of_a_failed_run_go_and_are_made_again_bit_for_bit() {
    let project = pipeline();
    project.ok(&["exec", "sql"]);
    fail(&project, &["--param", "factor=5"]);
    let failed = versions(&project, "WHERE id NOT IN (SELECT version FROM audit.current)");
    assert_eq!(failed.len(), 2, "the first rows of raw.events, and flows: {failed:?}");

    let gone = collect(&project, &["--grace", "0s"]);
    // The version that INSERT continued is an input of a published one.
    let removed: BTreeSet<String> =
        project.rows("SELECT version FROM audit.removals").into_iter().collect();
    assert_eq!(removed.len(), 1);
    assert!(removed.is_subset(&failed));
    assert!(removed.iter().all(|version| version.starts_with("silver/flows/")));
    assert_eq!(gone.len(), 2, "{gone:?}");
    assert!(gone.iter().all(|path| removed.iter().any(|version| path.starts_with(version))));
    for version in &removed {
        assert!(!project.path("warehouse").join(version).exists(), "its folder is gone too");
    }

    project.ok(&["exec", "sql", "--param", "factor=5"]);
    let undisturbed = pipeline();
    undisturbed.ok(&["exec", "sql", "--param", "factor=5"]);
    assert_eq!(project.fingerprints(), undisturbed.fingerprints());
    let made = "SELECT state FROM audit.steps WHERE relation = 'silver.flows' ORDER BY started DESC LIMIT 1";
    assert_eq!(project.value(made), "ran");
    assert!(project.ok(&["audit", "verify"]).starts_with("all fits"));
}

#[test]
fn files_shared_by_insert_stay_with_those_who_list_them() {
    let project = pipeline();
    project.file(
        "sql/1_events.sql",
        "CREATE OR REPLACE TABLE raw.events AS SELECT 1 AS id UNION ALL SELECT 2;\n",
    );
    project.ok(&["exec", "sql"]);
    // Two forks of what is published: one is published, one is not.
    project.file("sql/1_events.sql", "INSERT INTO raw.events SELECT 3 AS id;\n");
    project.ok(&["exec", "sql"]);
    project.file("sql/1_events.sql", "INSERT INTO raw.events SELECT 4 AS id;\n");
    fail(&project, &[]);
    let shared = "SELECT count(*) FROM (SELECT path FROM audit.files WHERE path LIKE 'raw/%' GROUP BY path HAVING count(*) = 3)";
    assert_eq!(project.value(shared), "2", "files that three versions list");

    let gone = collect(&project, &["--grace", "0s"]);
    let fork = "WHERE relation = 'raw.events' AND id IN (SELECT version FROM audit.removals)";
    let fork = versions(&project, fork);
    let own = gone.iter().filter(|path| path.starts_with("raw/"));
    let own: Vec<_> = own.filter(|path| fork.iter().any(|fork| path.starts_with(fork))).collect();
    assert_eq!((fork.len(), own.len()), (1, 2), "{gone:?}");
    assert_eq!(project.rows("SELECT id FROM raw.events ORDER BY id"), ["1", "2", "3"]);
    project.ok(&["exec", "sql"]);
    assert_eq!(project.rows("SELECT id FROM raw.events ORDER BY id"), ["1", "2", "3", "4"]);
}

#[test]
fn what_is_younger_than_the_grace_period_stays() {
    let project = pipeline();
    project.ok(&["exec", "sql"]);
    fail(&project, &["--param", "factor=5"]);
    let before = project.files();
    assert!(collect(&project, &[]).is_empty());
    assert!(collect(&project, &["--grace", "1h"]).is_empty());
    assert_eq!(project.files(), before);
    // So the next run goes on with it.
    let resumed = project.ok(&["exec", "sql", "--param", "factor=5"]);
    assert!(resumed.contains("made by run"), "{resumed}");
}

/// Old files that look as if a run had died after it wrote them and before it recorded them.
fn leave_behind(project: &Project, version: &str, names: &[&str]) -> BTreeSet<String> {
    let file = |name: &&str| {
        let path = format!("{version}/{name}");
        project.file(&format!("warehouse/{path}"), "left behind");
        age(&project.path("warehouse").join(&path));
        path
    };
    names.iter().map(file).collect()
}

/// Two days old.
fn age(path: &Path) {
    let old = std::time::SystemTime::now() - Duration::from_secs(48 * 3600);
    let file = fs::File::options().write(true).open(path).expect("a file");
    file.set_modified(old).expect("another time");
}

#[test]
fn leftovers_of_a_crash_go_and_what_is_unknown_stays() {
    let project = pipeline();
    project.ok(&["exec", "sql"]);
    let undisturbed = project.files();
    let old = "silver/flows/20260101T000000000000Z-0a1b2c";
    let mut left = leave_behind(
        &project,
        old,
        &["part-00000.parquet", "_manifest.json", "part-00001.parquet#1"],
    );
    let published =
        project.value("SELECT version FROM audit.current WHERE relation = 'silver.flows'");
    left.extend(leave_behind(&project, &published, &["part-00007.parquet#3"]));
    fs::create_dir_all(project.path("warehouse/raw/hosts/20260101T000000000000Z-0a1b2c"))
        .expect("a folder");
    // A folder that says that it is old with a file that is not.
    project.file("warehouse/raw/new/20260101T000000000000Z-0a1b2c/part-00000.parquet", "new");
    let unknown = [
        "notes.txt".to_owned(),
        "raw/export.parquet".into(),
        "raw/events/mine/part-00000.parquet".into(),
        "landing/events/20260101T000000000000Z-0a1b2c/part-00000.parquet".into(),
        format!("{old}/README.md"),
        format!("{published}/part-00000.parquet.bak"),
        "silver/flows/20260101T000000000000Z-0a1b2d/sub/part-00000.parquet".into(),
    ];
    for path in &unknown {
        project.file(&format!("warehouse/{path}"), "mine");
        age(&project.path("warehouse").join(path));
    }

    assert_eq!(collect(&project, &[]), left);
    let after = project.files();
    assert!(undisturbed.is_subset(&after));
    assert!(unknown.iter().all(|path| after.contains(path)));
    assert!(after.contains("raw/new/20260101T000000000000Z-0a1b2c/part-00000.parquet"));
    assert!(!after.contains("raw/hosts/"), "empty folders are gone: {after:?}");
    assert!(collect(&project, &[]).is_empty(), "once is enough");
}

#[test]
fn what_a_stopped_gc_has_left_the_next_one_removes() {
    let project = pipeline();
    project.ok(&["exec", "sql"]);
    fail(&project, &["--param", "factor=5"]);
    let database = project.path("warehouse/audit.db");
    let removed = project.value(
        "SELECT id FROM audit.versions WHERE relation = 'silver.flows' ORDER BY created DESC LIMIT 1",
    );
    // It had recorded what it was about to remove.
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store = AuditStore::open_sqlite(&database).await.expect("a store");
        let run =
            RunId::new(project.value("SELECT id FROM audit.runs ORDER BY started DESC LIMIT 1"));
        let warehouse = store.warehouse().await.expect("a lease").expect("a warehouse");
        let lease =
            store.acquire_lease(&warehouse, &run, Duration::from_secs(60)).await.expect("a lease");
        let version = pipeline::audit::VersionId::new(removed.clone());
        store.remove_versions(&lease, &[version], (2, 1000)).await.expect("a removal");
        store.release_lease(&lease).await.expect("a release");
    });
    // Its files are there, and are not used any more.
    assert!(project.ok(&["audit", "verify"]).starts_with("all fits"));
    let made = project.ok(&["exec", "sql", "--param", "factor=5"]);
    let flows = made.lines().find(|line| line.contains("silver.flows")).expect("a step");
    assert!(flows.contains(" ran "), "{made}");
    let gone = collect(&project, &["--grace", "0s"]);
    assert_eq!(gone.len(), 2);
    assert!(gone.iter().all(|path| path.starts_with(&removed)));
    assert_eq!(project.value("SELECT count(*) FROM audit.removals"), "1");
}

/// A run that is under way, killed with the test.
struct Live(Child);

impl Live {
    /// Starts it and waits until it says `text`.
    fn start(project: &Project, arguments: &[&str], text: &str) -> Self {
        let mut command = project.command(arguments);
        let mut child =
            command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("a process");
        let stderr = child.stderr.take().expect("stderr");
        let mut live = Self(child);
        let mut lines = BufReader::new(stderr).lines();
        let said = lines.by_ref().map_while(Result::ok).any(|line| line.contains(text));
        assert!(said, "it ended with {:?}", live.0.wait());
        // Nobody may be reading any more.
        std::thread::spawn(move || lines.for_each(drop));
        live
    }

    fn signal(&self, signal: &str) {
        let id = self.0.id().to_string();
        let sent = std::process::Command::new("kill").args([signal, &id]).status();
        assert!(sent.expect("kill").success());
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits for a condition.
fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what}: not within a minute");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The pipeline with a last step that takes minutes.
fn slow() -> Project {
    let project = pipeline();
    project.ok(&["exec", "sql"]);
    project.file(
        "sql/3_slow.sql",
        "CREATE OR REPLACE TABLE eval.slow AS SELECT event_id, src_ip FROM synthetic_flows(500000000, 1);\n",
    );
    project
}

#[test]
fn a_live_run_is_left_alone() {
    let project = slow();
    let mut live = Live::start(&project, &["exec", "sql", "--param", "factor=5"], "5/6");
    until("a file of the slow step", || {
        project.files().iter().any(|path| path.contains("eval/slow/") && path.contains("part-"))
    });
    let refused = project.run(&["gc", "--grace", "0s"]);
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    assert!(refused.stderr.contains(" holds "), "{}", refused.stderr);
    // Nor does a forecast tell of what it has recorded, or is about to.
    let dry = project.ok(&["gc", "--dry-run", "--grace", "5m"]);
    assert!(told(&dry).is_empty(), "{dry}");
    let recorded = project.value("SELECT id FROM audit.versions WHERE relation = 'silver.flows' ORDER BY created DESC LIMIT 1");
    let dry = project.ok(&["gc", "--dry-run", "--grace", "0s"]);
    assert!(!dry.contains(&recorded), "{dry}");
    live.signal("-TERM");
    assert_eq!(live.0.wait().expect("an end").code(), Some(130));
    let runs = project.rows("SELECT state FROM audit.runs WHERE command LIKE '%gc%'");
    assert_eq!(runs, ["failed"], "that it was refused is on record");
}

#[test]
fn what_a_killed_run_leaves_goes() {
    let project = slow();
    let published = project.fingerprints();
    let live = Live::start(&project, &["exec", "sql", "--lease", "1s"], "5/6");
    let of_slow = || project.files().into_iter().filter(|path| path.contains("eval/slow/"));
    until("a file of the slow step", || of_slow().any(|path| path.contains("#")));
    drop(live);
    assert!(of_slow().count() > 1);
    // The lease of a dead run ends by itself.
    let gone = project.ok(&["gc", "--grace", "0s", "--wait", "30s"]);
    assert!(!project.files().iter().any(|path| path.contains("eval/slow")), "{gone}");
    assert_eq!(project.fingerprints(), published);
    assert!(project.ok(&["audit", "verify"]).starts_with("all fits"));
    let states = project.rows("SELECT state, error FROM audit.runs ORDER BY started");
    assert_eq!(states[1], "failed,its process ended without a word");
}

#[test]
fn a_signal_ends_gc_and_verify() {
    let project = slow();
    let live = Live::start(&project, &["exec", "sql"], "5/6");
    let mut gc = Live::start(&project, &["gc", "--wait", "1h"], "waiting");
    gc.signal("-TERM");
    assert_eq!(gc.0.wait().expect("an end").code(), Some(130));
    drop(live);

    // Somebody writes to the store for long: the reader waits.
    let writer = rusqlite::Connection::open(project.path("warehouse/audit.db")).expect("a store");
    writer.execute_batch("BEGIN EXCLUSIVE").expect("a lock");
    let mut command = project.command(&["audit", "verify", "--log", "pipeline=debug"]);
    let mut verify =
        Live(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a process"));
    until("handlers for signals", || {
        let status =
            fs::read_to_string(format!("/proc/{}/status", verify.0.id())).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = u64::from_str_radix(caught.unwrap_or_default().trim(), 16).unwrap_or(0);
        caught & (1 << 14) != 0
    });
    verify.signal("-TERM");
    assert_eq!(verify.0.wait().expect("an end").code(), Some(130));
}

#[test]
fn gc_is_on_record() {
    let project = pipeline();
    project.ok(&["exec", "sql"]);
    fail(&project, &["--param", "factor=5"]);
    let output = project.ok(&["gc", "--grace", "0s"]);
    let run = project.value("SELECT id FROM audit.runs WHERE command = 'pipeline gc --grace 0s' AND state = 'succeeded'");
    let last = output.lines().last().expect("a total");
    assert!(
        last.starts_with(&format!("run {run}: removed 2 files of "))
            && last.ends_with(", 1 version"),
        "{last}"
    );
    let events =
        project.rows(&format!("SELECT event FROM audit.log WHERE run = '{run}' ORDER BY sequence"));
    assert_eq!(
        events,
        ["lease.acquired", "run.begun", "versions.removed", "run.ended", "lease.released"]
    );
    let payload = project.value(&format!(
        "SELECT payload FROM audit.log WHERE run = '{run}' AND event = 'versions.removed'"
    ));
    assert!(payload.contains("\"\"files\"\":\"\"2\"\""), "{payload}");
    // The head in the warehouse covers it.
    let head = fs::read_to_string(project.path("warehouse/_audit/head.json")).expect("a head");
    assert!(head.contains(&run), "{head}");
}

#[test]
fn a_reader_needs_no_right_to_write_for_a_dry_run_and_for_verify() {
    let project = pipeline();
    project.ok(&["exec", "sql"]);
    fail(&project, &["--param", "factor=5"]);
    // Nothing in the warehouse can be changed, whoever tries.
    let mounts = common::namespace::Namespace::new(
        "mount --bind \"$1\" \"$1\"\nmount -o remount,ro,bind \"$1\"",
        &[&project.path("warehouse")],
    );
    let run = |arguments: &[&str]| {
        seen(&mounts.wrap(&project.command(arguments)).output().expect("a process"))
    };
    let dry = run(&["gc", "--dry-run", "--grace", "0s"]);
    assert_eq!((dry.code, told(&dry.stdout).len()), (0, 2), "{}{}", dry.stdout, dry.stderr);
    let verified = run(&["audit", "verify"]);
    assert_eq!(verified.code, 0, "{}", verified.stderr);
    assert_eq!(run(&["gc", "--grace", "0s"]).code, 3);
}

/// To a store that knows nothing of a warehouse, everything in it would be garbage.
#[test]
fn another_audit_store_removes_nothing() {
    let project = pipeline();
    project.ok(&["exec", "sql"]);
    let before = project.files();
    for arguments in [
        &["gc", "--grace", "0s", "--audit", "new.db"][..],
        &["gc", "--dry-run", "--audit", "new.db"],
    ] {
        let refused = project.run(arguments);
        assert_eq!(refused.code, 2, "{}", refused.stderr);
        assert!(refused.stderr.contains("does not know the warehouse"), "{}", refused.stderr);
    }
    // Nor does it publish there.
    let refused = project.run(&["exec", "sql", "--audit", "new.db"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("belongs to another audit store"), "{}", refused.stderr);
    // A backup from before the last publish does not know what that one has made.
    let backup = project.path("backup.db");
    fs::copy(project.path("warehouse/audit.db"), &backup).expect("a backup");
    project.ok(&["exec", "sql", "--param", "factor=2"]);
    let newest = project.files();
    fs::copy(&backup, project.path("warehouse/audit.db")).expect("the backup put back");
    for arguments in
        [&["gc", "--grace", "0s"][..], &["gc", "--dry-run", "--grace", "0s"], &["exec", "sql"]]
    {
        let refused = project.run(arguments);
        assert_eq!(refused.code, 2, "{}", refused.stderr);
        assert!(refused.stderr.contains("_audit/head.json"), "{}", refused.stderr);
    }
    assert!(before.is_subset(&newest));
    assert_eq!(project.files(), newest);
    assert_eq!(project.run(&["audit", "verify"]).code, 1);
    // The way out that the hint tells.
    fs::remove_file(project.path("warehouse/_audit/head.json")).expect("the head moved away");
    project.ok(&["exec", "sql", "--param", "factor=3"]);
    assert!(project.ok(&["audit", "verify"]).starts_with("all fits"));
}

/// What is wrong with the command line is no tampering.
#[test]
fn verify_is_told_of_another_warehouse() {
    let project = pipeline();
    let config = fs::read_to_string(project.path("sql/pipeline.toml")).expect("a file");
    project.file("sql/pipeline.toml", format!("audit = \"../audit.db\"\n{config}"));
    project.ok(&["exec", "sql"]);
    let refused = project.run(&["audit", "verify", "--warehouse", "elsewhere"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("belongs to the warehouse"), "{}", refused.stderr);
}

/// The same on a bucket, where there are no folders, and uploads that nobody has finished.
#[test]
fn gc_and_verify_on_s3() {
    for server in servers() {
        let name = &server.name;
        let mut project = pipeline();
        project.file("keys", server.credentials());
        let warehouse = format!("s3://warehouse/{}", prefix());
        project.configure(&server, &warehouse, "credentials_file = \"../keys\"");
        let settings =
            Settings::load(&project.path("sql"), &Overrides::default()).expect("settings");
        let stores = Stores::new(&settings.s3);
        let store = Store::open(&settings, &stores).expect("a store");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");

        project.ok(&["exec", "sql"]);
        fail(&project, &["--param", "factor=5"]);
        let upload = "silver/flows/20260101T000000000000Z-0a1b2c/part-00000.parquet";
        runtime.block_on(async {
            use datafusion::object_store::ObjectStoreExt;
            let uploads = store.object_store(upload);
            let upload = uploads.put_multipart(&store.path(upload)).await.expect("an upload");
            // As a process that is killed leaves it.
            std::mem::forget(upload);
            store
                .write("raw/a/20260101T000000000000Z-0a1b2c/part-00000.parquet", b"left".into())
                .await
                .expect("a file");
            store
                .write("raw/a/20260101T000000000000Z-0a1b2c/mine", b"mine".into())
                .await
                .expect("a file");
            assert_eq!(store.unfinished().await.expect("uploads").len(), 1, "{name}");
        });
        assert!(
            project.ok(&["gc"]).ends_with("removed 0 files of 0 B, 0 versions\n"),
            "{name}: all is young"
        );
        let dry = project.ok(&["gc", "--dry-run", "--grace", "0s"]);
        let done = project.ok(&["gc", "--grace", "0s"]);
        assert_eq!(told(&dry), told(&done), "{name}");
        assert_eq!(told(&done).len(), 4, "{name}: {done}");
        runtime.block_on(async {
            use futures::TryStreamExt;
            assert!(store.unfinished().await.expect("uploads").is_empty(), "{name}");
            let left: Vec<_> = store.list("raw/a").try_collect().await.expect("a list");
            assert_eq!(left.len(), 1, "{name}");
        });
        assert!(project.ok(&["audit", "verify"]).starts_with("all fits"), "{name}");
        project.ok(&["exec", "sql", "--param", "factor=5"]);

        // One byte of one object.
        let file = project.value(
            "SELECT path FROM audit.files WHERE path LIKE 'silver/%' ORDER BY path DESC LIMIT 1",
        );
        runtime.block_on(async {
            let mut bytes = store.read(&file).await.expect("a file");
            bytes[10] ^= 1;
            store.write(&file, bytes).await.expect("a changed file");
        });
        let refused = project.run(&["audit", "verify"]);
        assert_eq!(refused.code, 1, "{name}: {}", refused.stderr);
        assert!(
            refused.stderr.contains("(step.recorded, run ") && refused.stderr.contains(&file),
            "{}",
            refused.stderr
        );
        assert_eq!(project.run(&["audit", "verify", "--no-data"]).code, 0, "{name}");
        runtime.block_on(async {
            use futures::TryStreamExt;
            let all: Vec<_> = store.list("").try_collect().await.expect("a list");
            for (path, _) in all {
                store.delete(&path).await.expect("a removal");
            }
        });
    }
}
