//! Synthetic network events: one week of an office network's flows, labelled.
//!
//! Every event is a pure function of (seed, rows, event id), made from counter-based randomness
//! and floating-point operations that give the same bits on every machine. So any part of the
//! events can be made alone, in any order, by any number of threads, in constant memory.

mod campaign;
mod network;
mod random;
mod timeline;

use std::ops::Range;

use campaign::{Campaign, campaigns};
use network::Network;
use random::Random;
use timeline::Timeline;

/// Transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// Transmission control protocol.
    #[default]
    Tcp,
    /// User datagram protocol.
    Udp,
    /// Internet control message protocol, which has no ports.
    Icmp,
}

impl Protocol {
    /// Lower-case name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Icmp => "icmp",
        }
    }
}

/// A kind of attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Attack {
    /// One source tries many ports of many hosts.
    Scan,
    /// Very many connections to one port of one victim.
    Flood,
    /// Long and huge transfers to a rare outside host.
    Exfiltration,
    /// Small periodic calls to one outside host.
    Beacon,
    /// Repeated logins of similar size over ssh or rdp.
    BruteForce,
}

impl Attack {
    /// Lower-case name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scan => "scan",
            Self::Flood => "flood",
            Self::Exfiltration => "exfiltration",
            Self::Beacon => "beacon",
            Self::BruteForce => "brute_force",
        }
    }
}

/// Who talked to whom, and how much.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Connection {
    /// IPv4 address of the source, most significant byte first.
    pub src_ip: u32,
    /// Port of the source; None for ICMP.
    pub src_port: Option<u16>,
    /// IPv4 address of the destination, most significant byte first.
    pub dst_ip: u32,
    /// Port of the destination; None for ICMP.
    pub dst_port: Option<u16>,
    /// Transport protocol.
    pub protocol: Protocol,
    /// Seconds from the first to the last packet; 0 for one packet.
    pub duration: f64,
    /// Bytes in both directions, headers included.
    pub bytes: i64,
    /// Packets in both directions.
    pub packets: i64,
}

/// One labelled network event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flow {
    /// Position in the sequence, from 0.
    pub event_id: u64,
    /// Start in microseconds since 1970 (UTC); never less than that of the event before.
    pub timestamp: i64,
    /// Who talked to whom, and how much.
    pub connection: Connection,
    /// The kind of attack it belongs to; None for everyday traffic.
    pub attack: Option<Attack>,
}

/// Makes the events of one (seed, rows). A few hundred kilobytes, whatever the number of rows.
#[derive(Debug)]
pub struct Generator {
    seed: u64,
    rows: u64,
    network: Network,
    campaigns: Vec<Campaign>,
    timeline: Timeline,
}

impl Generator {
    /// A generator of `rows` events. The week, the network and the campaigns are those of the
    /// seed; more rows mean a higher rate of events.
    pub fn new(seed: u64, rows: u64) -> Self {
        let campaigns = campaigns(seed);
        let timeline = Timeline::new(&campaigns);
        Self { seed, rows, network: Network::new(seed), campaigns, timeline }
    }

    /// Number of events.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The events with these ids, in order. Ids at or above [`rows`](Self::rows) do not exist.
    pub fn flows(&self, event_ids: Range<u64>) -> impl Iterator<Item = Flow> + '_ {
        let end = event_ids.end.min(self.rows);
        let first = event_ids.start as f64 / self.rows as f64;
        let mut minute = self.timeline.minute(first);
        (event_ids.start..end).map(move |event_id| {
            let mut random = Random::new(self.seed, event_id);
            // One event per stratum of the cumulative mass: the order of ids is that of times.
            let position = (event_id as f64 + random.uniform()) / self.rows as f64;
            minute = self.timeline.minute_from(minute, position);
            let campaign = self.timeline.campaign(minute, random.uniform());
            let campaign = campaign.map(|number| &self.campaigns[number]);
            Flow {
                event_id,
                timestamp: self.timeline.microseconds(minute, position),
                connection: match campaign {
                    Some(campaign) => campaign.connection(&mut random),
                    None => self.network.benign(&mut random),
                },
                attack: campaign.map(|campaign| campaign.kind),
            }
        })
    }
}

#[cfg(test)]
mod tests;
