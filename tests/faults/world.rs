//! A warehouse whose audit store is in PostgreSQL, a run that is disturbed, and what must be true
//! of both afterwards.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

use crate::common::postgres::{program, psql, query, until};
use crate::common::{Project, Seen};
use crate::proxy::Proxy;

const ROWS: usize = 500;
/// What is published before.
const BEFORE: &[&str] = &["exec", "sql", "--param", "trees=10"];
/// What is disturbed: every step runs, whatever could be reused.
const DISTURBED: &[&str] = &["exec", "sql", "--force", "--param", "trees=20"];
/// The run after it.
const NEXT: &[&str] = &["exec", "sql", "--param", "trees=20"];
const STEPS: &str = "15";
const RELATIONS: &str = "9";

/// Host and port of a URL.
pub(crate) fn host(url: &str) -> String {
    let (_, rest) = url.split_once('@').expect("a user");
    rest.split('/').next().expect("a host").to_owned()
}

/// The fingerprints of the two states, as runs make them that nobody disturbs.
fn expected() -> &'static [Vec<String>; 2] {
    static EXPECTED: OnceLock<[Vec<String>; 2]> = OnceLock::new();
    EXPECTED.get_or_init(|| {
        let project = Project::shipped(ROWS);
        [BEFORE, NEXT].map(|arguments| {
            project.ok(arguments);
            project.fingerprints()
        })
    })
}

pub(crate) fn before() -> &'static [String] {
    &expected()[0]
}

fn after() -> &'static [String] {
    &expected()[1]
}

/// A warehouse with a published state, and its audit store in a schema of its own.
pub(crate) struct World {
    project: Project,
    /// The URL for PostgreSQL's own tools.
    pub(crate) plain: String,
    /// That of the store.
    url: String,
    /// The schema, and the name of the run's connections.
    name: String,
}

impl World {
    pub(crate) fn new(plain: &str, parameters: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("fault_{}_{number}", std::process::id());
        let project = Project::shipped(ROWS);
        let plain = match parameters.strip_prefix("user=") {
            Some(user) => {
                query(
                    plain,
                    &format!("CREATE ROLE {user} LOGIN; CREATE SCHEMA {name} AUTHORIZATION {user}"),
                );
                plain.replace("pipeline@", &format!("{user}@"))
            }
            None => plain.to_owned(),
        };
        let url = format!("{plain}?schema={name}&sslmode=disable&{parameters}");
        let config = fs::read_to_string(project.path("sql/pipeline.toml")).expect("a file");
        project.file("sql/pipeline.toml", format!("audit = \"{url}\"\n{config}"));
        project.ok(BEFORE);
        let world = Self { project, plain, url, name };
        world.shows(before());
        world
    }

    /// Starts the run to be disturbed.
    pub(crate) fn disturb(&self, parameters: &str) -> Run {
        let url = &self.url;
        self.start(&format!("{url}&application_name={}&{parameters}", self.name))
    }

    pub(crate) fn disturb_through(&self, proxy: &Proxy, parameters: &str) -> Run {
        let url = self.url.replace(&host(&self.url), &format!("127.0.0.1:{}", proxy.port()));
        self.start(&format!("{url}&application_name={}&{parameters}", self.name))
    }

    fn start(&self, url: &str) -> Run {
        let mut command = self.project.command(DISTURBED);
        command.env("PIPELINE_AUDIT", url).stdout(Stdio::piped()).stderr(Stdio::piped());
        Run::new(command.spawn().expect("the program starts"))
    }

    /// Holds up whoever wants to change a table.
    pub(crate) fn pause(&self, table: &str) -> Session {
        let lock = format!("BEGIN; LOCK TABLE {}.{table} IN SHARE MODE", self.name);
        Session::open(&self.plain, &lock)
    }

    /// Waits until the run waits for something of this kind.
    pub(crate) fn wait_for(&self, run: &Run, event: &str) {
        let waiting = format!(
            "SELECT 1 FROM pg_stat_activity
             WHERE application_name = '{}' AND wait_event_type = '{event}'",
            self.name
        );
        until("the run waits", || {
            let waits = !query(&self.plain, &waiting).is_empty();
            assert!(waits || !run.said().contains("error:"), "{}", run.said());
            waits.then_some(())
        });
    }

    /// The SQL that ends the run's connection.
    pub(crate) fn cutting(&self) -> String {
        format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{}'",
            self.name
        )
    }

    fn sql(&self, sql: &str) -> Vec<String> {
        query(&self.plain, &format!("SET search_path = {}; {sql}", self.name))
    }

    /// What readers see.
    pub(crate) fn shows(&self, state: &[String]) {
        assert_eq!(self.project.fingerprints(), state);
    }

    /// The disturbed run did everything once, and there is nothing left for the next one.
    pub(crate) fn has_succeeded(&self) {
        self.shows(after());
        let ended = self.sql("SELECT state FROM runs ORDER BY started");
        assert_eq!(ended, ["succeeded", "succeeded"]);
        let last = "(SELECT id FROM runs ORDER BY started DESC LIMIT 1)";
        for (table, rows) in
            [("steps", STEPS), ("versions", RELATIONS), ("publications", RELATIONS)]
        {
            let count = self.sql(&format!("SELECT count(*) FROM {table} WHERE run = {last}"));
            assert_eq!(count, [rows], "{table}");
        }
        self.sql("UPDATE leases SET expires = now() WHERE run IS NOT NULL");
        let next = self.project.ok(NEXT);
        assert!(next.contains(&format!("0 steps ran, {STEPS} reused")), "{next}");
        self.shows(after());
    }

    /// The disturbed run published nothing; the next one records its end and goes on from there.
    pub(crate) fn has_failed(&self) {
        self.shows(before());
        self.recovers();
        let ended = self.sql("SELECT state FROM runs ORDER BY started");
        assert_eq!(ended, ["succeeded", "failed", "succeeded"]);
    }

    pub(crate) fn recovers(&self) {
        // Else the next run waits for the end of the lease.
        self.sql("UPDATE leases SET expires = now() WHERE run IS NOT NULL");
        self.project.ok(NEXT);
        self.shows(after());
        assert!(self.sql("SELECT id FROM runs WHERE state = 'running'").is_empty());
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // A private server goes as a whole, and may be gone already.
        drop(psql(&self.plain, &format!("DROP SCHEMA IF EXISTS {} CASCADE", self.name)));
    }
}

/// A program that runs; ended with this value.
pub(crate) struct Run {
    child: Child,
    stderr: Arc<Mutex<String>>,
    readers: Vec<thread::JoinHandle<String>>,
}

impl Run {
    fn new(mut child: Child) -> Self {
        let stderr = Arc::new(Mutex::new(String::new()));
        let (mut out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let told = Arc::clone(&stderr);
        let readers = vec![
            thread::spawn(move || {
                let mut text = String::new();
                drop(out.read_to_string(&mut text));
                text
            }),
            thread::spawn(move || {
                for line in BufReader::new(err).lines().map_while(Result::ok) {
                    told.lock().unwrap().push_str(&(line + "\n"));
                }
                String::new()
            }),
        ];
        Self { child, stderr, readers }
    }

    /// What it has said on stderr.
    fn said(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    /// Waits until it says something.
    pub(crate) fn says(&self, text: &str) {
        until(text, || self.said().contains(text).then_some(()));
    }

    /// Waits for its end, with this code and these words. Gives stderr.
    pub(crate) fn ends(&mut self, code: i32, words: &str) -> String {
        let status = until("the run ends", || self.child.try_wait().expect("a child"));
        let stdout: String = self.readers.drain(..).map(|reader| reader.join().unwrap()).collect();
        let seen = Seen { code: status.code().unwrap_or(-1), stdout, stderr: self.said() };
        assert_eq!(seen.code, code, "{}{}", seen.stdout, seen.stderr);
        assert!(seen.stdout.contains(words) || seen.stderr.contains(words), "{}", seen.stderr);
        seen.stderr
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A session beside the run, open as long as this value.
pub(crate) struct Session(Child);

impl Session {
    /// Opens a session and does something in it.
    pub(crate) fn open(url: &str, sql: &str) -> Self {
        let mut child = Command::new(program("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("psql");
        let mut stdin = child.stdin.take().expect("stdin");
        writeln!(stdin, "{sql};\n\\echo done").expect("a session");
        child.stdin = Some(stdin);
        let answers = BufReader::new(child.stdout.take().expect("stdout")).lines();
        let done = answers.map_while(Result::ok).any(|line| line == "done");
        assert!(done, "the session cannot do {sql}");
        Self(child)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
