//! The contract of the container: a root folder with the program alone, read-only, any user, no home,
//! one folder to write to, JSON logs, SIGTERM. The program is process 1, as in a pod.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::common::namespace::{Namespace, is_root};
use crate::common::postgres::announced;
use crate::common::{Project, Seen, seen};
use crate::objects::overlay;

/// The root folder of the image, made as the Dockerfile makes it.
fn image() -> &'static Path {
    static IMAGE: OnceLock<TempDir> = OnceLock::new();
    let image = IMAGE.get_or_init(|| {
        let folder = TempDir::new().expect("a temporary folder");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("k8s/image-root");
        let made = Command::new(script)
            .arg(env!("CARGO_BIN_EXE_pipeline"))
            .arg(folder.path())
            .status()
            .expect("the script starts");
        assert!(made.success());
        // The runtime makes the mount points.
        for mount in ["pipeline/sql", "etc/hosts"] {
            fs::create_dir_all(folder.path().join(mount)).expect("a folder");
        }
        fs::remove_dir(folder.path().join("etc/hosts")).expect("removed");
        fs::write(folder.path().join("etc/hosts"), "").expect("a file");
        folder
    });
    image.path()
}

/// A container: the image with `sql/` of a project, and a `/tmp` of its own.
struct Container {
    project: Project,
    mounts: Namespace,
}

impl Container {
    fn new(project: Project) -> Self {
        let root = project.path("root");
        fs::create_dir(&root).expect("a folder");
        as_config_map(&project);
        // Only /tmp and /proc are not the image's; only /tmp can be written.
        let mounts = Namespace::new(
            "mount --bind \"$1\" \"$2\"
             mount --bind -o ro \"$3\" \"$2/pipeline/sql\"
             mount --bind -o ro /etc/hosts \"$2/etc/hosts\"
             mount -o remount,bind,ro \"$2\"
             mount -t tmpfs -o mode=1777 tmpfs \"$2/tmp\"",
            &[image(), &root, &project.path("mounted")],
        );
        Self { project, mounts }
    }

    /// The program as process 1, with the settings of the base and what writes moved to `/tmp`.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--kill-child", "--", "sh", "-c"]);
        command.arg("mount -t proc proc \"$1/proc\" && root=$1 && shift && exec chroot $USER_AND_GROUP \"$root\" /usr/bin/pipeline \"$@\"");
        command.arg("sh").arg(self.project.path("root")).args(arguments);
        // Without privileges, a name space has one user only.
        let user = if is_root() { "--userspec=123456:654321 --groups=654321" } else { "" };
        command.env("USER_AND_GROUP", user).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.envs(overlay("base").settings());
        command.env("PIPELINE_TEMP_DIR", "/tmp").env("PIPELINE_WAREHOUSE", "/tmp/warehouse");
        command.current_dir("/");
        let mut command = self.mounts.wrap(&command);
        command.stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Seen {
        seen(&self.command(arguments).output().expect("the container starts"))
    }

    fn value(&self, query: &str) -> String {
        let run = self.run(&["sql", query, "--format", "csv"]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        run.stdout.lines().nth(1).expect("a row").to_owned()
    }
}

/// `sql/` as the kubelet mounts a ConfigMap: links through a folder that is swapped on a change.
fn as_config_map(project: &Project) {
    let mounted = project.path("mounted");
    crate::common::copy(&project.path("sql"), &mounted.join("..2026_01_01"));
    symlink("..2026_01_01", mounted.join("..data")).expect("a link");
    for entry in fs::read_dir(project.path("sql")).expect("the scripts") {
        let name = entry.expect("an entry").file_name();
        symlink(Path::new("..data").join(&name), mounted.join(&name)).expect("a link");
    }
}

/// Every line must be JSON; gives those lines.
fn json_lines(stderr: &str) -> Vec<Value> {
    let line = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    stderr.lines().map(line).collect()
}

#[test]
fn the_image_holds_the_program_its_libraries_and_certificates() {
    fn files(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => files(&path, found),
                false => found.push(path.strip_prefix(image()).unwrap().display().to_string()),
            }
        }
    }
    let mut found = vec![];
    files(image(), &mut found);
    let library = |file: &String| file.starts_with("lib") && file.contains(".so");
    let (libraries, mut others): (Vec<_>, Vec<_>) = found.into_iter().partition(library);
    others.sort();
    let expected =
        ["etc/hosts", "etc/nsswitch.conf", "etc/ssl/certs/ca-certificates.crt", "usr/bin/pipeline"];
    assert_eq!(others, expected);
    // The loader, libc, libm, libgcc_s and what libc is in pieces of.
    assert!((4..=8).contains(&libraries.len()), "{libraries:?}");
    let certificates =
        fs::read_to_string(image().join("etc/ssl/certs/ca-certificates.crt")).unwrap();
    assert!(certificates.matches("BEGIN CERTIFICATE").count() > 50);
}

#[test]
fn a_run_needs_no_home_no_user_and_no_root_to_write() {
    let container = Container::new(Project::shipped(2000));
    let run = container.run(&["exec", "/pipeline/sql"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let log = json_lines(&run.stderr);
    assert!(log.iter().filter(|line| line["message"] == "step").count() >= 15, "{}", run.stderr);
    assert!(log.iter().any(|line| line["message"] == "run published"), "{}", run.stderr);
    // The scripts were read once, not again through the folder behind the links.
    assert_eq!(container.value("SELECT count(*) FROM audit.steps"), "15");
    assert_eq!(container.value("SELECT count(*) FROM eval.scores"), "2000");
    let recorded = container.value("SELECT user_name FROM audit.runs");
    assert!(!recorded.is_empty());
    // 60% of some memory is on record in bytes.
    let configuration = container.value("SELECT configuration FROM audit.runs");
    assert!(!configuration.contains("\"\"memory_limit\"\":null"), "{configuration}");

    let again = container.run(&["exec", "/pipeline/sql"]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(again.stdout.contains("0 steps ran"), "{}", again.stdout);
}

#[test]
fn a_root_that_cannot_be_written_is_an_error_that_says_so() {
    let container = Container::new(Project::shipped(100));
    let run = container.run(&["exec", "/pipeline/sql", "--warehouse", "/pipeline/warehouse"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    let log = json_lines(&run.stderr);
    let error = log.iter().find(|line| line["level"] == "ERROR").expect("an error");
    assert_eq!(error["exit_code"], 3);
    assert!(error["report"].as_str().unwrap().contains("Read-only file system"), "{error}");
}

#[test]
fn errors_are_in_the_log_with_their_exit_code() {
    let project = Project::shipped(100);
    project.file("sql/1_ingestion/2_more.sql", "CREATE TABLE raw.more AS SELECT nothing;\n");
    let container = Container::new(project);
    let run = container.run(&["exec", "/pipeline/sql"]);
    assert_eq!(run.code, 2, "{}", run.stderr);
    let log = json_lines(&run.stderr);
    let error = log.iter().find(|line| line["level"] == "ERROR").expect("an error");
    assert_eq!(error["exit_code"], 2);
    assert!(error["report"].as_str().unwrap().contains("2_more.sql:1"), "{error}");
}

#[test]
fn names_are_resolved_without_the_files_of_a_distribution() {
    let container = Container::new(Project::shipped(100));
    // `localhost` is in /etc/hosts alone. Nobody listens: the name was found where that is the error.
    let nobody = "postgresql://ann@localhost:1/audit";
    let run = container.run(&["sql", "SELECT 1", "--audit", nobody]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(run.stderr.contains("refused"), "{}", run.stderr);

    let server = announced("PIPELINE_TEST_POSTGRES").replace("127.0.0.1", "localhost");
    let run = container.run(&["sql", "SELECT 1", "--audit", &server]);
    assert!([0, 2].contains(&run.code), "{}", run.stderr);
    assert!(!run.stderr.contains("lookup"), "{}", run.stderr);
}

#[test]
fn sigterm_ends_process_1_in_seconds_and_is_on_record() {
    let project = Project::shipped(100);
    project.file(
        "sql/1_ingestion/2_endless.sql",
        "CREATE OR REPLACE TABLE raw.endless AS SELECT * FROM synthetic_flows(2000000000, 1);\n",
    );
    let container = Container::new(project);
    let mut command = container.command(&["exec", "/pipeline/sql"]);
    let mut unshare = command.stderr(Stdio::piped()).spawn().expect("the container starts");
    let mut log = BufReader::new(unshare.stderr.take().expect("stderr"));
    let mut line = String::new();
    while !line.contains("only ports and labels") && !line.contains("\"step\":5") {
        line.clear();
        assert!(log.read_line(&mut line).expect("a line") > 0, "the log ended");
    }
    let stopped = Instant::now();
    terminate(&unshare);
    let mut rest = String::new();
    log.read_to_string(&mut rest).expect("the rest");
    let status = unshare.wait().expect("it ends");
    assert!(stopped.elapsed() < Duration::from_secs(20), "{:?}", stopped.elapsed());
    assert_eq!(status.code(), Some(130), "{rest}");
    let error = json_lines(&rest).pop().expect("a last line");
    assert_eq!((&error["exit_code"], &error["kind"]), (&130.into(), &"Cancelled".into()));
    assert_eq!(container.value("SELECT state FROM audit.runs"), "cancelled");
}

/// Sends SIGTERM to the program, which is the child of `unshare`.
fn terminate(unshare: &Child) {
    let id = unshare.id();
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).expect("children");
    let program = children.split_whitespace().next().expect("a child");
    let kill = Command::new("kill").args(["-s", "TERM", program]).status();
    assert!(kill.expect("kill").success());
}
