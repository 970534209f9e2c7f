use std::collections::{HashMap, HashSet};

use twox_hash::XxHash3_64;

use super::timeline::START;
use super::*;

const ROWS: u64 = 100_000;

fn flows(seed: u64, rows: u64) -> Vec<Flow> {
    Generator::new(seed, rows).flows(0..rows).collect()
}

fn share(flows: &[Flow], condition: impl Fn(&Flow) -> bool) -> f64 {
    flows.iter().filter(|flow| condition(flow)).count() as f64 / flows.len() as f64
}

fn hour(flow: &Flow) -> i64 {
    (flow.timestamp - START) / 3_600_000_000
}

/// Changes only where the events are meant to change: results published with a seed depend on it.
#[test]
fn digest_of_the_first_events_is_golden() {
    let mut bytes = vec![];
    for flow in flows(42, 10_000) {
        let connection = flow.connection;
        bytes.extend(flow.event_id.to_le_bytes());
        bytes.extend(flow.timestamp.to_le_bytes());
        bytes.extend(connection.src_ip.to_le_bytes());
        bytes.extend(connection.src_port.unwrap_or(0).to_le_bytes());
        bytes.extend(connection.dst_ip.to_le_bytes());
        bytes.extend(connection.dst_port.unwrap_or(0).to_le_bytes());
        bytes.extend(connection.protocol.as_str().as_bytes());
        bytes.extend(connection.duration.to_le_bytes());
        bytes.extend(connection.bytes.to_le_bytes());
        bytes.extend(connection.packets.to_le_bytes());
        bytes.extend(flow.attack.map_or("benign", Attack::as_str).as_bytes());
    }
    assert_eq!(format!("{:016x}", XxHash3_64::oneshot(&bytes)), "6ad9fdd4793bd378");
}

#[test]
fn any_part_made_alone_equals_the_whole() {
    let generator = Generator::new(7, 5000);
    let whole: Vec<_> = generator.flows(0..5000).collect();
    for size in [1, 3, 999] {
        let starts = (0..5000).step_by(size as usize);
        let parts: Vec<_> = starts.flat_map(|start| generator.flows(start..start + size)).collect();
        assert_eq!(parts, whole, "parts of {size}");
    }
}

#[test]
fn another_seed_gives_other_events() {
    assert_ne!(flows(1, 100), flows(2, 100));
}

#[test]
fn few_rows_and_no_rows_work() {
    assert_eq!(flows(42, 0), []);
    for rows in 1..50 {
        assert_eq!(flows(42, rows).len() as u64, rows);
    }
}

#[test]
fn billions_of_rows_cost_nothing_up_front() {
    let rows = 5_000_000_000;
    let last = Generator::new(42, rows).flows(rows - 3..rows + 10).last().unwrap();
    assert_eq!(last.event_id, rows - 1);
    assert_eq!(hour(&last), 7 * 24 - 1);
}

#[test]
fn one_percent_are_attacks_and_every_kind_is_there() {
    for seed in 0..5 {
        let flows = flows(seed, ROWS);
        let attacks = share(&flows, |flow| flow.attack.is_some());
        assert!((0.009..0.011).contains(&attacks), "seed {seed}: {attacks}");
        let mut kinds = HashMap::new();
        for attack in flows.iter().filter_map(|flow| flow.attack) {
            *kinds.entry(attack).or_insert(0) += 1;
        }
        assert!(kinds.len() == 5 && kinds.values().all(|&count| count > 50), "{kinds:?}");
    }
}

#[test]
fn times_follow_the_week() {
    let flows = flows(42, ROWS);
    assert!(flows.is_sorted_by_key(|flow| flow.timestamp));
    assert!(flows.iter().all(|flow| (0..7 * 24).contains(&hour(flow))));
    let office = share(&flows, |flow| (8..18).contains(&(hour(flow) % 24)));
    let weekend = share(&flows, |flow| hour(flow) >= 5 * 24);
    let night = share(&flows, |flow| hour(flow) % 24 < 5);
    assert!((0.6..0.8).contains(&office), "{office}");
    assert!((0.08..0.18).contains(&weekend), "{weekend}");
    assert!(night < 0.06, "{night}");
}

#[test]
fn connections_are_plausible() {
    for Flow { connection, .. } in flows(42, ROWS) {
        let Connection { bytes, packets, duration, protocol, .. } = connection;
        assert!(packets >= 1 && bytes >= 28 * packets && bytes <= 1500 * packets, "{connection:?}");
        assert!((0.0..=21_600.0).contains(&duration), "{connection:?}");
        assert!(packets > 1 || duration == 0.0, "{connection:?}");
        let icmp = protocol == Protocol::Icmp;
        assert!(connection.src_port.is_none() == icmp && connection.dst_port.is_none() == icmp);
    }
}

#[test]
fn bytes_have_a_heavy_tail() {
    let mut bytes: Vec<i64> = flows(42, ROWS).iter().map(|flow| flow.connection.bytes).collect();
    bytes.sort_unstable();
    let total: i64 = bytes.iter().sum();
    let top: i64 = bytes[99_000..].iter().sum();
    let median = bytes[50_000];
    assert!(top as f64 > 0.7 * total as f64, "{top} of {total}");
    assert!(total / 100_000 > 20 * median, "median {median}");
}

#[test]
fn hosts_have_habits() {
    let flows = flows(42, ROWS);
    let mut activity: HashMap<u32, usize> = HashMap::new();
    let mut pairs = HashSet::new();
    for flow in flows.iter().filter(|flow| flow.attack.is_none()) {
        *activity.entry(flow.connection.src_ip).or_default() += 1;
        pairs.insert((flow.connection.src_ip, flow.connection.dst_ip));
    }
    let (least, most) = (activity.values().min().unwrap(), activity.values().max().unwrap());
    assert!(activity.len() > 300, "{} hosts", activity.len());
    assert!(*most > 20 * least, "{least} to {most} events of one host");
    assert!(pairs.len() < flows.len() / 4, "{} pairs", pairs.len());
}

#[test]
fn attacks_have_their_signature() {
    let flows = flows(42, 1_000_000);
    let of = |attack: Attack| {
        let connections = flows.iter().filter(move |flow| flow.attack == Some(attack));
        connections.map(|flow| flow.connection).collect::<Vec<_>>()
    };
    let distinct = |values: Vec<u32>| values.into_iter().collect::<HashSet<_>>().len();
    let median = |connections: &[Connection], value: fn(&Connection) -> f64| {
        let mut values: Vec<f64> = connections.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };

    let scan = of(Attack::Scan);
    assert!(distinct(scan.iter().map(|c| c.src_ip).collect()) <= 6);
    assert!(distinct(scan.iter().map(|c| u32::from(c.dst_port.unwrap())).collect()) > 1000);
    assert!(median(&scan, |c| c.packets as f64) <= 2.0);

    let flood = of(Attack::Flood);
    assert!(distinct(flood.iter().map(|c| c.dst_ip).collect()) <= 4);
    assert!(distinct(flood.iter().map(|c| c.src_ip).collect()) > 1000);

    let exfiltration = of(Attack::Exfiltration);
    assert!(median(&exfiltration, |c| c.bytes as f64) > 1e8);
    assert!(median(&exfiltration, |c| c.duration) > 600.0);

    let beacon = of(Attack::Beacon);
    assert!(distinct(beacon.iter().map(|c| c.dst_ip).collect()) <= 5);
    assert!(median(&beacon, |c| c.bytes as f64) < 1000.0);

    let brute_force = of(Attack::BruteForce);
    assert!(brute_force.iter().all(|c| matches!(c.dst_port, Some(22 | 3389))));
}
