//! Where a run comes from: who, where, with which program, from which commit.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;
use std::process::Command;

use chrono::{DateTime, Utc};

use crate::audit::{RunId, RunRecord};
use crate::config::Settings;

/// A new run, starting now.
pub(super) fn new_run(settings: &Settings, command: String) -> RunRecord {
    let started = Utc::now();
    let (git_commit, git_dirty) = git(&settings.scripts);
    RunRecord {
        id: new_id(started),
        started,
        command,
        user: whoami::username().unwrap_or_else(|_| "unknown".into()),
        host: whoami::hostname().unwrap_or_else(|_| "unknown".into()),
        git_commit,
        git_dirty,
        binary_version: env!("CARGO_PKG_VERSION").into(),
        datafusion_version: datafusion::DATAFUSION_VERSION.into(),
        configuration: settings.to_json(),
    }
}

/// Start time, then six random hex digits: sortable, and unique among runs of one second.
fn new_id(started: DateTime<Utc>) -> RunId {
    let random = RandomState::new().build_hasher().finish();
    RunId::new(format!("{}-{:06x}", started.format("%Y%m%dT%H%M%S%3fZ"), random & 0xff_ffff))
}

/// Commit of the scripts' repository and whether the scripts differ from it, where git knows.
fn git(folder: &Path) -> (Option<String>, Option<bool>) {
    let run = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(folder).args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    let Some(commit) = run(&["rev-parse", "HEAD"]) else {
        return (None, None);
    };
    (Some(commit), run(&["status", "--porcelain", "--", "."]).map(|changes| !changes.is_empty()))
}
