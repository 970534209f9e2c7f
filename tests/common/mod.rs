//! A pipeline in a temporary folder, and the real program run on it.
#![allow(dead_code, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

pub(crate) mod namespace;
pub(crate) mod places;
pub(crate) mod postgres;
pub(crate) mod s3;
pub(crate) mod s3_proxy;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A folder with `sql/`, data files and a warehouse.
pub(crate) struct Project {
    dir: TempDir,
    variables: Vec<(String, String)>,
}

/// What a user sees of one command.
pub(crate) struct Seen {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Project {
    /// An empty project; the configuration names the warehouse beside the scripts.
    pub(crate) fn new() -> Self {
        let dir = TempDir::new().expect("a temporary folder");
        let project = Self { dir, variables: vec![] };
        project.file("sql/pipeline.toml", "warehouse = \"../warehouse\"\n");
        project
    }

    /// The shipped scripts with a source of `rows` events.
    pub(crate) fn shipped(rows: usize) -> Self {
        let project = Self::new();
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
        copy(&shipped, &project.path("sql"));
        let config = fs::read_to_string(shipped.join("pipeline.toml")).expect("the configuration");
        assert!(config.contains("synthetic_flows(100000, 42)"), "the shipped source has changed");
        let config =
            config.replace("synthetic_flows(100000, 42)", &format!("synthetic_flows({rows}, 42)"));
        project.file("sql/pipeline.toml", &config);
        project
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    /// Writes a file.
    pub(crate) fn file(&self, below: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.path(below);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a new folder");
        fs::write(path, content).expect("a new file");
        self
    }

    /// Sets an environment variable of the program.
    pub(crate) fn env(&mut self, name: &str, value: &str) {
        self.unset(name);
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn unset(&mut self, name: &str) {
        self.variables.retain(|(known, _)| known != name);
    }

    /// The program, to be run in the project's folder with a clean environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pipeline"));
        command.args(arguments).current_dir(self.dir.path()).stdin(Stdio::null()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Seen {
        seen(&self.command(arguments).output().expect("the program starts"))
    }

    /// Runs what must succeed; gives its stdout.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let seen = self.run(arguments);
        assert_eq!(seen.code, 0, "{arguments:?}\n{}{}", seen.stdout, seen.stderr);
        seen.stdout
    }

    /// Rows of a query as CSV lines without the header.
    pub(crate) fn rows(&self, query: &str) -> Vec<String> {
        let text = self.ok(&["sql", query, "--format", "csv"]);
        text.lines().skip(1).map(str::to_owned).collect()
    }

    /// The one value of a query.
    pub(crate) fn value(&self, query: &str) -> String {
        let rows = self.rows(query);
        assert_eq!(rows.len(), 1, "{query}: {rows:?}");
        rows[0].clone()
    }

    /// Fingerprints of everything published, `relation,fingerprint` by relation.
    pub(crate) fn fingerprints(&self) -> Vec<String> {
        self.rows(
            "SELECT v.relation, v.fingerprint FROM audit.current c JOIN audit.versions v ON c.version = v.id ORDER BY 1",
        )
    }

    /// Every file and folder below the warehouse, but for the store and the log's head, which each
    /// run changes.
    pub(crate) fn files(&self) -> BTreeSet<String> {
        let warehouse = self.path("warehouse");
        let mut found = BTreeSet::new();
        let mut waiting = vec![warehouse.clone()];
        while let Some(folder) = waiting.pop() {
            for entry in fs::read_dir(&folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                let name = path.strip_prefix(&warehouse).expect("below");
                let name = name.to_str().expect("UTF-8").to_owned();
                if path.is_dir() {
                    waiting.push(path);
                    found.insert(format!("{name}/"));
                } else if !name.starts_with("audit.db") && !name.starts_with("_audit") {
                    found.insert(name);
                }
            }
        }
        found
    }

    /// Text with everything that differs between runs and machines replaced.
    pub(crate) fn stable(&self, text: &str) -> String {
        let root = self.dir.path().canonicalize().expect("a real folder");
        let root = root.to_str().expect("UTF-8");
        // Some messages of the engine leave out the first slash.
        text.replace(root, "[DIR]").replace(root.trim_start_matches('/'), "[DIR]")
    }
}

pub(crate) fn seen(output: &Output) -> Seen {
    Seen {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The paths that `gc` tells of.
pub(crate) fn told(stdout: &str) -> BTreeSet<String> {
    let lines = stdout.lines().map(str::trim);
    let paths = lines.filter_map(|line| line.split_whitespace().next());
    paths.filter(|path| path.contains('/')).map(str::to_owned).collect()
}

/// Copies a folder with all below it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a new folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        match entry.file_type().expect("a type").is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).expect("a copy")),
        }
    }
}

/// A text, compressed.
pub(crate) fn gzip(text: &str) -> Vec<u8> {
    use std::io::Write;
    let mut child = Command::new("gzip")
        .arg("-c")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("gzip");
    // Written by a thread of its own: gzip gives while it takes.
    let (mut to, text) = (child.stdin.take().expect("a pipe"), text.to_owned());
    let writing = std::thread::spawn(move || to.write_all(text.as_bytes()));
    let compressed = child.wait_with_output().expect("gzip").stdout;
    writing.join().expect("a thread").expect("written");
    compressed
}

/// insta settings that hide run ids, times and sizes.
pub(crate) fn settings() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.add_filter(r"\d{8}T\d{6}\d*Z-[0-9a-f]{6}", "[RUN]");
    settings.add_filter(r" +\d+\.\d\d s", " [TIME]");
    settings.add_filter(r" *\b\d+(\.\d [KMG]i| )B\b", " [SIZE]");
    settings.add_filter(r"(?m) +$", "");
    settings
}

/// The same for tables, whose columns are as wide as what differs.
pub(crate) fn table_settings() -> insta::Settings {
    let mut settings = settings();
    settings.add_filter(r"(\w) {2,}", "$1  ");
    settings
}
