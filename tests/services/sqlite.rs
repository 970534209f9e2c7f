//! What only SQLite can get wrong.

use pipeline::audit::AuditStore;
use pipeline::error::ErrorKind;

use crate::fixture::with_sqlite;
use crate::samples::run;

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
    std::fs::write(&path, "These are only notes, long enough to have a header. ".repeat(10))
        .unwrap();
    let error = AuditStore::open_sqlite(&path).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.report().contains("notes.txt"), "{}", error.report());
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_an_io_error() {
    let folder = tempfile::tempdir().unwrap();
    // A folder stands where the file should be.
    let error = AuditStore::open_sqlite(folder.path()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);

    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = AuditStore::open_sqlite(&file.join("audit.db")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
}
