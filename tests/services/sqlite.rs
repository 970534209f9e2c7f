//! What only SQLite can get wrong.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use pipeline::audit::AuditStore;
use pipeline::error::ErrorKind;
use rusqlite::Connection;

use crate::fixture::{Fixture, with_sqlite};
use crate::samples::{run, step};

#[tokio::test]
async fn times_sort_as_text() {
    with_sqlite(async |fixture| {
        let store = fixture.open().await;
        store.begin_run(&run("r1"), &[]).await.unwrap();
        let times = fixture.query("SELECT started FROM runs").await;
        assert_eq!(times, [["2026-01-01T00:00:00.123456Z"]]);
    })
    .await;
}

#[tokio::test]
async fn another_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    fs::write(&path, "These are only notes, long enough to have a header. ".repeat(10)).unwrap();
    for opened in
        [AuditStore::open_sqlite(&path).await, AuditStore::open_sqlite_to_read(&path).await]
    {
        let error = opened.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.report().contains("notes.txt"), "{}", error.report());
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_an_io_error() {
    let folder = tempfile::tempdir().unwrap();
    // A folder stands where the file should be.
    let error = AuditStore::open_sqlite(folder.path()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);

    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = AuditStore::open_sqlite(&file.join("audit.db")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
}

/// The files of a folder and what is in them.
fn content(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect()
}

/// A transaction of another process, in the middle of its work.
fn unfinished(path: &Path) -> Connection {
    let writer = Connection::open(path).unwrap();
    writer.execute_batch("BEGIN IMMEDIATE; UPDATE leases SET token = token + 1").unwrap();
    writer
}

#[tokio::test]
async fn reading_changes_no_file() {
    with_sqlite(async |fixture| {
        let path = fixture.path();
        let folder = path.parent().unwrap();
        let store = fixture.open().await;
        store.begin_run(&run("r1"), &[]).await.unwrap();
        // While a run is open, while it writes, and after it ended.
        let writer = unfinished(&path);
        assert!(folder.join("audit.db-journal").exists());
        let during = content(folder);
        read_all(&fixture).await;
        assert_eq!(content(folder), during);

        drop((writer, store));
        let after = content(folder);
        assert_eq!(after.keys().collect::<Vec<_>>(), ["audit.db"]);
        read_all(&fixture).await;
        assert_eq!(content(folder), after);
    })
    .await;
}

async fn read_all(fixture: &Fixture) {
    let reader = fixture.open_to_read().await;
    for relation in AuditStore::relations() {
        reader.read(relation.name).await.unwrap();
    }
    assert_eq!(reader.read("runs").await.unwrap().rows.len(), 1);
}

#[tokio::test]
async fn a_user_without_write_permission_reads() {
    with_sqlite(async |fixture| {
        let path = fixture.path();
        let store = fixture.open().await;
        store.begin_run(&run("r1"), &[]).await.unwrap();
        let writer = unfinished(&path);
        assert_eq!(runs_seen_by_another_user(&path), "1\n");
        drop((writer, store));
        assert_eq!(runs_seen_by_another_user(&path), "1\n");
    })
    .await;
}

/// Counts the runs with the built program, as a user who can write neither the file nor its folder.
fn runs_seen_by_another_user(path: &Path) -> String {
    let folder = path.parent().unwrap();
    let set = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    set(folder.parent().unwrap(), 0o755);
    set(path, 0o444);
    set(folder, 0o555);
    // The program comes as standard input: its own folder may be closed to that user.
    let program = File::open(env!("CARGO_BIN_EXE_pipeline")).unwrap();
    let mut command = Command::new("/proc/self/fd/0");
    command.stdin(program).current_dir("/").env_clear();
    command.args(["sql", "SELECT count(*) AS n FROM audit.runs", "--format", "csv"]);
    command.arg("--warehouse").arg(folder).arg("--audit").arg(path);
    // Permissions do not bind root, so that it lends its place to `nobody`.
    if fs::metadata(path).unwrap().uid() == 0 {
        command.uid(65534).gid(65534);
    }
    let output = command.output().unwrap();
    set(folder, 0o755);
    set(path, 0o644);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap().trim_start_matches("n\n").to_owned()
}

#[tokio::test]
async fn readers_and_a_writer_wait_for_each_other() {
    with_sqlite(async |fixture| {
        let store = fixture.open().await;
        let run = run("r1");
        store.begin_run(&run, &[]).await.unwrap();
        let read = |fixture: Fixture| async move {
            let mut seen = 0;
            while seen < 50 {
                let reader = fixture.open_to_read().await;
                seen = reader.read("steps").await.unwrap().rows.len();
            }
        };
        let readers: Vec<_> = (0..3).map(|_| tokio::spawn(read(fixture.clone()))).collect();
        for ordinal in 1..=50 {
            store.record_step(&step(&run.id, ordinal, "ingestion")).await.unwrap();
        }
        for reader in readers {
            reader.await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_store_of_a_dead_writer_is_repaired_by_the_next_who_opens_it() {
    with_sqlite(async |fixture| {
        let folder = tempfile::tempdir().unwrap();
        let dead = folder.path().join("audit.db");
        {
            fixture.open().await.begin_run(&run("r1"), &[]).await.unwrap();
            let writer = Connection::open(fixture.path()).unwrap();
            // More than the cache holds, so that the file is changed before the commit.
            writer
                .execute_batch(
                    "PRAGMA cache_size = 1; BEGIN;
                     UPDATE runs SET error = hex(zeroblob(100000));",
                )
                .unwrap();
            fs::copy(fixture.path(), &dead).unwrap();
            let journal = fixture.path().with_extension("db-journal");
            fs::copy(journal, dead.with_extension("db-journal")).unwrap();
        }
        let reader = AuditStore::open_sqlite_to_read(&dead).await.unwrap();
        assert_eq!(reader.read("runs").await.unwrap().rows.len(), 1);
    })
    .await;
}
