use std::fs;

use tempfile::TempDir;

use super::*;
use crate::error::ErrorKind;

const GIB: usize = 1 << 30;

/// A root folder with these files.
fn root(files: &[(&str, &str)]) -> TempDir {
    let root = TempDir::new().unwrap();
    for (path, content) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    root
}

fn half(files: &[(&str, &str)]) -> usize {
    MemoryLimit::Percent(50.0).bytes(root(files).path()).unwrap()
}

const MACHINE: (&str, &str) = ("proc/meminfo", "MemTotal:  16777216 kB\nMemFree:  1 kB\n");

#[test]
fn a_limit_is_a_size_or_a_share() {
    assert_eq!(MemoryLimit::parse("2GiB"), Ok(MemoryLimit::Bytes(2 * GIB)));
    assert_eq!(MemoryLimit::parse(" 60% "), Ok(MemoryLimit::Percent(60.0)));
    assert_eq!(MemoryLimit::parse("12.5 %"), Ok(MemoryLimit::Percent(12.5)));
    for text in ["0%", "101%", "%", "-5%", "NaN%", "many%"] {
        let message = MemoryLimit::parse(text).expect_err(text);
        assert!(message.contains("up to 100%"), "{message}");
    }
    assert!(MemoryLimit::parse("many").expect_err("no size").contains("`60%`"));
    assert_eq!(MemoryLimit::Bytes(7).bytes(Path::new("/nowhere")).unwrap(), 7);
}

#[test]
fn a_container_has_the_limit_of_its_group() {
    // Version 2 in a name space of its own: the mount is the group.
    let own = ("proc/self/cgroup", "0::/\n");
    assert_eq!(half(&[MACHINE, own, ("sys/fs/cgroup/memory.max", "4294967296\n")]), 2 * GIB);
    // The same, seen with the host's path.
    let host = ("proc/self/cgroup", "0::/kubepods/pod1/c1\n");
    assert_eq!(half(&[MACHINE, host, ("sys/fs/cgroup/memory.max", "4294967296\n")]), 2 * GIB);
    // Version 1.
    let v1 = ("proc/self/cgroup", "5:cpu,cpuacct:/pod1\n4:hugetlb,memory:/pod1\n");
    let limit = ("sys/fs/cgroup/memory/memory.limit_in_bytes", "1073741824\n");
    assert_eq!(half(&[MACHINE, v1, limit]), GIB / 2);
}

#[test]
fn the_lowest_limit_counts() {
    let group = ("proc/self/cgroup", "0::/pod1/c1\n");
    let outer = ("sys/fs/cgroup/pod1/memory.max", "2147483648\n");
    let inner = ("sys/fs/cgroup/pod1/c1/memory.max", "max\n");
    assert_eq!(half(&[MACHINE, group, outer, inner]), GIB);
    let beside = ("sys/fs/cgroup/pod2/memory.max", "1024\n");
    assert_eq!(half(&[MACHINE, group, outer, beside]), GIB);
}

#[test]
fn without_a_limit_it_is_the_machine() {
    let group = ("proc/self/cgroup", "0::/\n");
    assert_eq!(half(&[MACHINE, group, ("sys/fs/cgroup/memory.max", "max\n")]), 8 * GIB);
    let v1 = ("proc/self/cgroup", "4:memory:/\n");
    let none = ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    assert_eq!(half(&[MACHINE, v1, none]), 8 * GIB);
    assert_eq!(half(&[MACHINE]), 8 * GIB);
}

#[test]
fn a_share_of_what_nobody_knows_is_an_error() {
    let error = MemoryLimit::Percent(60.0).bytes(root(&[]).path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.report().contains("a memory limit of 60%"), "{}", error.report());
    assert!(error.hint().unwrap().contains("2GiB"));
}

#[test]
fn this_machine_has_memory() {
    let bytes = MemoryLimit::Percent(60.0).bytes(Path::new("/")).unwrap();
    assert!(bytes > 100 << 20, "{bytes}");
}
