//! Small objects, listings and layers, on every store alike.

use futures::TryStreamExt;
use pipeline::error::ErrorKind;
use pipeline::warehouse::Store;

use super::common::places::{Place, places};
use super::common::s3::{minio, prefix, servers};

async fn listed(store: &Store, below: &str) -> Vec<String> {
    let all: Vec<_> = store.list(below).try_collect().await.unwrap();
    let mut paths: Vec<_> = all.into_iter().map(|(path, _)| path).collect();
    paths.sort();
    paths
}

#[tokio::test]
async fn small_objects_are_written_read_replaced_and_removed() {
    for Place { name, store, .. } in places() {
        store.create().await.unwrap_or_else(|error| panic!("{name}: {}", error.report()));
        let path = "_audit/head.json";
        assert_eq!(store.find(path).await.unwrap(), None, "{name}");
        store.write(path, b"one".to_vec()).await.unwrap();
        store.write(path, b"number two".to_vec()).await.unwrap();
        assert_eq!(store.read(path).await.unwrap(), b"number two", "{name}");
        let head = store.head(path).await.unwrap();
        assert_eq!(head.size, 10, "{name}");
        assert!(head.e_tag.is_some(), "{name}: objects are told apart by their tag");
        store.write(path, b"number six".to_vec()).await.unwrap();
        assert_ne!(store.head(path).await.unwrap().e_tag, head.e_tag, "{name}");
        store.write("empty", vec![]).await.unwrap();
        assert!(store.read("empty").await.unwrap().is_empty(), "{name}");
        store.remove(path).await;
        store.remove(path).await;
        let error = store.read(path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io, "{name}");
        assert_eq!(error.message(), "cannot read `_audit/head.json` in the warehouse", "{name}");
        assert_eq!(listed(&store, "").await, ["empty"], "{name}: the probe is gone too");
    }
}

#[tokio::test]
async fn listings_name_every_object_by_its_path_below_the_warehouse() {
    for Place { name, store, .. } in places() {
        assert!(listed(&store, "").await.is_empty(), "{name}: a new warehouse is empty");
        let paths = ["_audit/head.json", "raw/a/v1/p.parquet", "raw/a2/v1/p.parquet", "x"];
        for path in paths {
            store.write(path, path.into()).await.unwrap();
        }
        assert_eq!(listed(&store, "").await, paths, "{name}");
        assert_eq!(listed(&store, "raw/a").await, ["raw/a/v1/p.parquet"], "{name}: whole parts");
        assert!(listed(&store, "silver").await.is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_listing_has_more_pages_than_one() {
    for Place { name, store, .. } in places() {
        let paths: Vec<_> = (0..1100).map(|i| format!("raw/many/{i:04}")).collect();
        let writes = paths.iter().map(|path| store.write(path, vec![]));
        futures::future::try_join_all(writes).await.unwrap();
        assert_eq!(listed(&store, "raw").await, paths, "{name}");
    }
}

#[tokio::test]
async fn layers_are_where_the_configuration_says() {
    for server in servers() {
        let (raw, models) = (prefix(), prefix());
        let tables =
            format!("[layers]\nraw = \"s3://raw/{raw}\"\nmodels = \"s3://models/{models}\"\n");
        let Place { name, store, settings, .. } = Place::on(&server, &tables);
        store.create().await.unwrap();
        for path in ["raw/a/v/p", "models/m/v/p", "silver/s/v/p", "_audit/head.json"] {
            store.write(path, path.into()).await.unwrap();
            assert_eq!(store.read(path).await.unwrap(), path.as_bytes(), "{name}");
        }
        assert_eq!(
            listed(&store, "").await,
            ["_audit/head.json", "models/m/v/p", "raw/a/v/p", "silver/s/v/p"],
            "{name}"
        );
        assert_eq!(listed(&store, "raw").await, ["raw/a/v/p"], "{name}");
        assert_eq!(store.path("raw/a/v/p").as_ref(), format!("{raw}/a/v/p"), "{name}");
        assert_eq!(store.url("raw/a").as_str(), "s3://raw/", "{name}");
        assert_eq!(store.url("silver/a").as_str(), "s3://warehouse/", "{name}");
        let shown = settings.to_json();
        assert!(shown.contains(&format!("\"raw\":\"s3://raw/{raw}\"")), "{shown}");
    }
}

#[tokio::test]
async fn what_lies_where_a_moved_layer_was_is_not_listed() {
    let tables = format!("[layers]\nraw = \"s3://raw/{}\"\n", prefix());
    let moved = Place::on(&minio(), &tables);
    let main = moved.store.location().trim_start_matches("s3://warehouse/").to_owned();
    let store = moved.store.object_store("");
    let stale = datafusion::object_store::path::Path::from(format!("{main}/raw/old/v/p"));
    datafusion::object_store::ObjectStoreExt::put(store.as_ref(), &stale, "x".into())
        .await
        .unwrap();
    moved.store.write("silver/s/v/p", vec![]).await.unwrap();
    assert_eq!(listed(&moved.store, "").await, ["silver/s/v/p"]);
}

#[tokio::test]
async fn a_bucket_that_is_missing_is_no_reason_to_retry() {
    for server in servers() {
        let tables = "max_retries = 0\n[layers]\nraw = \"s3://no-such-bucket/x\"\n";
        let Place { name, store, .. } = Place::on(&server, tables);
        let error = store.create().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{name}: {}", error.report());
        assert!(error.report().contains("NoSuchBucket"), "{name}: {}", error.report());
        assert!(error.report().contains("create the bucket"), "{name}: {}", error.report());
        let error = store.list("raw").try_next().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{name}: {}", error.report());
    }
}
