//! Tables of many megabytes: written part by part, and either whole or gone.
#![allow(clippy::disallowed_methods, reason = "these tests need no catalog")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::physical_plan::{ExecutionPlan, displayable};
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::TryStreamExt;
use pipeline::audit::VersionId;
use pipeline::error::ErrorKind;
use pipeline::warehouse::{Progress, VersionTable, WrittenVersion, write_table};

use super::common::places::{Place, places};
use super::common::s3::servers;

/// Text that does not compress: two files of about 30 MiB, so of several parts.
const ROWS: &str = "SELECT value AS id, sha256(CAST(value AS VARCHAR)) AS a,
    sha256(CAST(-value AS VARCHAR)) AS b FROM generate_series(1, 1000000)";

fn session(place: &Place) -> SessionContext {
    let config = SessionConfig::new().with_target_partitions(2);
    let runtime = datafusion::execution::runtime_env::RuntimeEnvBuilder::new()
        .with_object_store_registry(Arc::new(place.store.stores().clone()));
    SessionContext::new_with_config_rt(config, runtime.build_arc().unwrap())
}

async fn plan(ctx: &SessionContext, sql: &str) -> Arc<dyn ExecutionPlan> {
    ctx.sql(sql).await.unwrap().create_physical_plan().await.unwrap()
}

async fn write(
    place: &Place,
    ctx: &SessionContext,
    sql: &str,
) -> datafusion::error::Result<WrittenVersion> {
    let version = VersionId::new("raw/big/20260131T235959123456Z-1f2e3d");
    let plan = plan(ctx, sql).await;
    let shown = displayable(plan.as_ref()).indent(false).to_string();
    assert!(!shown.is_empty());
    let progress = Arc::new(Progress::default());
    write_table(&place.store, &version, plan, ctx.task_ctx(), None, progress).await
}

#[tokio::test(flavor = "multi_thread")]
async fn large_tables_are_the_same_everywhere() {
    let mut expected = None;
    for place in places() {
        let ctx = session(&place);
        let written = write(&place, &ctx, ROWS).await.unwrap();
        let bytes: i64 = written.files.iter().map(|file| file.size).sum();
        assert!(bytes > 50 << 20, "{}: {bytes} bytes are too few", place.name);
        let table = VersionTable::new(written.schema, &place.store, &written.files);
        ctx.register_table("big", Arc::new(table)).unwrap();
        let query = "SELECT count(*) AS n, sum(id) AS s, max(a) AS a, min(b) AS b FROM big";
        let rows = ctx.sql(query).await.unwrap().collect().await.unwrap();
        let rows = datafusion::arrow::util::pretty::pretty_format_batches(&rows).unwrap();
        let seen = (written.fingerprint, rows.to_string());
        assert_eq!(&seen, expected.get_or_insert(seen.clone()), "{}", place.name);
        place.store.stores().settle().await;
        assert!(place.store.unfinished().await.unwrap().is_empty(), "{}", place.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_step_leaves_nothing_behind() {
    // The last row cannot be computed; by then both files have parts on the server.
    let failing = format!("{ROWS} WHERE 1 / (1000000 - value) >= 0");
    for place in places() {
        let ctx = session(&place);
        let error = write(&place, &ctx, &failing).await.unwrap_err();
        assert!(error.to_string().contains("Divide by zero"), "{}: {error}", place.name);
        place.store.stores().settle().await;
        assert!(place.store.unfinished().await.unwrap().is_empty(), "{}", place.name);
        let left: Vec<_> = place.store.list("").try_collect().await.unwrap();
        assert!(left.is_empty(), "{}: {left:?}", place.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_step_leaves_nothing_behind() {
    let endless = ROWS.replace("1000000", "1000000000");
    for server in servers() {
        let place = Arc::new(Place::on(&server, ""));
        let (writing, sql) = (Arc::clone(&place), endless.clone());
        let step = tokio::spawn(async move {
            let ctx = session(&writing);
            write(&writing, &ctx, &sql).await.map(|_| ())
        });
        let started = Instant::now();
        while place.store.unfinished().await.unwrap().is_empty() {
            assert!(started.elapsed() < Duration::from_secs(60), "no upload in parts was begun");
            assert!(!step.is_finished(), "{}: the step ended by itself", place.name);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        step.abort();
        assert!(step.await.unwrap_err().is_cancelled());
        place.store.stores().settle().await;
        let left = place.store.unfinished().await.unwrap();
        assert!(left.is_empty(), "{}: {left:?}", place.name);
        let objects: Vec<_> = place.store.list("").try_collect().await.unwrap();
        assert!(objects.is_empty(), "{}: {objects:?}", place.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_of_dead_runs_are_found_and_freed() {
    use datafusion::object_store::{MultipartUpload, ObjectStoreExt, PutPayload};
    for server in servers() {
        let place = Place::on(&server, "");
        let path = "raw/dead/v/part-00000.parquet";
        let store = Arc::clone(place.store.object_store(path));
        let mut upload = store.put_multipart(&place.store.path(path)).await.unwrap();
        upload.put_part(PutPayload::from(vec![7; 6 << 20])).await.unwrap();
        // As if its process were gone: nobody aborts it.
        std::mem::forget(upload);
        let found = place.store.unfinished().await.unwrap();
        let [(below, upload)] = &found[..] else { panic!("{}: {found:?}", place.name) };
        assert_eq!((below.as_str(), &upload.key), (path, &place.store.path(path).to_string()));
        for _ in 0..2 {
            place.store.abort(upload).await.unwrap();
        }
        assert!(place.store.unfinished().await.unwrap().is_empty(), "{}", place.name);
        assert_eq!(place.store.read(path).await.unwrap_err().kind(), ErrorKind::Io);
    }
}
