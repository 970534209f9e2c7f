//! PostgreSQL failing under a run: stopped, cut off, read-only, out of connections, full.
//!
//! In each case a run with other parameters goes on while readers see what was published before.
//! The server is broken at a point that is waited for, never after a time. Then the run must end as
//! if nothing had happened, or say truthfully that it could not; readers see the one state or the
//! other, whole; and the next run ends with the fingerprints of a run that nobody disturbed.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use libtest_mimic::Trial;

use crate::common::postgres::{Server, announced, psql, query, until};
use crate::proxy::{Break, Proxy};
use crate::world::{Session, World, before, host};

/// Too short for any outage.
const IMPATIENT: &str = "reconnect_deadline=500ms";

/// How many of the moments of a run its connection is cut at, over how many connections.
const CUTS: usize = 20;
const POOLED_CUTS: usize = 8;

/// Each kind of transaction of a run, by a part of one of its statements.
const COMMITS: &[(&str, &str)] = &[
    ("acquire", "acquired = $4"),
    ("begin", "INSERT INTO runs"),
    ("version", "INSERT INTO versions"),
    ("step", "INSERT INTO checks"),
    ("renew", "SET expires = $3"),
    ("publish", "INSERT INTO current"),
    ("release", "SET run = NULL"),
];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![];
    let mut case = |name: String, run: Box<dyn FnOnce() + Send>| {
        trials.push(Trial::test(format!("postgres::{name}"), move || {
            run();
            Ok(())
        }));
    };
    for table in ["runs", "steps", "current"] {
        for mode in ["fast", "immediate"] {
            case(format!("restart_{mode}_at_{table}"), Box::new(move || restart(table, mode)));
        }
        case(format!("outage_beyond_the_deadline_at_{table}"), Box::new(move || outage(table)));
    }
    for number in 0..CUTS {
        let run = move || cut("PIPELINE_TEST_POSTGRES", number, CUTS);
        case(format!("connection_cut_{number:02}"), Box::new(run));
    }
    for number in 0..POOLED_CUTS {
        let run = move || cut("PIPELINE_TEST_PGBOUNCER", number, POOLED_CUTS);
        case(format!("connection_cut_behind_a_pooler_{number:02}"), Box::new(run));
    }
    for &(name, part) in COMMITS {
        let run = move || lost(Break::Commit(part));
        case(format!("commit_lost_of_{name}"), Box::new(run));
        let run = move || lost(Break::Answer(part));
        case(format!("answer_lost_of_{name}"), Box::new(run));
    }
    case("answer_lost_of_publish_for_ever".into(), Box::new(published_unheard));
    case("connection_goes_silent".into(), Box::new(|| lost(Break::Silence("BEGIN READ ONLY"))));
    case("server_freezes".into(), Box::new(frozen));
    case("read_only_for_a_moment".into(), Box::new(read_only_for_a_moment));
    case("read_only_for_good".into(), Box::new(read_only_for_good));
    case("failover_to_a_standby".into(), Box::new(failover));
    case("no_connection_left_at_the_start".into(), Box::new(no_connection_at_the_start));
    case("no_connection_left_in_a_run".into(), Box::new(no_connection_in_a_run));
    case("no_connection_left_for_good".into(), Box::new(no_connection_for_good));
    case("disk_of_the_tables_full".into(), Box::new(tables_full));
    case("disk_of_the_log_full".into(), Box::new(log_full));
    trials
}

/// Stopped and started again at once.
fn restart(table: &str, mode: &str) {
    let server = Server::start(&[]);
    let world = World::new(&server.url(), "");
    let pause = world.pause(table);
    let mut run = world.disturb("");
    world.wait_for(&run, "Lock");
    server.stop(mode);
    drop(pause);
    server.start_again();
    run.ends(0, "published to");
    world.has_succeeded();
}

/// Away for longer than the run wants to wait.
fn outage(table: &str) {
    let server = Server::start(&[]);
    let world = World::new(&server.url(), "");
    let pause = world.pause(table);
    let mut run = world.disturb(IMPATIENT);
    world.wait_for(&run, "Lock");
    server.stop("fast");
    let error = run.ends(3, "error: PostgreSQL cannot be reached");
    assert!(error.contains(IMPATIENT), "{error}");
    drop(pause);
    server.start_again();
    if table == "runs" {
        // It never began, as far as the record can tell.
        world.shows(before());
        world.recovers();
    } else {
        world.has_failed();
    }
}

/// One moment of all that a run has, chosen as evenly as may be.
fn cut(variable: &str, number: usize, of: usize) {
    let world = World::new(&announced("PIPELINE_TEST_POSTGRES"), "");
    let moments = moments(&world, variable);
    let moment = (2 * number + 1) * moments / (2 * of);
    let (plain, cutting) = (world.plain.clone(), world.cutting());
    let act = move || drop(query(&plain, &cutting));
    let proxy = Proxy::start(&host(&announced(variable)), Break::After { moment }, act);
    let mut run = world.disturb_through(&proxy, "");
    run.ends(0, "published to");
    assert!(proxy.has_broken(), "{moment} of {moments}");
    world.has_succeeded();
}

/// How many messages a run exchanges.
fn moments(world: &World, variable: &str) -> usize {
    static DIRECT: OnceLock<usize> = OnceLock::new();
    static POOLED: OnceLock<usize> = OnceLock::new();
    let counted = if variable.ends_with("PGBOUNCER") { &POOLED } else { &DIRECT };
    *counted.get_or_init(|| {
        let calm = World::new(&world.plain, "");
        let proxy = Proxy::start(&host(&announced(variable)), Break::Never, || {});
        calm.disturb_through(&proxy, "").ends(0, "published to");
        proxy.moments()
    })
}

/// A transaction whose end is lost on its way, or a connection that says nothing any more.
fn lost(fault: Break) {
    let url = announced("PIPELINE_TEST_POSTGRES");
    let world = World::new(&url, "");
    let proxy = Proxy::start(&host(&url), fault, || {});
    let mut run = world.disturb_through(&proxy, "statement_timeout=1500ms");
    run.ends(0, "published to");
    assert!(proxy.has_broken());
    world.has_succeeded();
}

/// The run cannot know that it has published, and says so.
fn published_unheard() {
    let url = announced("PIPELINE_TEST_POSTGRES");
    let world = World::new(&url, "");
    let proxy = Proxy::start(&host(&url), Break::AnswerForEver("INSERT INTO current"), || {});
    let mut run = world.disturb_through(&proxy, IMPATIENT);
    run.ends(3, "the change may have been made");
    world.has_succeeded();
}

/// Its processes stand still: connections open, and nobody answers.
fn frozen() {
    let server = Server::start(&[]);
    let world = World::new(&server.url(), "");
    let pause = world.pause("steps");
    let mut run = world.disturb(&format!("{IMPATIENT}&statement_timeout=5s&connect_timeout=1"));
    world.wait_for(&run, "Lock");
    server.signal("STOP");
    run.ends(3, "error: PostgreSQL took no connection within 2s");
    drop(pause);
    server.signal("CONT");
    world.has_failed();
}

const READ_ONLY: &str = "ALTER DATABASE postgres SET default_transaction_read_only = on";
const READ_WRITE: &str = "ALTER DATABASE postgres RESET default_transaction_read_only";

/// A URL whose sessions may write all the same.
fn writable(server: &Server) -> String {
    format!("{}?options=-cdefault_transaction_read_only%3Doff", server.url())
}

fn read_only_for_a_moment() {
    let server = Server::start(&[]);
    let world = World::new(&server.url(), "");
    let pause = world.pause("steps");
    let mut run = world.disturb("");
    world.wait_for(&run, "Lock");
    server.query(READ_ONLY);
    server.query(&world.cutting());
    run.says("it is read-only");
    drop(pause);
    query(&writable(&server), READ_WRITE);
    run.ends(0, "published to");
    world.has_succeeded();
}

fn read_only_for_good() {
    let server = Server::start(&[]);
    let world = World::new(&server.url(), "");
    server.query(READ_ONLY);
    let mut run = world.disturb(IMPATIENT);
    let error = run.ends(3, "error: PostgreSQL takes no changes: it is read-only");
    assert!(error.contains("target_session_attrs=read-write"), "{error}");
    world.shows(before());
    query(&writable(&server), READ_WRITE);
    world.shows(before());
    world.recovers();
}

/// The primary is lost, its standby takes over, and the URL names both.
fn failover() {
    let primary = Server::start(&["synchronous_commit=remote_apply"]);
    let standby = primary.standby();
    primary.query("ALTER SYSTEM SET synchronous_standby_names = '*'");
    primary.query("SELECT pg_reload_conf()");
    let both = format!("127.0.0.1:{},127.0.0.1:{}", primary.port(), standby.port());
    let url = primary.url().replace(&format!("127.0.0.1:{}", primary.port()), &both);
    let world = World::new(&url, "target_session_attrs=read-write");
    let pause = world.pause("steps");
    let mut run = world.disturb("");
    world.wait_for(&run, "Lock");
    primary.stop("immediate");
    drop(pause);
    query(&standby.url(), "SELECT pg_promote()");
    run.ends(0, "published to");
    world.has_succeeded();
}

fn no_connection_at_the_start() {
    let server = Server::start(&["max_connections=4", "superuser_reserved_connections=1"]);
    let world = World::new(&server.url(), "user=job");
    let mut occupied: Vec<_> = (0..3).map(|_| Session::open(&world.plain, "SELECT 1")).collect();
    let mut run = world.disturb("");
    run.says("waiting for the audit store");
    occupied.pop();
    run.ends(0, "published to");
    drop(occupied);
    world.has_succeeded();
}

fn no_connection_for_good() {
    let server = Server::start(&["max_connections=4", "superuser_reserved_connections=1"]);
    let world = World::new(&server.url(), "user=job");
    let occupied: Vec<_> = (0..3).map(|_| Session::open(&world.plain, "SELECT 1")).collect();
    let mut run = world.disturb(IMPATIENT);
    let error = run.ends(3, "error: PostgreSQL has no connection left");
    assert!(error.contains("pooler"), "{error}");
    drop(occupied);
    // The server takes a moment to see that they are gone.
    until("a free connection", || psql(&world.plain, "SELECT 1").ok());
    world.shows(before());
    world.recovers();
}

fn no_connection_in_a_run() {
    let server = Server::start(&[]);
    let world = World::new(&server.url(), "user=job");
    let pause = world.pause("steps");
    let mut run = world.disturb("");
    world.wait_for(&run, "Lock");
    server.query("ALTER ROLE job CONNECTION LIMIT 0");
    server.query(&world.cutting());
    until("a refused connection", || server.log().contains("too many connections").then_some(()));
    drop(pause);
    server.query("ALTER ROLE job CONNECTION LIMIT -1");
    run.ends(0, "published to");
    world.has_succeeded();
}

fn tables_full() {
    let mut server = Server::start(&[]);
    let disk = server.disk("small", "32m");
    server.query(&format!("CREATE TABLESPACE small LOCATION '{}'", disk.display()));
    server.query("CREATE DATABASE small TABLESPACE small");
    let world = World::new(&server.url().replace("/postgres", "/small"), "");
    let pause = world.pause("steps");
    let mut run = world.disturb("");
    world.wait_for(&run, "Lock");
    let filler = Filler::start(&disk);
    drop(pause);
    let error = run.ends(3, "error: PostgreSQL has no disk space left");
    assert!(error.contains("No space left on device"), "{error}");
    world.shows(before());
    drop(filler);
    world.has_failed();
}

/// Without space for its log, the server gives up as a whole.
fn log_full() {
    let settings = &["min_wal_size=2MB", "max_wal_size=2MB", "wal_recycle=off"];
    let server = Server::start_on_disk(settings, "96m");
    let world = World::new(&server.url(), "");
    let pause = world.pause("steps");
    let mut run = world.disturb(IMPATIENT);
    world.wait_for(&run, "Lock");
    let filler = Filler::start(server.data());
    // What is next goes into a new file.
    drop(psql(&server.url(), "SELECT pg_switch_wal()"));
    drop(pause);
    let error = run.ends(3, "PostgreSQL");
    assert!(!error.contains("a bug"), "{error}");
    drop(filler);
    until("the server is back", || {
        psql(&server.url(), "SELECT 1").ok().or_else(|| {
            server.try_start_again();
            None
        })
    });
    world.has_failed();
}

/// Takes all the room that a disk has, also what is given back, as long as this value is there.
struct Filler {
    path: PathBuf,
    ended: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Filler {
    fn start(disk: &Path) -> Self {
        let path = disk.join("filler");
        let mut file = File::create(&path).expect("a new file");
        let mut fill = move || {
            let mut block = vec![0; 1 << 16];
            while !block.is_empty() {
                if file.write_all(&block).is_err() {
                    block.truncate(block.len() / 2);
                }
            }
        };
        fill();
        let ended = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&ended);
        let thread = thread::spawn(move || {
            while !over.load(Ordering::SeqCst) {
                fill();
                thread::sleep(Duration::from_millis(1));
            }
        });
        Self { path, ended, thread: Some(thread) }
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        drop(self.thread.take().map(thread::JoinHandle::join));
        drop(fs::remove_file(&self.path));
    }
}
