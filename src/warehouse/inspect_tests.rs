use std::path::Path;

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use datafusion::datasource::memory::MemorySourceConfig;

use super::*;
use crate::audit::{RelationKind, RunId, VersionId};
use crate::config::{Overrides, Settings};
use crate::warehouse::manifest::StepManifest;
use crate::warehouse::{Progress, Stores, WrittenVersion, schema_json, write_table};

fn rows(first: i64) -> RecordBatch {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(first..first + 1000));
    let names = (first..first + 1000).map(|n| format!("host {}", n % 10));
    let names: ArrayRef = Arc::new(StringArray::from_iter_values(names));
    RecordBatch::try_from_iter([("n", numbers), ("name", names)]).unwrap()
}

/// A version of 1000 rows in `folder`.
async fn written(folder: &Path, version: &str, first: i64) -> (Store, VersionRecord, FileRecord) {
    let warehouse = Some(folder.to_str().unwrap().to_owned());
    let overrides = Overrides { warehouse, ..Overrides::default() };
    let settings = Settings::load(folder, &overrides).unwrap();
    let store = Store::open(&settings, &Stores::new(&settings.s3)).unwrap();
    let id = VersionId::new(version);
    let batch = rows(first);
    let plan =
        MemorySourceConfig::try_new_exec(&[vec![batch.clone()]], batch.schema(), None).unwrap();
    let written =
        write_table(&store, &id, plan, Arc::default(), None, Arc::new(Progress::default()));
    let WrittenVersion { schema, mut files, fingerprint } = written.await.unwrap();
    let record = VersionRecord {
        id,
        relation: "raw.events".into(),
        kind: RelationKind::Table,
        definition: None,
        rows: 1000,
        bytes: files[0].size,
        schema: schema_json(&schema),
        fingerprint: fingerprint.to_string(),
        identity: String::new(),
        run: RunId::new("r"),
        created: chrono::DateTime::UNIX_EPOCH,
    };
    (store, record, files.remove(0))
}

async fn verdict(store: &Store, record: &VersionRecord, file: &FileRecord) -> String {
    match inspect_file(store, file).await.unwrap() {
        Wrong(what) => what,
        Sound(sum) => match inspect_rows(record, &[sum]).unwrap() {
            Sound(()) => "sound".into(),
            Wrong(what) => what,
        },
    }
}

#[tokio::test]
async fn every_byte_of_a_file_counts() {
    let folder = tempfile::tempdir().unwrap();
    let (store, record, file) = written(folder.path(), "raw/events/v1", 0).await;
    assert_eq!(verdict(&store, &record, &file).await, "sound");
    let path = folder.path().join(&file.path);
    let bytes = std::fs::read(&path).unwrap();
    for at in (0..bytes.len()).step_by(97).chain([bytes.len() - 1]) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        std::fs::write(&path, flipped).unwrap();
        let verdict = verdict(&store, &record, &file).await;
        assert_eq!(verdict, "its bytes are not those that were written", "byte {at}");
    }
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    assert!(verdict(&store, &record, &file).await.ends_with("were written"));
    std::fs::remove_file(&path).unwrap();
    assert_eq!(verdict(&store, &record, &file).await, "it is gone");
}

#[tokio::test]
async fn without_a_digest_the_rows_count() {
    let folder = tempfile::tempdir().unwrap();
    let (store, record, file) = written(folder.path(), "raw/events/v1", 0).await;
    let (_, _, other) = written(folder.path(), "raw/events/v2", 7).await;
    let undigested = |file: &FileRecord| FileRecord { digest: None, ..file.clone() };
    assert_eq!(verdict(&store, &record, &undigested(&file)).await, "sound");
    // Valid Parquet of other rows.
    let replaced = verdict(&store, &record, &undigested(&other)).await;
    assert!(replaced.starts_with("its fingerprint is "), "{replaced}");
    let miscounted = FileRecord { rows: 999, ..undigested(&file) };
    assert_eq!(verdict(&store, &record, &miscounted).await, "it has 1000 rows, 999 were written");

    // Whatever is in the file, it is a finding and no error of the warehouse.
    let path = folder.path().join(&file.path);
    let bytes = std::fs::read(&path).unwrap();
    let mut found = 0;
    for at in (0..bytes.len()).step_by(31).chain(bytes.len() - 12..bytes.len()) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0xff;
        std::fs::write(&path, flipped).unwrap();
        found += usize::from(verdict(&store, &record, &undigested(&file)).await != "sound");
    }
    assert!(found > 10, "{found}");
}

#[tokio::test]
async fn a_view_is_its_definition() {
    let folder = tempfile::tempdir().unwrap();
    let (_, table, _) = written(folder.path(), "raw/events/v1", 0).await;
    let definition = "SELECT 1 AS a".to_owned();
    let mut view = VersionRecord {
        kind: RelationKind::View,
        fingerprint: Fingerprint::of_text(&definition).to_string(),
        definition: Some(definition),
        ..table
    };
    assert_eq!(inspect_rows(&view, &[]).unwrap(), Sound(()));
    view.definition = Some("SELECT 2 AS a".into());
    assert!(matches!(inspect_rows(&view, &[]).unwrap(), Wrong(_)));
}

/// Of versions from before there was a log, the manifest is held against the record, which keeps
/// microseconds.
#[tokio::test]
async fn a_manifest_without_a_digest_is_compared_with_the_record() {
    let folder = tempfile::tempdir().unwrap();
    let (store, record, file) = written(folder.path(), "raw/events/v1", 0).await;
    let created = chrono::DateTime::from_timestamp(1, 123_456_789).unwrap();
    let version = VersionRecord { created, ..record.clone() };
    let step = StepManifest {
        at: String::new(),
        sql: String::new(),
        sql_hash: String::new(),
        parameters: Default::default(),
        engine: vec![],
    };
    let manifest = Manifest { version, files: vec![file.clone()], inputs: vec![], step };
    let digest = manifest.write(&store).await.unwrap();

    let record = VersionRecord { created: created.trunc_subsecs(6), ..record };
    let files = [file];
    let verdict = async |record: &VersionRecord, digest: Option<&str>| {
        inspect_manifest(&store, record, &files, &[], digest).await.unwrap()
    };
    assert_eq!(verdict(&record, Some(&digest)).await, Sound(()));
    assert_eq!(verdict(&record, None).await, Sound(()));
    let other = VersionRecord { rows: 999, ..record };
    assert!(matches!(verdict(&other, None).await, Wrong(_)));
}
