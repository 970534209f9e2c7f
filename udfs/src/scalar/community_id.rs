//! `community_id(src_ip, src_port, dst_ip, dst_port, protocol [, seed])`.

use datafusion::arrow::array::StringViewArray;
use datafusion::arrow::datatypes::DataType;

use super::row_function::{Accepts, RowFunction, Values};
use crate::doc::{Argument, FunctionDoc, Kind};
use crate::network::{self, Flow, Protocol};

const SRC_IP: Argument = Argument {
    name: "src_ip",
    types: "VARCHAR",
    description: "Address of the source; IPv4-mapped IPv6 is IPv4.",
};

const SRC_PORT: Argument = Argument {
    name: "src_port",
    types: "an integer",
    description: "Port of the source; of ICMP the type of the message, as in Zeek's `id.orig_p`. \
                  Not read for protocols without ports.",
};

const DST_IP: Argument =
    Argument { name: "dst_ip", types: "VARCHAR", description: "Address of the destination." };

const DST_PORT: Argument = Argument {
    name: "dst_port",
    types: "an integer",
    description: "Port of the destination; of ICMP the code of the message, as in Zeek's \
                  `id.resp_p`. Not read for protocols without ports.",
};

const PROTOCOL: Argument = Argument {
    name: "protocol",
    types: "VARCHAR or an integer",
    description: "A protocol number, or a name in any case: `tcp`, `udp`, `icmp` (with IPv6 \
                  addresses ICMPv6), `icmp6`, `icmpv6`, `ipv6-icmp`, `sctp`, `igmp`, `rsvp`, \
                  `gre`, `esp`, `ah`, `eigrp`, `ospf`, `pim`, `vrrp`; `rtp` and `rtcp` are UDP.",
};

const SEED: Argument = Argument {
    name: "seed",
    types: "an integer",
    description: "0 to 65535, to keep the flows of networks with the same addresses apart; 0 where \
                  not given.",
};

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: "community_id",
    kind: Kind::Scalar,
    summary: "Community ID of a flow, version 1: the same text in both directions, and in Zeek, \
              Suricata, Arkime and all else that implements it, to join their records by.",
    syntax: "community_id(src_ip, src_port, dst_ip, dst_port, protocol [, seed])",
    arguments: &[SRC_IP, SRC_PORT, DST_IP, DST_PORT, PROTOCOL, SEED],
    returns: "VARCHAR: `1:` and 28 characters of base64, the SHA-1 of seed, addresses, protocol \
              and ports. Ports count for TCP, UDP, SCTP, ICMP and ICMPv6; the type of an ICMP \
              message stands with the type that answers it, or, where none does, with its code \
              and direction.",
    nulls: "NULL where an address, the protocol or the seed is NULL; where a port is and the \
            protocol has ports; for text that is no address or no known protocol, a number that is \
            no port or no protocol, and addresses of different versions.",
    empty: "No rows in, no rows out.",
    errors: "A seed outside its range: while planning where it is a literal, else while running. A \
             wrong number or type of arguments.",
    determinism: "Depends on the arguments alone.",
    cost: "One SHA-1 of 18 to 42 bytes.",
    example: "SELECT community_id('128.232.110.120', 34855, '66.35.250.204', 80, 'tcp'), \
              community_id('66.35.250.204', 80, '128.232.110.120', 34855, 6)",
    example_result: "1:LQU9qZlK+B5F3KDmev6m5PMibrg= 1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
    source: "Community ID Flow Hashing, version 1, Corelight, \
             <https://github.com/corelight/community-id-spec>",
    related: &["conn_state", "port_class", "ip_version"],
    since: "0.1.0",
};

/// The SQL function.
pub(crate) fn function() -> RowFunction {
    let accepts = &[
        Accepts::Text,
        Accepts::Integer,
        Accepts::Text,
        Accepts::Integer,
        Accepts::TextOrInteger,
        Accepts::Integer,
    ];
    RowFunction::new(&DOC, accepts, DataType::Utf8View, |args| {
        let sources = args.texts(0, network::address)?;
        let source_ports = args.integers(1, |port| u16::try_from(port).ok())?;
        let destinations = args.texts(2, network::address)?;
        let destination_ports = args.integers(3, |port| u16::try_from(port).ok())?;
        let protocols = if args.data_type(4)?.is_integer() {
            args.integers(4, Protocol::from_number)?
        } else {
            args.texts(4, Protocol::parse)?
        };
        let seeds = match args.len() {
            6 => args.try_integers(5, |seed| network::seed(seed).map(Some))?,
            _ => Values::Literal(Some(0)),
        };
        Ok(args.collect::<_, StringViewArray>(|row| {
            let flow = Flow {
                source: sources.at(row)?,
                source_port: source_ports.at(row),
                destination: destinations.at(row)?,
                destination_port: destination_ports.at(row),
                protocol: protocols.at(row)?,
            };
            network::community_id(&flow, seeds.at(row)?)
        }))
    })
    .optional(1)
    .not_strict()
    .check(|literals| literals.integer(5).map_or(Ok(()), |seed| network::seed(seed).map(drop)))
}
