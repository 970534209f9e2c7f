//! Limits reached: full disks, memory. The disks are file systems in memory, of a few MiB.

use std::process::Command;

use libtest_mimic::Trial;

use crate::common::namespace::Namespace;
use crate::common::{Project, Seen, copy, seen};
use crate::subject::{Backend, State, Subject, state_of};

/// KiB that are left in the warehouse: enough for nothing, for some of the record, for some steps.
const LEFT: [usize; 8] = [0, 4, 16, 48, 64, 96, 128, 160];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = LEFT
        .into_iter()
        .map(|kib| {
            Trial::test(format!("limits::warehouse_full::{kib:03}_KiB_left"), move || {
                warehouse_full(kib);
                Ok(())
            })
        })
        .collect();
    let cases: [(&str, fn()); 5] = [
        ("warehouse_full::with_the_record_elsewhere", warehouse_full_with_the_record_elsewhere),
        ("spill_full", spill_full),
        ("memory::what_cannot_spill", memory_reached),
        ("memory::a_share_of_the_machine", share_of_memory_reached),
        ("memory::what_can_spill", memory_reached_by_what_can_spill),
    ];
    trials.extend(cases.map(|(name, case)| {
        Trial::test(format!("limits::{name}"), move || {
            case();
            Ok(())
        })
    }));
    trials
}

/// Fills a file system but for some KiB.
const FILL: &str = "
    free=$(df --output=avail --block-size=1K \"$1\" | tail -n 1)
    size=$((free - LEFT))
    [ $size -le 0 ] || head -c ${size}K /dev/zero >\"$1/ballast\"";

fn fill(disk: &Namespace, subject: &Project, folder: &str, left: usize) {
    disk.shell(&FILL.replace("LEFT", &left.to_string()), &[&subject.path(folder)]);
}

fn free(disk: &Namespace, subject: &Project, folder: &str) {
    disk.shell("rm -f \"$1/ballast\"", &[&subject.path(folder)]);
}

/// A pipeline whose warehouse, the record in it, is on a disk of its own.
struct Disk {
    subject: Subject,
    disk: Namespace,
}

impl Disk {
    fn new() -> Self {
        let subject = Subject::new(Backend::Files);
        let (warehouse, kept) = (subject.project.path("warehouse"), subject.project.path("kept"));
        copy(&warehouse, &kept);
        let disk = Namespace::new(
            "mount -t tmpfs -o size=8m,mode=755 tmpfs \"$1\" && cp -r \"$2/.\" \"$1\"",
            &[&warehouse, &kept],
        );
        Self { subject, disk }
    }

    fn run(&self, command: &Command) -> Seen {
        seen(&self.disk.wrap(command).output().expect("the program starts"))
    }

    fn exec(&self) -> Seen {
        self.run(&self.subject.exec(&["--wait", "60s"]))
    }

    fn published(&self) -> State {
        let query = "SELECT v.relation, v.fingerprint FROM audit.current c JOIN audit.versions v ON c.version = v.id ORDER BY 1";
        state_of(&self.rows(query))
    }

    fn rows(&self, query: &str) -> Vec<String> {
        let run = self.run(&self.subject.command(&["sql", query, "--format", "csv"]));
        assert_eq!(run.code, 0, "{}", run.stderr);
        run.stdout.lines().skip(1).map(str::to_owned).collect()
    }
}

/// The disk of the warehouse, and of the record, is full.
fn warehouse_full(left: usize) {
    let full = Disk::new();
    full.subject.becomes(State::New);
    fill(&full.disk, &full.subject.project, "warehouse", left);
    let run = full.exec();
    assert_eq!(run.code, 3, "{}", run.stderr);
    let reasons = ["is full", "No space left on device"];
    assert!(reasons.iter().any(|reason| run.stderr.contains(reason)), "{}", run.stderr);
    assert!(run.stderr.contains("hint: free some space"), "{}", run.stderr);
    assert_eq!(full.published(), State::Old);
    assert_eq!(full.rows("SELECT count(*) FROM eval.scores"), ["1000"]);

    free(&full.disk, &full.subject.project, "warehouse");
    let run = full.exec();
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(full.published(), State::New);
}

/// The disk of the warehouse is full, and the record is on another: it says why.
fn warehouse_full_with_the_record_elsewhere() {
    let project = Project::shipped(1000);
    let warehouse = project.path("warehouse");
    std::fs::create_dir(&warehouse).expect("a folder");
    let disk = Namespace::new("mount -t tmpfs -o size=8m,mode=755 tmpfs \"$1\"", &[&warehouse]);
    let run = |arguments: &[&str]| {
        let arguments = [arguments, &["--audit", "audit.db"]].concat();
        seen(&disk.wrap(&project.command(&arguments)).output().expect("the program starts"))
    };
    assert_eq!(run(&["exec", "sql"]).code, 0);
    fill(&disk, &project, "warehouse", 16);
    let full = run(&["exec", "sql", "--force"]);
    assert_eq!(full.code, 3, "{}", full.stderr);
    assert!(full.stderr.contains("error: the disk is full"), "{}", full.stderr);
    assert!(full.stderr.contains("hint: free some space"), "{}", full.stderr);
    let states = run(&["sql", "SELECT state FROM audit.runs ORDER BY started", "--format", "csv"]);
    assert_eq!(states.stdout, "state\nsucceeded\nfailed\n");
    let scores = run(&["sql", "SELECT count(*) FROM eval.scores", "--format", "csv"]);
    assert_eq!(scores.stdout.lines().nth(1), Some("1000"));
    free(&disk, &project, "warehouse");
    assert_eq!(run(&["exec", "sql", "--force"]).code, 0);
}

/// A table that has to be sorted on disk.
const SORT: &str = "CREATE OR REPLACE TABLE raw.sorted AS SELECT * FROM synthetic_flows(1000000, 1) ORDER BY bytes, src_ip;\n";

fn sorting() -> Project {
    let project = Project::new();
    project
        .file("sql/1_ingestion/1_one.sql", "CREATE OR REPLACE TABLE raw.one AS SELECT 1 AS a;\n");
    project.ok(&["exec", "sql"]);
    project.file("sql/1_ingestion/2_sorted.sql", SORT);
    project
}

fn failed_with(project: &Project, run: &Seen, message: &str, hint: &str) {
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(run.stderr.contains(&format!("error: {message}")), "{}", run.stderr);
    assert!(run.stderr.contains(&format!("hint: {hint}")), "{}", run.stderr);
    assert_eq!(project.value("SELECT a FROM raw.one"), "1");
    let last = "SELECT state FROM audit.runs ORDER BY started DESC LIMIT 1";
    assert_eq!(project.value(last), "failed");
}

/// The disk for spill files is full.
fn spill_full() {
    let project = sorting();
    let spill = project.path("spill");
    std::fs::create_dir(&spill).expect("a folder");
    let disk = Namespace::new("mount -t tmpfs -o size=128m tmpfs \"$1\"", &[&spill]);
    fill(&disk, &project, "spill", 512);
    let command = project.command(&[
        "exec",
        "sql",
        "--memory-limit",
        "64MB",
        "--partitions",
        "1",
        "--temp-dir",
        "spill",
    ]);
    let run = seen(&disk.wrap(&command).output().expect("the program starts"));
    failed_with(&project, &run, "the disk is full", "free some space");
    let left = disk.shell("ls \"$1\"", &[&spill]);
    assert_eq!(left.trim(), "ballast", "spill files are removed");

    free(&disk, &project, "spill");
    let run = seen(&disk.wrap(&command).output().expect("the program starts"));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(project.value("SELECT count(*) FROM raw.sorted"), "1000000");
}

/// An operator that cannot spill reaches the memory limit.
fn memory_reached() {
    reach("1MB");
}

/// The same, the limit being a share of the memory of the machine.
fn share_of_memory_reached() {
    reach("0.001%");
}

fn reach(limit: &str) {
    let project = sorting();
    let metric = "CREATE OR REPLACE TABLE raw.sorted AS SELECT roc_auc(label = 'scan', bytes) AS value FROM synthetic_flows(200000, 1);\n";
    project.file("sql/1_ingestion/2_sorted.sql", metric);
    let run = project.run(&["exec", "sql", "--memory-limit", limit]);
    failed_with(&project, &run, "out of memory or disk", "raise --memory-limit");
    project.ok(&["exec", "sql"]);
    assert_eq!(project.value("SELECT count(*) FROM raw.sorted"), "1");
}

/// An operator that can spill does, and its result is the same.
fn memory_reached_by_what_can_spill() {
    let project = sorting();
    project.ok(&["exec", "sql", "--memory-limit", "64MB", "--partitions", "1"]);
    let spilled = project.fingerprints();
    project.ok(&["exec", "sql", "--force"]);
    assert_eq!(project.fingerprints(), spilled);
}
