//! Private PostgreSQL servers, and a proxy that knows where in a conversation it is.
#![allow(dead_code, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// An address that `tests/run` announces.
pub(crate) fn announced(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: run tests/run, which starts private servers")
    })
}

/// A program of PostgreSQL.
pub(crate) fn program(name: &str) -> PathBuf {
    Path::new(&announced("PIPELINE_TEST_POSTGRES_BIN")).join(name)
}

/// Waits until something is so; fails where it never is.
pub(crate) fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let patience = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < patience, "this never happened: {what}");
        sleep(Duration::from_millis(10));
    }
}

/// Runs SQL with `psql`; the rows, columns separated by `|`.
pub(crate) fn psql(url: &str, sql: &str) -> Result<Vec<String>, String> {
    let output = Command::new(program("psql"))
        .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql])
        .env("PGCONNECT_TIMEOUT", "10")
        .stdin(Stdio::null())
        .output()
        .expect("psql");
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// SQL that must succeed.
pub(crate) fn query(url: &str, sql: &str) -> Vec<String> {
    psql(url, sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// A server of its own on a free port, gone with this value.
pub(crate) struct Server {
    folder: TempDir,
    data: PathBuf,
    user: Option<(String, u32)>,
    port: u16,
    settings: Vec<String>,
    disks: Vec<PathBuf>,
}

impl Server {
    /// Starts a server with settings such as `max_connections=5`.
    pub(crate) fn start(settings: &[&str]) -> Self {
        Self::start_with(settings, |_| {})
    }

    /// Starts a server whose data are on a disk of their own, of this size.
    pub(crate) fn start_on_disk(settings: &[&str], size: &str) -> Self {
        Self::start_prepared(settings, |server| drop(server.disk("data", size)))
    }

    /// Starts a server; `prepare` may add to its folder.
    pub(crate) fn start_with(settings: &[&str], prepare: impl FnOnce(&Path)) -> Self {
        Self::start_prepared(settings, |server| prepare(server.folder.path()))
    }

    fn start_prepared(settings: &[&str], prepare: impl FnOnce(&mut Self)) -> Self {
        // Every user may enter /tmp, whatever TMPDIR says.
        let folder = TempDir::with_prefix_in("pipeline-postgres.", "/tmp").expect("a folder");
        let mut server = Self {
            data: folder.path().join("data"),
            folder,
            user: server_user(),
            port: 0,
            settings: settings.iter().map(|&setting| setting.to_owned()).collect(),
            disks: vec![],
        };
        prepare(&mut server);
        server.own(server.folder.path());
        let made = server.run(
            "initdb",
            &[
                "--username=pipeline",
                "--auth=trust",
                "--encoding=UTF8",
                "--no-locale",
                "--no-sync",
                "--wal-segsize=1",
            ],
        );
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        server.start_somewhere();
        server
    }

    fn start_somewhere(&mut self) {
        // Only the server itself can tell for sure that a port is free. Not one of those that the
        // system gives to clients: it must be free again after a restart.
        for _ in 0..20 {
            self.port = 20_000 + (RandomState::new().hash_one(()) % 12_000) as u16;
            if self.try_start_again() {
                return;
            }
        }
        panic!("{}", self.log());
    }

    /// Starts a server that follows this one and can take its place.
    pub(crate) fn standby(&self) -> Self {
        let folder = TempDir::with_prefix_in("pipeline-postgres.", "/tmp").expect("a folder");
        let mut standby = Self {
            data: folder.path().join("data"),
            folder,
            user: server_user(),
            port: 0,
            settings: self.settings.clone(),
            disks: vec![],
        };
        standby.own(standby.folder.path());
        let data = standby.data.to_str().expect("UTF-8").to_owned();
        let copied = standby.run("pg_basebackup", &["-D", &data, "-R", "-d", &self.url()]);
        assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
        standby.start_somewhere();
        standby
    }

    /// A new disk of this size in the folder of the server.
    pub(crate) fn disk(&mut self, name: &str, size: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir(&path).expect("a new folder");
        let options = format!("size={size},mode=0777");
        as_root("mount", &["-t", "tmpfs", "-o", &options, "tmpfs", path.to_str().expect("UTF-8")]);
        self.disks.push(path.clone());
        self.own(&path);
        path
    }

    /// Gives a file or folder to the user that runs the server.
    pub(crate) fn own(&self, path: &Path) {
        if let Some((_, id)) = self.user {
            chown(path, Some(id), None).expect("a file of the server");
        }
    }

    /// Starts it after a stop.
    pub(crate) fn start_again(&self) {
        assert!(self.try_start_again(), "the server does not start");
    }

    pub(crate) fn try_start_again(&self) -> bool {
        let settings = self.settings.iter().map(|setting| format!(" -c {setting}"));
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off{}",
            self.port,
            settings.collect::<String>()
        );
        let log = self.folder.path().join("log");
        let log = log.to_str().expect("UTF-8");
        self.run("pg_ctl", &["start", "-s", "-w", "-l", log, "-o", &options]).status.success()
    }

    /// Stops it: `fast` or `immediate`.
    pub(crate) fn stop(&self, mode: &str) {
        let stopped = self.run("pg_ctl", &["stop", "-s", "-w", "-m", mode]);
        assert!(stopped.status.success(), "{}", String::from_utf8_lossy(&stopped.stderr));
    }

    /// Sends a signal to all of its processes, `STOP` or `CONT`.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = fs::read_to_string(self.data.join("postmaster.pid")).expect("a running server");
        let pid = pid.lines().next().expect("its process").to_owned();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let children = children.unwrap_or_default();
        let mut kill = Command::new("kill");
        kill.arg(format!("-{signal}")).arg(&pid).args(children.split_whitespace());
        kill.stderr(Stdio::null()).status().expect("kill");
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder of the server's data.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// The URL of the superuser.
    pub(crate) fn url(&self) -> String {
        format!("postgresql://pipeline@127.0.0.1:{}/postgres", self.port)
    }

    pub(crate) fn query(&self, sql: &str) -> Vec<String> {
        query(&self.url(), sql)
    }

    /// Runs a program of PostgreSQL as the user that it accepts.
    fn run(&self, name: &str, arguments: &[&str]) -> Output {
        let mut command = match &self.user {
            None => Command::new(program(name)),
            Some((user, _)) => {
                let mut command = Command::new("runuser");
                command.args(["--user", user, "--"]).arg(program(name));
                command
            }
        };
        command.args(arguments).env("PGDATA", &self.data).current_dir(self.folder.path());
        // What the server inherits must not be a pipe that somebody reads to its end.
        let errors = self.folder.path().join("errors");
        let file = fs::File::create(&errors).expect("a file");
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).status();
        let stderr = fs::read(&errors).unwrap_or_default();
        Output { status: status.expect("a program of PostgreSQL"), stdout: vec![], stderr }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.data.join("postmaster.pid").exists() {
            self.signal("CONT");
            self.run("pg_ctl", &["stop", "-s", "-w", "-m", "immediate"]);
        }
        for disk in &self.disks {
            as_root("umount", &["--lazy", disk.to_str().expect("UTF-8")]);
        }
    }
}

fn as_root(program: &str, arguments: &[&str]) {
    let mut command = match server_user() {
        Some(_) => Command::new(program),
        None => {
            let mut command = Command::new("sudo");
            command.args(["--non-interactive", program]);
            command
        }
    };
    let done = command.args(arguments).status().expect("a program of the system");
    assert!(done.success(), "{program} {arguments:?} needs root");
}

/// PostgreSQL refuses to run as root: then it is another user, with its id.
fn server_user() -> Option<(String, u32)> {
    let id = |arguments: &[&str]| -> Option<u32> {
        let output = Command::new("id").arg("-u").args(arguments).output().expect("id");
        String::from_utf8_lossy(&output.stdout).trim().parse().ok()
    };
    if id(&[]) != Some(0) {
        return None;
    }
    ["postgres", "nobody"].into_iter().find_map(|user| Some((user.to_owned(), id(&[user])?)))
}
