//! Community ID: one name for a flow in all tools that saw it.
//!
//! <https://github.com/corelight/community-id-spec>, version 1.

use core::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use super::{NetworkError, in_range};

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP6: u8 = 58;
const SCTP: u8 = 132;

/// The ends of a flow and its protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    /// Address of the source, as [`super::address()`] gives it.
    pub source: IpAddr,
    /// Port of the source; of ICMP the type of the message.
    pub source_port: Option<u16>,
    /// Address of the destination.
    pub destination: IpAddr,
    /// Port of the destination; of ICMP the code of the message.
    pub destination_port: Option<u16>,
    /// What is over IP.
    pub protocol: Protocol,
}

/// The seed, if it is in `0..=65535`.
pub fn seed(seed: i64) -> Result<u16, NetworkError> {
    in_range("seed", seed, u16::MAX)
}

/// A protocol over IP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// The one with this number.
    Number(u8),
    /// ICMP for IPv4 and ICMPv6 for IPv6, which Zeek and Suricata call by one name.
    Icmp,
}

impl Protocol {
    /// Reads a protocol number; None where it is none.
    pub fn from_number(number: i64) -> Option<Self> {
        u8::try_from(number).ok().map(Self::Number)
    }

    /// Reads the name of a protocol in any case, or its number as text.
    pub fn parse(text: &str) -> Option<Self> {
        const NUMBERS: [(&str, u8); 18] = [
            ("tcp", TCP),
            ("udp", UDP),
            ("icmp6", ICMP6),
            ("icmpv6", ICMP6),
            ("icmp-v6", ICMP6),
            ("ipv6-icmp", ICMP6),
            ("sctp", SCTP),
            // What Argus recognises in the payload of UDP.
            ("rtp", UDP),
            ("rtcp", UDP),
            ("igmp", 2),
            ("rsvp", 46),
            ("gre", 47),
            ("esp", 50),
            ("ah", 51),
            ("eigrp", 88),
            ("ospf", 89),
            ("pim", 103),
            ("vrrp", 112),
        ];
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().ok().map(Self::Number);
        }
        if text.eq_ignore_ascii_case("icmp") {
            return Some(Self::Icmp);
        }
        let known = NUMBERS.iter().find(|(name, _)| text.eq_ignore_ascii_case(name));
        known.map(|&(_, number)| Self::Number(number))
    }

    fn number(self, address: IpAddr) -> u8 {
        match self {
            Self::Number(number) => number,
            Self::Icmp if address.is_ipv6() => ICMP6,
            Self::Icmp => ICMP,
        }
    }
}

/// The Community ID, as `1:` and 28 characters. None where a protocol with ports lacks one, or
/// the addresses have different versions.
pub fn community_id(flow: &Flow, seed: u16) -> Option<String> {
    let protocol = flow.protocol.number(flow.source);
    let mut ends = [(flow.source, 0), (flow.destination, 0)];
    let mut one_way = false;
    let has_ports = matches!(protocol, ICMP | TCP | UDP | ICMP6 | SCTP);
    if has_ports {
        let (source_port, mut destination_port) = (flow.source_port?, flow.destination_port?);
        let counterpart = match protocol {
            ICMP => icmp_counterpart(source_port),
            ICMP6 => icmp6_counterpart(source_port),
            _ => Some(destination_port),
        };
        match counterpart {
            Some(port) => destination_port = port,
            None => one_way = true,
        }
        ends = [(flow.source, source_port), (flow.destination, destination_port)];
    }
    if !one_way {
        ends.sort_unstable();
    }
    let [(first, first_port), (second, second_port)] = ends;
    let mut hash = Sha1::new();
    hash.update(seed.to_be_bytes());
    match (first, second) {
        (IpAddr::V4(first), IpAddr::V4(second)) => {
            hash.update(first.octets());
            hash.update(second.octets());
        }
        (IpAddr::V6(first), IpAddr::V6(second)) => {
            hash.update(first.octets());
            hash.update(second.octets());
        }
        _ => return None,
    }
    hash.update([protocol, 0]);
    if has_ports {
        hash.update(first_port.to_be_bytes());
        hash.update(second_port.to_be_bytes());
    }
    let mut id = String::with_capacity(30);
    id.push_str("1:");
    STANDARD.encode_string(hash.finalize(), &mut id);
    Some(id)
}

/// The type of ICMP message that answers, or is answered by, a type. None for one-way messages,
/// of which the code counts and the ends keep their order.
fn icmp_counterpart(icmp_type: u16) -> Option<u16> {
    Some(match icmp_type {
        0 => 8,
        8 => 0,
        9 => 10,
        10 => 9,
        13 => 14,
        14 => 13,
        15 => 16,
        16 => 15,
        17 => 18,
        18 => 17,
        _ => return None,
    })
}

/// As [`icmp_counterpart`], for ICMPv6.
fn icmp6_counterpart(icmp_type: u16) -> Option<u16> {
    Some(match icmp_type {
        128 => 129,
        129 => 128,
        130 => 131,
        131 => 130,
        133 => 134,
        134 => 133,
        135 => 136,
        136 => 135,
        139 => 140,
        140 => 139,
        144 => 145,
        145 => 144,
        _ => return None,
    })
}
