//! The house: who may touch what, kept by reading the code.
#![allow(clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files below a folder or file.
fn sources(below: &str) -> Vec<PathBuf> {
    let path = root().join(below);
    if path.is_file() {
        return vec![path];
    }
    let entries = fs::read_dir(&path).unwrap_or_else(|error| panic!("{below}: {error}"));
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .flat_map(|path| match path.is_dir() {
            true => sources(path.strip_prefix(root()).expect("below").to_str().expect("UTF-8")),
            false => vec![path],
        })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    files.sort();
    files
}

/// Fails where code (not comments) of a room contains one of the words.
fn never(room: &str, words: &[&str]) {
    let files = sources(room);
    assert!(!files.is_empty(), "{room} is empty");
    for file in files {
        let text = fs::read_to_string(&file).expect("a source file");
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for word in words {
                assert!(
                    !code.contains(word),
                    "{}:{}: `{word}` does not belong in {room}",
                    file.display(),
                    number + 1
                );
            }
        }
    }
}

#[test]
fn pure_rooms_know_no_engine() {
    for room in
        ["detectors", "metrics", "network", "synthetic"].map(|room| format!("udfs/src/{room}"))
    {
        never(&room, &["arrow", "datafusion"]);
    }
}

#[test]
fn udfs_do_no_io() {
    never("udfs/src", &["object_store", "tokio_postgres", "clap::", "std::net", "std::time"]);
}

#[test]
fn the_audit_store_knows_no_engine_and_no_terminal() {
    never(
        "src/audit",
        &[
            "datafusion::",
            "object_store",
            "clap",
            "indicatif",
            "crate::warehouse",
            "crate::pipeline",
        ],
    );
}

#[test]
fn the_configuration_knows_no_other_room() {
    never(
        "src/config",
        &[
            "crate::audit",
            "crate::cli",
            "crate::pipeline",
            "crate::session",
            "crate::warehouse",
            "datafusion",
        ],
    );
}

#[test]
fn one_folder_builds_object_stores() {
    for file in sources("src") {
        if !file.starts_with(root().join("src/warehouse/store")) {
            let below = file.strip_prefix(root()).expect("below").to_str().expect("UTF-8");
            never(below, &["AmazonS3", "LocalFileSystem::", "object_store::aws", "reqwest"]);
        }
    }
}

#[test]
fn the_warehouse_does_not_drive() {
    never("src/warehouse", &["crate::pipeline", "crate::session", "crate::cli"]);
}

#[test]
fn only_the_output_prints() {
    for file in sources("src") {
        if file.starts_with(root().join("src/cli/output")) {
            continue;
        }
        let text = fs::read_to_string(&file).expect("a source file");
        assert!(!text.contains("allow(clippy::print"), "{}", file.display());
    }
}

#[test]
fn the_top_level_holds_nothing_that_a_visitor_has_to_wonder_about() {
    let known = [
        "Cargo.toml",
        "Cargo.lock",
        "README.md",
        "src",
        "sql",
        "udfs",
        "k8s",
        "tests",
        "target",
        "warehouse",
    ];
    for entry in fs::read_dir(root()).expect("the repository") {
        let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
        assert!(name.starts_with('.') || known.contains(&name.as_str()), "{name}");
    }
}

#[test]
fn every_script_says_what_it_makes() {
    let mut scripts = vec![];
    for phase in fs::read_dir(root().join("sql")).expect("sql/") {
        let phase = phase.expect("an entry").path();
        if phase.is_dir() {
            scripts.extend(
                fs::read_dir(phase)
                    .expect("a phase")
                    .map(|script| script.expect("an entry").path()),
            );
        }
    }
    assert!(scripts.len() >= 8);
    for script in scripts {
        let text = fs::read_to_string(&script).expect("a script");
        let header = text.lines().next().unwrap_or_default();
        let relation = header.trim_start_matches("-- ").split(':').next().unwrap_or_default();
        assert!(
            header.starts_with("-- ") && header.contains(": "),
            "{}: {header}",
            script.display()
        );
        assert!(
            text.contains(&format!(" {relation} AS")),
            "{} does not make {relation}",
            script.display()
        );
    }
}
