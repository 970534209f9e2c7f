//! A mount name space: file systems that only the commands inside of it see, and that are gone with
//! the test, whatever ends it.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Mounts, made by a shell script, and kept by a process that waits for the end of its stdin.
pub(crate) struct Namespace {
    holder: Child,
}

impl Namespace {
    /// Runs `script` with `arguments` (`$1`, …) where its mounts are nobody else's.
    pub(crate) fn new(script: &str, arguments: &[&Path]) -> Self {
        let mut unshare = Command::new("unshare");
        if !is_root() {
            unshare.args(["--user", "--map-root-user"]);
        }
        // The holder says when its mounts are there.
        let script = format!("set -e\n{script}\necho ready\nexec cat");
        unshare.args(["--mount", "--", "sh", "-c", &script, "sh"]).args(arguments);
        unshare.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = unshare.spawn().expect("unshare");
        let mut said = String::new();
        let stdout = holder.stdout.as_mut().expect("stdout");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut said)
            .expect("a line");
        assert_eq!(said, "ready\n", "the mounts failed: a kernel with name spaces is needed");
        Self { holder }
    }

    /// The same command with these mounts.
    pub(crate) fn wrap(&self, command: &Command) -> Command {
        let mut nsenter = Command::new("nsenter");
        nsenter.args(["--target", &self.holder.id().to_string(), "--mount"]);
        if !is_root() {
            nsenter.args(["--user", "--preserve-credentials"]);
        }
        // A working directory that was opened outside does not see the mounts.
        nsenter.args(["--", "sh", "-c", "cd \"$1\" && shift && exec \"$@\"", "sh"]);
        nsenter.arg(command.get_current_dir().unwrap_or(Path::new("/")));
        nsenter.arg(command.get_program()).args(command.get_args()).env_clear();
        nsenter.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        nsenter
    }

    /// Runs a shell script with these mounts; it must succeed.
    pub(crate) fn shell(&self, script: &str, arguments: &[&Path]) -> String {
        let mut command = Command::new("sh");
        command.args(["-ec", script, "sh"]).args(arguments);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        let output = self.wrap(&command).output().expect("sh");
        let _ = std::io::stderr().write_all(&output.stderr);
        assert!(output.status.success(), "{script}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

pub(crate) fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").expect("the status");
    status.lines().any(|line| line.starts_with("Uid:\t0\t"))
}
