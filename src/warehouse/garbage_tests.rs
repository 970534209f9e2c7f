use super::*;
use crate::audit::{RelationKind, RunId, VersionRecord};

const HOUR: Duration = Duration::from_secs(3600);

/// `hours` before the time at which garbage is collected.
fn ago(hours: i64) -> DateTime<Utc> {
    now() - TimeDelta::hours(hours)
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_767_225_600_123_456).unwrap()
}

fn id(relation: &str, hours: i64) -> VersionId {
    VersionId::new(format!("{relation}/{}-0a1b2c", ago(hours).format("%Y%m%dT%H%M%S%6fZ")))
}

/// A version of `relation`, made some hours ago by run `r`, with its first part and more files.
fn add(inventory: &mut Inventory, relation: &str, hours: i64, shared: &[String]) -> VersionId {
    let id = id(relation, hours);
    let version = VersionRecord {
        id: id.clone(),
        relation: relation.replace('/', "."),
        kind: RelationKind::Table,
        definition: None,
        rows: 0,
        bytes: 0,
        schema: String::new(),
        fingerprint: String::new(),
        identity: String::new(),
        run: RunId::new("r"),
        created: ago(hours),
    };
    inventory.versions.insert(id.clone(), version);
    inventory.files.insert(id.clone(), [&[part(&id)], shared].concat());
    id
}

fn part(version: &VersionId) -> String {
    format!("{version}/part-00000.parquet")
}

fn found(path: impl Into<String>, hours: i64) -> Found {
    Found { path: path.into(), size: 10, modified: ago(hours) }
}

/// Both files of a version.
fn files(version: &VersionId, hours: i64) -> Vec<Found> {
    vec![found(format!("{version}/_manifest.json"), hours), found(part(version), hours)]
}

fn find(inventory: &Inventory, found: &[Found]) -> Garbage {
    Garbage::find(inventory, found, vec![], now(), 24 * HOUR)
}

fn paths(garbage: &Garbage) -> Vec<&str> {
    garbage.objects.iter().map(|object| object.path.as_str()).collect()
}

#[test]
fn only_paths_that_the_writer_makes_are_places() {
    let version = "silver/flows/20260131T235959123456Z-1f2e3d";
    for name in ["_manifest.json", "part-00000.parquet", "part-123456.parquet"] {
        let place = Place::parse(&format!("{version}/{name}")).unwrap();
        assert_eq!((place.version.as_str(), place.unfinished), (version, false));
        assert_eq!(place.time.timestamp_micros(), 1_769_903_999_123_456);
        let upload = Place::parse(&format!("{version}/{name}#7")).unwrap();
        assert!(upload.unfinished);
    }
    for path in [
        "silver/flows/20260131T235959123456Z-1f2e3d",
        "silver/flows/20260131T235959123456Z-1f2e3d/notes.txt",
        "silver/flows/20260131T235959123456Z-1f2e3d/part-x.parquet",
        "silver/flows/20260131T235959123456Z-1f2e3d/part-00000.parquet#",
        "silver/flows/20260131T235959123456Z-1f2e3d/part-00000.parquet#1#2",
        "silver/flows/20260131T235959123456Z-1f2e3d/old/part-00000.parquet",
        "silver/flows/20260131T235959123456Z-/part-00000.parquet",
        "silver/flows/20260131T235959123456-1f2e3d/part-00000.parquet",
        "silver/flows/20260131T235959Z-1f2e3d/part-00000.parquet",
        "silver/flows/20261331T235959123456Z-1f2e3d/part-00000.parquet",
        "silver/flows/mine-1/part-00000.parquet",
        "silver/flows/ünïcode/part-00000.parquet",
        "landing/flows/20260131T235959123456Z-1f2e3d/part-00000.parquet",
        "_audit/head.json",
        "audit.db",
        "",
    ] {
        assert_eq!(Place::parse(path), None, "{path}");
    }
}

#[test]
fn what_was_published_stays_and_what_was_not_goes() {
    let mut inventory = Inventory::default();
    let published = add(&mut inventory, "raw/events", 100, &[]);
    let failed = add(&mut inventory, "raw/events", 90, &[]);
    inventory.published.insert(published.clone());
    let there = [files(&published, 100), files(&failed, 90)].concat();
    let garbage = find(&inventory, &there);
    assert_eq!(garbage.versions, std::slice::from_ref(&failed));
    assert_eq!(paths(&garbage), [format!("{failed}/_manifest.json"), part(&failed)]);
    assert_eq!(garbage.bytes(), 20);
    assert_eq!(garbage.objects[0].reason, "of a version that was never published");

    // Recorded as removed, and some of its files left by a stopped `gc`.
    inventory.removed.insert(failed.clone());
    let garbage = find(&inventory, &there[..3]);
    assert_eq!((garbage.versions.len(), paths(&garbage).len()), (0, 1));
    assert!(find(&inventory, &there[..2]).is_empty());
}

#[test]
fn a_file_stays_as_long_as_any_needed_version_lists_it() {
    let mut inventory = Inventory::default();
    let base = add(&mut inventory, "raw/events", 100, &[]);
    let appended = add(&mut inventory, "raw/events", 90, &[part(&base)]);
    let lost = add(&mut inventory, "raw/events", 80, &[part(&base), part(&appended)]);
    let there = [files(&base, 100), files(&appended, 90), files(&lost, 80)].concat();
    inventory.published.insert(appended.clone());
    let garbage = find(&inventory, &there);
    // The base has no reader any more, but its file has.
    assert_eq!(garbage.versions, [base.clone(), lost.clone()]);
    let gone = [format!("{base}/_manifest.json"), format!("{lost}/_manifest.json"), part(&lost)];
    assert_eq!(paths(&garbage), gone);
}

#[test]
fn what_a_needed_version_was_made_from_stays() {
    let mut inventory = Inventory::default();
    let raw = add(&mut inventory, "raw/events", 100, &[]);
    let silver = add(&mut inventory, "silver/flows", 99, &[]);
    let model = add(&mut inventory, "models/forest", 98, &[]);
    let other = add(&mut inventory, "models/other", 98, &[]);
    inventory.inputs.insert(silver.clone(), vec![raw.clone()]);
    inventory.inputs.insert(model.clone(), vec![silver.clone()]);
    inventory.inputs.insert(other.clone(), vec![silver.clone()]);
    inventory.published.insert(model);
    assert_eq!(find(&inventory, &[]).versions, [other]);

    // Not so for what was removed already.
    inventory.removed.insert(silver.clone());
    let garbage = find(&inventory, &files(&raw, 100));
    assert_eq!((garbage.versions.contains(&raw), paths(&garbage).len()), (true, 2));
}

#[test]
fn what_is_young_stays_whatever_says_so() {
    let mut inventory = Inventory::default();
    let young = add(&mut inventory, "raw/a", 23, &[]);
    let touched = add(&mut inventory, "raw/b", 100, &[]);
    let recorded = add(&mut inventory, "raw/c", 100, &[]);
    let future = add(&mut inventory, "raw/d", -100, &[]);
    let old = add(&mut inventory, "raw/e", 24, &[]);
    inventory.versions.get_mut(&recorded).unwrap().created = ago(1);
    let there = [
        files(&young, 100),
        files(&touched, 1),
        files(&recorded, 100),
        files(&future, 100),
        files(&old, 100),
    ];
    let garbage = find(&inventory, &there.concat());
    assert_eq!(garbage.versions, [old]);
    assert_eq!(garbage.objects.len(), 2);
    let at_once = Garbage::find(&inventory, &there.concat(), vec![], now(), Duration::ZERO);
    assert_eq!(at_once.versions.len(), 4, "all but the one from the future");
}

#[test]
fn what_the_live_run_has_made_stays() {
    let mut inventory = Inventory::default();
    let made = add(&mut inventory, "raw/events", 100, &[]);
    inventory.live = Some(RunId::new("r"));
    assert!(find(&inventory, &files(&made, 100)).is_empty());
    inventory.live = Some(RunId::new("another"));
    assert_eq!(find(&inventory, &files(&made, 100)).versions.len(), 1);
}

#[test]
fn what_no_version_on_record_has_goes_when_all_of_it_is_old() {
    let inventory = Inventory::default();
    let (old, mixed, named) = (id("raw/a", 100), id("raw/b", 100), id("raw/c", 2));
    let mut there = [files(&old, 100), files(&mixed, 100), files(&named, 100)].concat();
    there[2].modified = ago(1);
    let garbage = find(&inventory, &there);
    assert_eq!(paths(&garbage), [format!("{old}/_manifest.json"), part(&old)]);
    assert_eq!(garbage.objects[0].reason, "of no recorded version");
    assert!(garbage.versions.is_empty());
}

#[test]
fn unfinished_uploads_go_wherever_they_are() {
    let mut inventory = Inventory::default();
    let published = add(&mut inventory, "raw/events", 100, &[]);
    inventory.published.insert(published.clone());
    let old = format!("{published}/part-00001.parquet#1");
    let young = format!("{published}/part-00002.parquet#1");
    let mut there = files(&published, 100);
    there.extend([found(&old, 90), found(&young, 1)]);
    let garbage = find(&inventory, &there);
    assert_eq!(paths(&garbage), [old]);
    assert_eq!(garbage.objects[0].reason, "unfinished upload");
}

#[test]
fn what_the_program_does_not_write_is_left_alone() {
    let mut inventory = Inventory::default();
    let failed = add(&mut inventory, "raw/events", 100, &[]);
    let unknown = id("raw/events", 90);
    let there = [
        format!("{failed}/notes.txt"),
        format!("{unknown}/README"),
        "raw/events/export.parquet".into(),
        "raw/part-00000.parquet".into(),
        "_audit/head.json".into(),
        "audit.db".into(),
    ];
    let there = there.map(|path| found(path, 1000));
    assert!(find(&inventory, &there).objects.is_empty());
}

#[test]
fn a_needed_file_without_a_record_of_its_folder_stays() {
    let mut inventory = Inventory::default();
    let elsewhere = id("raw/events", 200);
    let published = add(&mut inventory, "raw/events", 100, &[part(&elsewhere)]);
    inventory.published.insert(published);
    let garbage = find(&inventory, &files(&elsewhere, 200));
    assert_eq!(paths(&garbage), [format!("{elsewhere}/_manifest.json")]);
}
