//! Attack campaigns: who attacks whom, in which minutes, and what the connections look like.
//!
//! Each signature overlaps with benign traffic in some of its features, as real attacks do: a
//! scan resembles connections that nobody answered, a beacon resembles any small https request.

use super::network::{
    WORKSTATIONS, any_server, ephemeral_port, forged_source, rare_host, workstation,
};
use super::random::Random;
use super::timeline::{DAY, WEEK};
use super::{Attack, Connection, Protocol};

/// Each kind of attack with its share of all events and its number of campaigns.
const PLAN: [(Attack, f64, u32); 5] = [
    (Attack::Scan, 0.0026, 6),
    (Attack::Flood, 0.0030, 4),
    (Attack::Exfiltration, 0.0016, 6),
    (Attack::Beacon, 0.0010, 5),
    (Attack::BruteForce, 0.0018, 6),
];

/// One campaign.
#[derive(Debug)]
pub(super) struct Campaign {
    pub(super) kind: Attack,
    /// Its share of all events.
    pub(super) share: f64,
    /// The minutes of the week in which it acts, evenly.
    pub(super) minutes: Vec<usize>,
    attacker: u32,
    victim: u32,
    port: u16,
}

/// All campaigns of a seed.
pub(super) fn campaigns(seed: u64) -> Vec<Campaign> {
    let mut random = Random::new(seed, u64::MAX - 1);
    PLAN.iter()
        .flat_map(|&(kind, share, count)| {
            (0..count).map(move |number| (kind, share / f64::from(count), number))
        })
        .map(|(kind, share, number)| Campaign::new(kind, share, number, &mut random))
        .collect()
}

impl Campaign {
    fn new(kind: Attack, share: f64, number: u32, random: &mut Random) -> Self {
        let insider = workstation(random.below(WORKSTATIONS));
        let outsider = rare_host(random);
        // Scans and brute force start from an infected workstation or from outside, in turn.
        let attacker = if number.is_multiple_of(2) { insider } else { outsider };
        let inside_server = any_server(random);
        let (attacker, victim, ports) = match kind {
            // A scan picks a host and a port for each probe.
            Attack::Scan => (attacker, inside_server, [0, 0]),
            Attack::Flood => (outsider, inside_server, [443, 53]),
            Attack::Exfiltration => (insider, outsider, [443, 22]),
            Attack::Beacon => (insider, outsider, [443, 8443]),
            Attack::BruteForce => (attacker, inside_server, [22, 3389]),
        };
        Self {
            kind,
            share,
            minutes: active_minutes(kind, random),
            attacker,
            victim,
            port: ports[number as usize % 2],
        }
    }

    /// One connection of the campaign.
    pub(super) fn connection(&self, random: &mut Random) -> Connection {
        let endpoints = Connection {
            src_ip: self.attacker,
            src_port: Some(ephemeral_port(random)),
            dst_ip: self.victim,
            dst_port: Some(self.port),
            protocol: Protocol::Tcp,
            ..Connection::default()
        };
        let (size, rest) = random.normals();
        match self.kind {
            Attack::Scan => self.probe(endpoints, random),
            Attack::Flood if self.port == 53 => Connection {
                src_ip: forged_source(random),
                src_port: Some(53),
                protocol: Protocol::Udp,
                ..endpoints
            }
            .transfer(1100.0 * libm::exp(0.5 * size), 1200.0, 0.01 * libm::exp(rest)),
            Attack::Flood => {
                Connection { src_ip: forged_source(random), ..endpoints }.unanswered(random)
            }
            Attack::Exfiltration => {
                endpoints.transfer(2e8 * libm::exp(size), 1300.0, 900.0 * libm::exp(0.6 * rest))
            }
            Attack::Beacon => endpoints.transfer(
                700.0 * libm::exp(0.1 * size),
                random.between(80.0, 100.0),
                0.4 * libm::exp(0.3 * rest),
            ),
            Attack::BruteForce => endpoints.transfer(
                2600.0 * libm::exp(0.12 * size),
                random.between(110.0, 140.0),
                2.2 * libm::exp(0.25 * rest),
            ),
        }
    }

    /// Tries a port of any inside host; one in twelve answers.
    fn probe(&self, endpoints: Connection, random: &mut Random) -> Connection {
        let target = Connection {
            dst_ip: workstation(random.below(WORKSTATIONS)),
            dst_port: Some(1 + random.below(10_000) as u16),
            ..endpoints
        };
        if random.below(12) == 0 {
            target.transfer(random.between(260.0, 420.0), 60.0, random.between(0.001, 0.2))
        } else {
            target.unanswered(random)
        }
    }
}

/// The minutes in which a campaign of this kind acts.
fn active_minutes(kind: Attack, random: &mut Random) -> Vec<usize> {
    let mut within = |low: usize, high: usize| low + random.below((high - low) as u32) as usize;
    match kind {
        // A call home every ten minutes to hour, for days.
        Attack::Beacon => (within(0, 2 * DAY)..WEEK).step_by(within(10, 60)).collect(),
        // At night, when nobody watches.
        Attack::Exfiltration => {
            let start = DAY * within(0, 7) + within(0, 180);
            (start..start + within(60, 180)).collect()
        }
        Attack::Flood => contiguous(within(5, 20), random),
        Attack::Scan => contiguous(within(20, 90), random),
        Attack::BruteForce => contiguous(within(30, 120), random),
    }
}

/// A window of `length` minutes anywhere in the week.
fn contiguous(length: usize, random: &mut Random) -> Vec<usize> {
    let start = random.below((WEEK - length) as u32) as usize;
    (start..start + length).collect()
}
