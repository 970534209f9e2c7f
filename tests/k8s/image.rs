//! The Dockerfile, as far as it can be kept without building it.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::common::{Project, copy};
use crate::objects::overlays;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The words behind the last instruction of that name.
fn instruction(name: &str) -> String {
    let text = fs::read_to_string(root().join("k8s/Dockerfile")).expect("the Dockerfile");
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    lines.next_back().unwrap_or_else(|| panic!("no {name}")).to_owned()
}

#[test]
fn the_image_is_the_program_of_the_pods() {
    assert_eq!(instruction("FROM"), "scratch");
    assert_eq!(instruction("ENTRYPOINT"), "[\"/usr/bin/pipeline\"]");
    for overlay in overlays() {
        for run in overlay.runs() {
            let spec = &run["template"]["spec"];
            let context = &spec["securityContext"];
            let user = format!("{}:{}", context["runAsUser"], context["runAsGroup"]);
            assert_eq!(instruction("USER"), user);
            assert_eq!(
                instruction("CMD"),
                spec["containers"][0]["args"].to_string().replace(',', ", ")
            );
        }
    }
}

/// What the build sees is enough for cargo: the tests that Cargo.toml names, too.
#[test]
fn the_build_has_the_files_that_it_needs() {
    let ignored = fs::read_to_string(root().join("k8s/Dockerfile.dockerignore")).expect("a list");
    let context = TempDir::new().expect("a temporary folder");
    for kept in ignored.lines().filter_map(|line| line.strip_prefix('!')) {
        let (from, to) = (root().join(kept), context.path().join(kept));
        fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
        match from.is_dir() {
            true => copy(&from, &to),
            false => drop(fs::copy(from, to).expect("a file")),
        }
    }
    assert!(context.path().join("k8s/image-root").is_file());
    // Far enough to have read the manifest and found its files, no further.
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--locked", "--offline", "--bin", "none"]);
    let output = cargo.current_dir(context.path()).output().expect("cargo");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("no bin target named `none`"), "{said}");
}

#[test]
fn the_program_accepts_the_settings_of_every_overlay() {
    for overlay in overlays() {
        let project = Project::new();
        let mut migrate = project.command(&["audit", "migrate", "--audit", "audit.db"]);
        let output = migrate.envs(overlay.settings()).output().expect("the program starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", overlay.name);
    }
}
