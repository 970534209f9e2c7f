//! An object store that fails: every fault in every operation, once for a moment and once for good.
//! A real MinIO is behind a proxy that answers badly.
//!
//! For a moment: the run succeeds with the same bytes as without. For good: it fails in bounded
//! time and says why, readers see what they saw before, nothing is left half done, and the next run
//! succeeds.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;

use crate::common::places::Place;
use crate::common::s3::{minio, prefix};
use crate::common::s3_proxy::{Fault, Operation, Rule, S3Proxy};
use crate::common::{Project, gzip};

/// What fails: its name, the requests, how many of them are answered before, and what the run was
/// doing then.
const OPERATIONS: [(&str, Operation, &str, usize, &str); 11] = [
    (
        "list_source",
        Operation::List,
        "/sources?",
        0,
        "source `t`: cannot list `s3://sources/[P]/flows`",
    ),
    (
        "infer_source",
        Operation::Read,
        "/flows/",
        0,
        "source `t`: cannot read s3://sources/[P]/flows/a.csv",
    ),
    // The check and the run infer it; then it is read.
    ("read_source", Operation::Read, "/flows/a.csv", 2, "reading or writing failed"),
    ("read_compressed", Operation::Read, "/flows/b.csv.gz", 2, "reading or writing failed"),
    ("open_table", Operation::Read, "/raw/big/", 0, "reading or writing failed"),
    ("read_table", Operation::Read, "/raw/big/", 1, "reading or writing failed"),
    ("write_file", Operation::Put, "/raw/t/", 0, "reading or writing failed"),
    (
        "write_manifest",
        Operation::Put,
        "_manifest.json",
        0,
        "cannot write `raw/t/[V]/_manifest.json` in the warehouse",
    ),
    ("begin_upload", Operation::Begin, "/raw/big/", 0, "reading or writing failed"),
    ("write_part", Operation::Part, "/raw/big/", 0, "reading or writing failed"),
    ("complete_upload", Operation::Complete, "/raw/big/", 0, "reading or writing failed"),
];

/// How: its name, the answer, what is said of it, and the exit code where it lasts.
const FAULTS: [(&str, Fault, &str, i32); 7] = [
    ("internal_error", Fault::Status(500, "InternalError"), "500 InternalError: injected", 3),
    ("slow_down", Fault::Status(503, "SlowDown"), "503 SlowDown: injected", 3),
    ("reset", Fault::Reset, "Connection reset by peer (os error 104)", 3),
    ("half_sent", Fault::Half, "", 3),
    ("time_out", Fault::Silence, "no answer in time", 3),
    ("denied", Fault::Status(403, "AccessDenied"), "403 AccessDenied: injected", 2),
    ("missing_bucket", Fault::Status(404, "NoSuchBucket"), "404 NoSuchBucket: injected", 2),
];

/// Patience for tests.
const PATIENCE: &str = "timeout = \"1s\"\nconnect_timeout = \"1s\"\nmax_retries = 3\nretry_deadline = \"3s\"\nbackoff_initial = \"10ms\"\nbackoff_max = \"50ms\"";

/// What a lasting fault may cost: all attempts, and as much for the clean-up, on a busy machine.
const DEADLINE: Duration = Duration::from_secs(45);

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![];
    let mut add = |name: String, run: fn(usize, usize), operation: usize, fault: usize| {
        trials.push(Trial::test(format!("object_store::{name}"), move || {
            run(operation, fault);
            Ok(())
        }));
    };
    for (o, operation) in OPERATIONS.iter().enumerate() {
        for (f, fault) in FAULTS.iter().enumerate() {
            // What is certain is not tried again: for a moment is for good.
            if fault.3 == 3 {
                add(format!("{}::{}::for_a_moment", operation.0, fault.0), for_a_moment, o, f);
            }
            add(format!("{}::{}::for_good", operation.0, fault.0), for_good, o, f);
        }
    }
    let mut add = |name: &str, run: fn()| {
        trials.push(Trial::test(format!("object_store::{name}"), move || {
            run();
            Ok(())
        }));
    };
    add("reads_go_on_for_as_long_as_something_comes", reads_go_on);
    add("a_server_that_is_not_there", nobody_there);
    add("a_cancelled_run_does_not_wait_for_a_silent_server", cancelled_in_silence);
    trials
}

/// A pipeline that has published once, and the faults that may come between it and its store.
struct Subject {
    project: Project,
    proxy: S3Proxy,
    place: Place,
}

/// Reads a source, writes a table of several parts, reads it again.
const SCRIPT: &str = "CREATE OR REPLACE TABLE raw.t AS SELECT * FROM landing.t;
CREATE OR REPLACE TABLE raw.big AS SELECT event_id, sha256(CAST(event_id AS VARCHAR)) AS a FROM synthetic_flows(300000, 1);
CREATE OR REPLACE TABLE silver.sums AS SELECT count(*) AS n, max(a) AS a, (SELECT sum(id) FROM raw.t) AS s FROM raw.big;
";

fn sources() -> [(&'static str, Vec<u8>); 2] {
    let lines = |from: u32| (from..from + 2000).map(|id| format!("{id},name-{id}\n"));
    let file =
        |from| -> String { std::iter::once("id,name\n".to_owned()).chain(lines(from)).collect() };
    [("flows/a.csv", file(0).into_bytes()), ("flows/b.csv.gz", gzip(&file(2000)))]
}

impl Subject {
    fn new(patience: &str) -> Self {
        let minio = minio();
        let proxy = S3Proxy::start(&minio);
        let prefix = prefix();
        let warehouse = format!("s3://warehouse/{prefix}");
        let flows = Place::at(&minio, &format!("s3://sources/{prefix}"), "");
        for (name, content) in sources() {
            flows.put(name, content);
        }
        let source =
            format!("[sources.t]\nformat = \"csv\"\nlocation = \"s3://sources/{prefix}/flows\"");
        let project = Project::new();
        project.file("sql/1.sql", "CREATE OR REPLACE TABLE raw.t AS SELECT 'before' AS id;\n");
        let project =
            project.on(&proxy.server(&minio), &warehouse, &format!("{patience}\n{source}"));
        project.ok(&["exec", "sql"]);
        project.file("sql/1.sql", SCRIPT);
        Self { project, proxy, place: Place::at(&minio, &warehouse, "") }
    }

    fn exec(&self) -> crate::common::Seen {
        self.project.run(&["exec", "sql", "--partitions", "1"])
    }

    /// The run did what one without faults does, and left nothing else.
    fn succeeded(&self) {
        assert_eq!(self.project.fingerprints(), undisturbed());
        assert_eq!(self.place.unfinished(), Vec::<String>::new(), "uploads stay behind");
    }
}

/// What the script makes on a disk.
fn undisturbed() -> &'static [String] {
    static FINGERPRINTS: OnceLock<Vec<String>> = OnceLock::new();
    FINGERPRINTS.get_or_init(|| {
        let project = Project::new();
        project.file("sql/1.sql", SCRIPT);
        for (name, content) in sources() {
            project.file(name, content);
        }
        project.ok(&["exec", "sql", "--partitions", "1", "--source", "t=flows"]);
        project.fingerprints()
    })
}

fn rule(operation: usize, fault: usize, times: Option<usize>) -> Rule {
    let (_, operation, path, after, _) = OPERATIONS[operation];
    Rule { operation, path, after, fault: FAULTS[fault].1, times }
}

fn for_a_moment(operation: usize, fault: usize) {
    let subject = Subject::new(PATIENCE);
    subject.proxy.set(Some(rule(operation, fault, Some(2))));
    let run = subject.exec();
    assert!(subject.proxy.hits() > 0, "the fault did not come to pass");
    assert_eq!(run.code, 0, "{}", run.stderr);
    subject.succeeded();
}

fn for_good(operation: usize, fault: usize) {
    let subject = Subject::new(PATIENCE);
    let before = subject.project.fingerprints();
    subject.proxy.set(Some(rule(operation, fault, None)));
    let clock = Instant::now();
    let run = subject.exec();
    assert!(clock.elapsed() < DEADLINE, "it took {:?}", clock.elapsed());
    assert!(subject.proxy.hits() > 0, "the fault did not come to pass");
    let (_, asked, _, _, doing) = OPERATIONS[operation];
    let (_, answer, said, code) = FAULTS[fault];
    if (asked, answer) == (Operation::Complete, Fault::Half) {
        // It is done whenever it is asked for; only the answers are lost.
        assert_eq!(run.code, 0, "{}", run.stderr);
        return subject.succeeded();
    }
    assert_eq!(run.code, code, "{}", run.stderr);
    let text = subject.stable(&run.stderr);
    let line = |start: &str| text.lines().find(|line| line.trim_start().starts_with(start));
    assert_eq!(line("error: "), Some(format!("error: {doing}").as_str()), "{}", run.stderr);
    let cause = line("cause: ").unwrap_or_else(|| panic!("no cause in:\n{}", run.stderr));
    assert!(cause.ends_with(said), "{}", run.stderr);
    let hint = match code {
        3 => {
            "hint: a retry may help; `timeout`, `max_retries` and `retry_deadline` in [s3] say for how long one run tries"
        }
        _ if said.starts_with("403") => {
            "hint: the credentials need the right to list and read there, and for a warehouse to write, to delete, and to list and abort uploads"
        }
        _ => "hint: create the bucket, or correct the location",
    };
    assert_eq!(line("hint: "), Some(hint), "{}", run.stderr);

    subject.proxy.set(None);
    assert_eq!(subject.project.fingerprints(), before, "readers see what they saw before");
    assert_eq!(subject.place.unfinished(), Vec::<String>::new(), "uploads stay behind");
    let next = subject.exec();
    assert_eq!(next.code, 0, "{}", next.stderr);
    subject.succeeded();
}

impl Subject {
    /// Text with what differs between runs replaced.
    fn stable(&self, text: &str) -> String {
        let prefix = self.place.store.path("").to_string();
        let text = text.replace(&prefix, "[P]");
        // `raw/t/20260131T235959123456Z-1f2e3d/`
        let parts = text.split('/').map(|part| match part.split_once("Z-") {
            Some((time, run)) if time.len() == 21 && run.len() == 6 => "[V]",
            _ => part,
        });
        parts.collect::<Vec<_>>().join("/")
    }
}

/// Each answer brings half of what is left. object_store alone would give up after one retry.
fn reads_go_on() {
    let subject = Subject::new(&PATIENCE.replace("max_retries = 3", "max_retries = 1"));
    let half = Rule {
        operation: Operation::Read,
        path: "/flows/a.csv",
        after: 0,
        fault: Fault::Half,
        times: Some(8),
    };
    subject.proxy.set(Some(half));
    let run = subject.exec();
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(subject.proxy.hits(), 8, "every answer was broken off");
    subject.succeeded();
}

fn nobody_there() {
    let mut subject = Subject::new(PATIENCE);
    let before = subject.project.fingerprints();
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    subject.project.env("AWS_ENDPOINT_URL", &format!("http://127.0.0.1:{port}"));
    let clock = Instant::now();
    let run = subject.exec();
    assert!(clock.elapsed() < DEADLINE, "it took {:?}", clock.elapsed());
    assert_eq!(run.code, 3, "{}", run.stderr);
    let doing = "error: cannot read `_audit/head.json` in the warehouse";
    assert!(run.stderr.contains(doing), "{}", run.stderr);
    assert!(run.stderr.contains("Connection refused (os error 111)"), "{}", run.stderr);
    assert_eq!(subject.project.fingerprints(), before, "readers of the record need no store");
}

fn cancelled_in_silence() {
    let patience = PATIENCE.replace("timeout = \"1s\"\nc", "timeout = \"10m\"\nc");
    let subject = Subject::new(&patience);
    subject.proxy.set(Some(rule(9, 4, None)));
    let mut run = subject.project.command(&["exec", "sql", "--partitions", "1"]);
    let mut run = run
        .stderr(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let clock = Instant::now();
    while subject.proxy.hits() == 0 {
        if clock.elapsed() > DEADLINE {
            let _ = run.kill();
            panic!("no part was written");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let stop = std::process::Command::new("kill").arg(run.id().to_string()).status().unwrap();
    assert!(stop.success());
    let clock = Instant::now();
    assert_eq!(run.wait().unwrap().code(), Some(130));
    assert!(clock.elapsed() < Duration::from_secs(20), "it waited {:?}", clock.elapsed());
}
