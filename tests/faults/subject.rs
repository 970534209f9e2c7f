//! A pipeline with something published, about to publish something else: what every fault meets.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::common::postgres::{announced, query};
use crate::common::{Project, Seen, copy, seen};

/// Events of the source: few, so that a run is short.
const ROWS: usize = 1000;

/// Statements of the shipped scripts.
pub(crate) const STEPS: usize = 15;

/// A lease that a dead run does not hold for long.
pub(crate) const SHORT_LEASE: [&str; 2] = ["--lease", "1s"];

/// The longest that anything may take before it counts as hanging.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// What a pipeline can have published: the events differ, so every step has to run anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Old = 42,
    New = 43,
    Other = 44,
}

/// Where a pipeline keeps its layers and its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    /// A folder, with SQLite in it.
    Files,
    /// A folder, and PostgreSQL.
    Postgres,
    /// An object store, and PostgreSQL: nothing on the machine itself.
    Services,
}

impl Backend {
    pub(crate) const ALL: [Self; 3] = [Self::Files, Self::Postgres, Self::Services];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Postgres => "postgres",
            Self::Services => "services",
        }
    }
}

/// A pipeline whose published state is [`State::Old`].
pub(crate) struct Subject {
    pub(crate) project: Project,
    schema: Option<Schema>,
    in_bucket: bool,
}

/// What readers see, and what is on record.
#[derive(Debug)]
pub(crate) struct Record {
    /// `relation,fingerprint` of all that is published.
    pub(crate) published: Vec<String>,
    /// Run and state, oldest first.
    pub(crate) runs: Vec<(String, String)>,
    /// Run, ordinal and state of the steps.
    pub(crate) steps: Vec<(String, usize, String)>,
    /// The runs that have published something.
    pub(crate) publishers: Vec<String>,
}

impl Subject {
    pub(crate) fn new(backend: Backend) -> Self {
        match backend {
            Backend::Files => {
                static SEED: OnceLock<Subject> = OnceLock::new();
                let seed = SEED.get_or_init(|| {
                    let seed = Self::empty(Backend::Files);
                    seed.ok(&["exec", "sql"]);
                    seed
                });
                let project = Project::new();
                copy(&seed.project.path("."), &project.path("."));
                Self { project, ..Self::empty(backend) }
            }
            Backend::Postgres | Backend::Services => {
                let subject = Self::empty(backend);
                subject.ok(&["exec", "sql"]);
                subject
            }
        }
    }

    fn empty(backend: Backend) -> Self {
        Self {
            project: Project::shipped(ROWS),
            schema: (backend != Backend::Files).then(Schema::new),
            in_bucket: backend == Backend::Services,
        }
    }

    /// Makes the scripts those of another state.
    pub(crate) fn becomes(&self, state: State) -> &Self {
        let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/sql/pipeline.toml");
        let config = std::fs::read_to_string(shipped).expect("the configuration");
        let source = format!("synthetic_flows({ROWS}, {})", state as u32);
        self.project
            .file("sql/pipeline.toml", config.replace("synthetic_flows(100000, 42)", &source));
        self
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.project.command(arguments);
        if let Some(schema) = &self.schema {
            command.env("PIPELINE_AUDIT", schema.url());
            if self.in_bucket {
                command.env("PIPELINE_WAREHOUSE", format!("s3://warehouse/{}", schema.name));
                command.envs(object_store());
            }
        }
        command
    }

    pub(crate) fn exec(&self, arguments: &[&str]) -> Command {
        self.command(&[&["exec", "sql"], arguments].concat())
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Seen {
        seen(&self.command(arguments).output().expect("the program starts"))
    }

    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let run = self.run(arguments);
        assert_eq!(run.code, 0, "{arguments:?}\n{}{}", run.stdout, run.stderr);
        run.stdout
    }

    /// Runs `exec` as the next pod would: it waits for the lease of the dead.
    pub(crate) fn exec_again(&self) -> Seen {
        seen(&self.exec(&["--wait", "60s"]).output().expect("the program starts"))
    }

    /// Reads every layer and the record, in one snapshot.
    pub(crate) fn record(&self) -> Record {
        let query = "
            SELECT 'published' AS what, v.relation AS a, v.fingerprint AS b, '' AS c
            FROM audit.current c JOIN audit.versions v ON c.version = v.id
            UNION ALL SELECT 'run', CAST(started AS VARCHAR), id, state FROM audit.runs
            UNION ALL SELECT 'step', run, CAST(ordinal AS VARCHAR), state FROM audit.steps
            UNION ALL SELECT DISTINCT 'publisher', run, '', '' FROM audit.publications
            UNION ALL SELECT 'rows', '', CAST(sum(bytes) AS VARCHAR), '' FROM raw.events
            UNION ALL SELECT 'rows', '', CAST(sum(bytes) AS VARCHAR), '' FROM silver.flows
            UNION ALL SELECT 'rows', '', CAST(count(features) AS VARCHAR), '' FROM silver.features
            UNION ALL SELECT 'rows', '', CAST(count(model) AS VARCHAR), '' FROM models.isolation_forest
            UNION ALL SELECT 'rows', '', CAST(sum(score) AS VARCHAR), '' FROM eval.scores
            UNION ALL SELECT 'rows', '', CAST(sum(value) AS VARCHAR), '' FROM eval.metrics
            ORDER BY 1, 2, 3";
        let text = self.ok(&["sql", query, "--format", "csv"]);
        let mut record =
            Record { published: vec![], runs: vec![], steps: vec![], publishers: vec![] };
        for line in text.lines().skip(1) {
            let fields: Vec<_> = line.split(',').collect();
            let [what, a, b, c] = fields[..] else { panic!("{line}") };
            match what {
                "published" => record.published.push(format!("{a},{b}")),
                "run" => record.runs.push((b.to_owned(), c.to_owned())),
                "step" => {
                    record.steps.push((a.to_owned(), b.parse().expect("an ordinal"), c.to_owned()));
                }
                "publisher" => record.publishers.push(a.to_owned()),
                "rows" => assert!(!b.is_empty(), "a layer is empty: {text}"),
                _ => panic!("{line}"),
            }
        }
        record
    }

    /// The files of all layers; none for an object store, which only the program can list.
    pub(crate) fn files(&self) -> Option<BTreeSet<String>> {
        let is_file = |path: &String| !path.ends_with('/');
        (!self.in_bucket).then(|| self.project.files().into_iter().filter(is_file).collect())
    }

    /// The files of all versions that are not on record as removed.
    pub(crate) fn files_on_record(&self) -> BTreeSet<String> {
        let query = "
            SELECT listed.path FROM (
                SELECT version, path FROM audit.files
                UNION ALL SELECT id, id || '/_manifest.json' FROM audit.versions
            ) AS listed
            WHERE listed.version NOT IN (SELECT removed.version FROM audit.removals AS removed)";
        let text = self.ok(&["sql", query, "--format", "csv"]);
        text.lines().skip(1).map(str::to_owned).collect()
    }

    /// The state that readers see; anything but a whole one is a failure.
    pub(crate) fn published(&self) -> State {
        state_of(&self.record().published)
    }

    /// Whether the audit store is in the middle of a transaction: one that only reads keeps others from
    /// committing too.
    pub(crate) fn in_transaction(&self) -> bool {
        match &self.schema {
            None => {
                let file = self.project.path("warehouse/audit.db");
                let store = rusqlite::Connection::open(file).expect("the store");
                store.busy_timeout(Duration::ZERO).expect("no waiting");
                store.execute_batch("BEGIN EXCLUSIVE; ROLLBACK").is_err()
            }
            Some(schema) => {
                let open = "SELECT count(*) FROM pg_stat_activity WHERE state <> 'idle'";
                let open = format!("{open} AND application_name = '{}'", schema.name);
                query(&server(), &open) != ["0"]
            }
        }
    }
}

impl Record {
    pub(crate) fn state_of(&self, run: &str) -> Option<&str> {
        self.runs.iter().find(|(id, _)| id == run).map(|(_, state)| state.as_str())
    }

    pub(crate) fn steps_of(&self, run: &str) -> Vec<(usize, &str)> {
        let steps = self.steps.iter().filter(|(id, ..)| id == run);
        let mut steps: Vec<_> =
            steps.map(|(_, ordinal, state)| (*ordinal, state.as_str())).collect();
        steps.sort_unstable();
        steps
    }
}

/// The whole state that these fingerprints are.
pub(crate) fn state_of(published: &[String]) -> State {
    let states = [State::Old, State::New, State::Other];
    let found = states.into_iter().find(|state| undisturbed(*state) == published);
    found.unwrap_or_else(|| panic!("neither the one state nor the other: {published:#?}"))
}

/// What a run that nothing disturbs publishes.
fn undisturbed(state: State) -> &'static [String] {
    static OLD: OnceLock<Vec<String>> = OnceLock::new();
    static NEW: OnceLock<Vec<String>> = OnceLock::new();
    static OTHER: OnceLock<Vec<String>> = OnceLock::new();
    let cell = match state {
        State::Old => &OLD,
        State::New => &NEW,
        State::Other => &OTHER,
    };
    cell.get_or_init(|| {
        let subject = Subject::empty(Backend::Files);
        subject.becomes(state).ok(&["exec", "sql"]);
        let published = subject.record().published;
        assert_eq!(published.len(), 9, "{published:?}");
        published
    })
}

/// A running `exec`, followed by what it says. It is killed when it is dropped.
pub(crate) struct Running {
    pub(crate) child: Child,
    stderr: BufReader<ChildStderr>,
    said: String,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let command = command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let stderr = BufReader::new(child.stderr.take().expect("stderr"));
        Self { child, stderr, said: String::new() }
    }

    /// Waits for a line that begins so. False where the program ends without it.
    pub(crate) fn says(&mut self, beginning: &str) -> bool {
        loop {
            let start = self.said.len();
            if self.stderr.read_line(&mut self.said).expect("text") == 0 {
                return false;
            }
            if self.said[start..].starts_with(beginning) {
                return true;
            }
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let kill = Command::new("kill").args(["-s", name, &id]).status().expect("kill");
        assert!(kill.success(), "the process {id} is gone");
    }

    /// Waits for its end; what it said, all of it, and its exit code.
    pub(crate) fn end(mut self) -> Seen {
        while self.says("\0") {}
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a status") {
                break status;
            }
            assert!(started.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        };
        let stderr = std::mem::take(&mut self.said);
        Seen { code: status.code().unwrap_or(-1), stdout: String::new(), stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Also one that is stopped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How the program reaches MinIO.
fn object_store() -> [(&'static str, String); 5] {
    let announced = announced("PIPELINE_TEST_S3");
    let servers = announced.split_whitespace().filter_map(|server| server.split_once('='));
    let (_, url) = servers.into_iter().find(|(name, _)| *name == "minio").expect("MinIO");
    let (keys, address) = url.trim_start_matches("http://").split_once('@').expect("credentials");
    let (key, secret) = keys.split_once(':').expect("a key and a secret");
    [
        ("AWS_ENDPOINT_URL", format!("http://{address}")),
        ("AWS_ACCESS_KEY_ID", key.into()),
        ("AWS_SECRET_ACCESS_KEY", secret.into()),
        ("AWS_REGION", "us-east-1".into()),
        ("AWS_ALLOW_HTTP", "true".into()),
    ]
}

fn server() -> String {
    announced("PIPELINE_TEST_POSTGRES")
}

/// A schema of the test server, dropped with its subject.
struct Schema {
    name: String,
}

impl Schema {
    fn new() -> Self {
        static SCHEMAS: AtomicU32 = AtomicU32::new(0);
        let time = SystemTime::UNIX_EPOCH.elapsed().expect("a clock").as_micros();
        let number = SCHEMAS.fetch_add(1, Ordering::Relaxed);
        let schema = Self { name: format!("faults_{time}_{number}") };
        query(&server(), &format!("CREATE SCHEMA {}", schema.name));
        schema
    }

    fn url(&self) -> String {
        let (server, name) = (server(), &self.name);
        format!("{server}?options=-csearch_path%3D{name}&application_name={name}")
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        let drop = format!("SET client_min_messages = error; DROP SCHEMA {} CASCADE", self.name);
        query(&server(), &drop);
    }
}

/// Numbers that a seed repeats (Steele, Lea and Flood: splitmix64, 2014).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// Uniform in `0..1`.
    pub(crate) fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}
