//! The memory limit: bytes, or a share of what the container or the machine has.

use std::fs;
use std::path::Path;

use super::size::parse_size;
use crate::error::{Error, Result};

/// A limit as it was given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MemoryLimit {
    /// Bytes.
    Bytes(usize),
    /// Percent, in (0, 100], of the memory that this process may use: the limit of its control
    /// group, which is that of its container, or else of the machine.
    Percent(f64),
}

impl MemoryLimit {
    /// Reads a size such as `2GiB`, or a share such as `60%`. The error says what is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some(percent) = text.trim().strip_suffix('%') else {
            let size = parse_size(text).map(Self::Bytes);
            return size.map_err(|reason| format!("{reason}, or a share of memory such as `60%`"));
        };
        match percent.trim().parse() {
            Ok(percent) if percent > 0.0 && percent <= 100.0 => Ok(Self::Percent(percent)),
            _ => Err(format!(
                "`{text}` is not a share of memory; allowed is more than 0% and up to 100%, for example `60%`"
            )),
        }
    }

    /// The limit in bytes. `root` is `/`, or what stands for it in a test.
    ///
    /// # Errors
    /// `Configuration` where a share is asked for and nothing tells of how much.
    pub(super) fn bytes(self, root: &Path) -> Result<usize> {
        let percent = match self {
            Self::Bytes(bytes) => return Ok(bytes),
            Self::Percent(percent) => percent,
        };
        let available = control_group(root).into_iter().chain(machine(root)).min();
        let available = available.ok_or_else(|| {
            Error::configuration(format!(
                "a memory limit of {percent}% needs to know how much memory there is"
            ))
            .with_context("looked in", "/sys/fs/cgroup and /proc/meminfo")
            .with_hint("give the limit as a size, for example `2GiB`")
        })?;
        Ok((available as f64 * percent / 100.0) as usize)
    }
}

/// The lowest limit of the control groups that this process is in, version 2 or 1. A limit that is
/// not set is no number (version 2) or larger than any machine (version 1).
fn control_group(root: &Path) -> Option<u64> {
    let mounted = root.join("sys/fs/cgroup");
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let mut limits = vec![];
    for group in groups.lines() {
        // `0::/path` is version 2, `4:cpu,memory:/path` version 1.
        let mut fields = group.splitn(3, ':');
        let (id, controllers, path) = (fields.next(), fields.next(), fields.next());
        let (mount, file) = match (id, controllers) {
            (Some("0"), Some("")) => (mounted.clone(), "memory.max"),
            (_, Some(names)) if names.split(',').any(|name| name == "memory") => {
                (mounted.join("memory"), "memory.limit_in_bytes")
            }
            _ => continue,
        };
        // In a container, the path may be the host's: then the mount itself is the group.
        let group = mount.join(path.unwrap_or_default().trim_start_matches('/'));
        let inside = group.ancestors().take_while(|folder| folder.starts_with(&mount));
        limits.extend(inside.filter_map(|folder| {
            fs::read_to_string(folder.join(file)).ok()?.trim().parse::<u64>().ok()
        }));
    }
    limits.into_iter().min()
}

/// The memory of the machine.
fn machine(root: &Path) -> Option<u64> {
    let text = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = total.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
