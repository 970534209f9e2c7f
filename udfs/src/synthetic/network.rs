//! The simulated network and its benign traffic: workstations with habits, the services they
//! use, and the shape of each service's connections.
//!
//! All addresses belong to ranges that no host on the internet may use: 10.0.0.0/8 (RFC 1918)
//! inside, 198.18.0.0/15 (RFC 2544) and 203.0.113.0/24 (RFC 5737) outside.

use super::random::{Random, Weighted, mix};
use super::{Connection, Protocol};

/// Number of workstations.
pub(super) const WORKSTATIONS: u32 = 320;

/// Number of servers that offer one internal service.
const SERVERS: u32 = 6;

/// Number of outside servers that workstations use.
const OUTSIDE_SERVERS: u32 = 400;

/// Longest connection in seconds: exporters cut longer ones.
const MAX_SECONDS: f64 = 6.0 * 3600.0;

/// Share of TCP connections that nobody answers.
const UNANSWERED: f64 = 0.01;

/// Share of connections whose size comes from the Pareto tail, and its index: below 2, so the
/// variance is infinite, as measured on real networks.
const TAIL: f64 = 0.01;
const TAIL_INDEX: f64 = 1.2;

/// A service: how often it is used and what its connections look like. Bytes and seconds are
/// log-normal, given as median and standard deviation of the logarithm.
struct Service {
    protocol: Protocol,
    port: Option<u16>,
    weight: f64,
    inside: bool,
    bytes: (f64, f64),
    seconds: (f64, f64),
    /// Lowest and highest mean bytes per packet.
    packet: (f64, f64),
}

impl Service {
    const fn tcp(port: u16, weight: f64, inside: bool) -> Self {
        Self {
            protocol: Protocol::Tcp,
            port: Some(port),
            weight,
            inside,
            bytes: (5000.0, 1.5),
            seconds: (1.0, 1.3),
            packet: (150.0, 900.0),
        }
    }

    const fn datagram(protocol: Protocol, port: Option<u16>, weight: f64, inside: bool) -> Self {
        Self {
            protocol,
            port,
            weight,
            inside,
            bytes: (180.0, 0.5),
            seconds: (0.03, 0.9),
            packet: (70.0, 140.0),
        }
    }

    const fn bytes(mut self, median: f64, deviation: f64) -> Self {
        self.bytes = (median, deviation);
        self
    }

    const fn seconds(mut self, median: f64, deviation: f64) -> Self {
        self.seconds = (median, deviation);
        self
    }

    const fn packet(mut self, low: f64, high: f64) -> Self {
        self.packet = (low, high);
        self
    }
}

/// The service mix of an office network.
const SERVICES: [Service; 13] = [
    // https, http
    Service::tcp(443, 36.0, false).bytes(9e3, 1.7).seconds(2.5, 1.5),
    Service::tcp(80, 6.0, false).bytes(5e3, 1.6),
    // dns, ntp
    Service::datagram(Protocol::Udp, Some(53), 26.0, true),
    Service::datagram(Protocol::Udp, Some(123), 6.0, false).bytes(152.0, 0.1).packet(76.0, 77.0),
    // quic
    Service::datagram(Protocol::Udp, Some(443), 5.0, false)
        .bytes(12e3, 1.8)
        .seconds(4.0, 1.4)
        .packet(300.0, 1200.0),
    // ping
    Service::datagram(Protocol::Icmp, None, 4.0, true).bytes(168.0, 0.4).seconds(1.0, 0.8),
    // smb, postgresql, ldap
    Service::tcp(445, 6.0, true).bytes(2e4, 2.0).seconds(5.0, 1.6),
    Service::tcp(5432, 4.0, true).bytes(4e3, 1.8).seconds(0.3, 1.8),
    Service::tcp(389, 3.0, true).bytes(2e3, 0.7).seconds(0.2, 1.0),
    // smtp
    Service::tcp(25, 2.0, true).bytes(15e3, 1.6).seconds(2.0, 0.9),
    // ssh, rdp
    Service::tcp(22, 1.2, true).bytes(9e3, 1.5).seconds(20.0, 1.8),
    Service::tcp(3389, 0.5, true).bytes(15e4, 1.8).seconds(300.0, 1.5),
    // rsync backup
    Service::tcp(873, 0.4, true).bytes(4e7, 1.6).seconds(120.0, 1.3).packet(1000.0, 1440.0),
];

/// The network of one seed.
#[derive(Debug)]
pub(super) struct Network {
    seed: u64,
    services: Weighted,
    activity: Weighted,
    hosts: Vec<Host>,
}

/// The habits of one workstation.
#[derive(Debug)]
struct Host {
    /// Logarithm of the factor on the size of its connections.
    size: f64,
    /// The services it uses most.
    favourites: [usize; 3],
}

impl Network {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed, u64::MAX);
        let services = Weighted::new(&SERVICES.map(|service| service.weight));
        let mut weights = vec![];
        let mut hosts = vec![];
        for _ in 0..WORKSTATIONS {
            let (activity, size) = random.normals();
            weights.push(libm::exp(activity));
            hosts.push(Host {
                size: 0.4 * size,
                favourites: std::array::from_fn(|_| services.draw(&mut random)),
            });
        }
        Self { seed, services, activity: Weighted::new(&weights), hosts }
    }

    /// One connection of everyday traffic.
    pub(super) fn benign(&self, random: &mut Random) -> Connection {
        let workstation_number = self.activity.draw(random);
        let host = &self.hosts[workstation_number];
        let service_number = match random.below(6) {
            favourite @ 0..3 => host.favourites[favourite as usize],
            _ => self.services.draw(random),
        };
        let service = &SERVICES[service_number];
        let endpoints = Connection {
            src_ip: workstation(workstation_number as u32),
            src_port: service.port.map(|_| ephemeral_port(random)),
            dst_ip: self.server(workstation_number, service_number, random),
            dst_port: service.port,
            protocol: service.protocol,
            ..Connection::default()
        };
        if service.protocol == Protocol::Tcp && random.chance(UNANSWERED) {
            return endpoints.unanswered(random);
        }
        let (size, rest) = random.normals();
        let tail = if random.chance(TAIL) { random.pareto(TAIL_INDEX) } else { 1.0 };
        // Larger transfers last longer: correlation 0.6.
        let slowness = 0.6 * size + 0.8 * rest;
        endpoints.transfer(
            service.bytes.0 * libm::exp(host.size + service.bytes.1 * size) * tail,
            random.between(service.packet.0, service.packet.1),
            service.seconds.0 * libm::exp(service.seconds.1 * slowness),
        )
    }

    /// Mostly the host's favourite server of the service, else a popular one.
    fn server(&self, workstation: usize, service: usize, random: &mut Random) -> u32 {
        let inside = SERVICES[service].inside;
        let pool = if inside { SERVERS } else { OUTSIDE_SERVERS };
        let number = if random.chance(0.7) {
            let pair = (workstation * SERVICES.len() + service) as u64;
            (mix(self.seed ^ mix(pair)) % u64::from(pool)) as u32
        } else {
            (f64::from(pool) * random.uniform() * random.uniform()) as u32
        };
        if inside { server(service as u32, number) } else { outside_server(number) }
    }
}

impl Connection {
    /// A connection that moved `bytes` in packets of about `packet` bytes within `seconds`.
    /// A lone packet takes no time.
    pub(super) fn transfer(self, bytes: f64, packet: f64, seconds: f64) -> Self {
        // An answered TCP connection opens and closes: at least 5 packets of 52 bytes.
        let fewest = if self.protocol == Protocol::Tcp { 5.0 } else { 1.0 };
        let bytes = libm::round(bytes.max(52.0 * fewest));
        let packets = libm::ceil(bytes / packet).max(fewest);
        let seconds = if packets > 1.0 { seconds.min(MAX_SECONDS) } else { 0.0 };
        Self {
            bytes: bytes as i64,
            packets: packets as i64,
            duration: libm::round(seconds * 1e6) / 1e6,
            ..self
        }
    }

    /// A TCP connection that nobody answered: one opening packet, or a few tries.
    pub(super) fn unanswered(self, random: &mut Random) -> Self {
        let tries = [1, 1, 2, 3][random.below(4) as usize];
        // Retries wait 1 s, then 2 s more.
        let seconds = f64::from((1_u32 << (tries - 1)) - 1) + random.between(0.0, 0.01);
        let bytes = tries * [40, 44, 52, 60][random.below(4) as usize];
        Self {
            bytes,
            packets: tries,
            duration: if tries > 1 { libm::round(seconds * 1e6) / 1e6 } else { 0.0 },
            ..self
        }
    }
}

/// A port that a client picks.
pub(super) fn ephemeral_port(random: &mut Random) -> u16 {
    32_768 + random.below(28_232) as u16
}

/// Address of a workstation, 10.20.x.y.
pub(super) fn workstation(number: u32) -> u32 {
    0x0A14_000A + (number / 200) * 256 + number % 200
}

/// Address of an inside server, 10.10.x.y.
fn server(service: u32, number: u32) -> u32 {
    0x0A0A_000A + service * 256 + number
}

/// Address of any inside server.
pub(super) fn any_server(random: &mut Random) -> u32 {
    server(random.below(SERVICES.len() as u32), random.below(SERVERS))
}

/// Address of a server outside that many use, 198.18.x.y.
fn outside_server(number: u32) -> u32 {
    0xC612_0000 + 97 * number + 13
}

/// Address of a host outside that few know, 203.0.113.x.
pub(super) fn rare_host(random: &mut Random) -> u32 {
    0xCB00_7101 + random.below(254)
}

/// A forged source address, 198.19.x.y.
pub(super) fn forged_source(random: &mut Random) -> u32 {
    0xC613_0000 + random.below(65_536)
}
