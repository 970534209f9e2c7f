//! `ip_is_private(address)`.

use datafusion::arrow::array::BooleanArray;
use datafusion::arrow::datatypes::DataType;

use super::ip_version::{ADDRESS, NULL_ADDRESS};
use super::row_function::{Accepts, RowFunction};
use crate::doc::{FunctionDoc, Kind};
use crate::network;

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: "ip_is_private",
    kind: Kind::Scalar,
    summary: "Tells whether an address is not globally reachable: it can be the same address of \
              different hosts in different networks.",
    syntax: "ip_is_private(address)",
    arguments: &[ADDRESS],
    returns: "BOOLEAN: true where the IANA special-purpose registries do not list the address as \
              globally reachable. IPv4: `10/8`, `172.16/12`, `192.168/16` (RFC 1918), loopback \
              `127/8`, link-local `169.254/16`, carrier-grade NAT `100.64/10`, `0/8`, \
              `192.0.0/24` but for `192.0.0.9` and `192.0.0.10`, documentation `192.0.2/24`, \
              `198.51.100/24`, `203.0.113/24`, benchmarks `198.18/15`, reserved and broadcast \
              `240/4`. IPv6: unique local `fc00::/7` (RFC 4193), link-local `fe80::/10`, \
              loopback `::1`, `::`, `64:ff9b:1::/48`, `100::/64`, `100:0:0:1::/64`, `2001::/23` \
              (with Teredo) but for the anycast, AMT, AS112, ORCHIDv2 and drone blocks in it, \
              documentation `2001:db8::/32` and `3fff::/20`, 6to4 `2002::/16`, `5f00::/16`. \
              Multicast is false. For the networks of RFC 1918 alone use `ip_in_cidr`.",
    nulls: NULL_ADDRESS,
    empty: "No rows in, no rows out.",
    errors: "A wrong number or type of arguments.",
    determinism: "Depends on the argument alone; the registries are those of 2025.",
    cost: "One pass over the text, and up to 19 comparisons.",
    example: "SELECT address, ip_is_private(address) FROM (VALUES ('192.168.1.9'), ('8.8.8.8'), \
              ('fe80::1'), ('2606:4700::1'), ('::ffff:127.0.0.1')) AS t(address)",
    example_result: "192.168.1.9 true\n8.8.8.8 false\nfe80::1 true\n2606:4700::1 \
                     false\n::ffff:127.0.0.1 true",
    source: "RFC 6890, Cotton et al. 2013, and the IANA IPv4 and IPv6 special-purpose address \
             registries. As `not is_global` of Python's ipaddress, but for blocks that its version \
             does not know.",
    related: &["ip_in_cidr", "ip_version"],
    since: "0.1.0",
};

/// The SQL function.
pub(crate) fn function() -> RowFunction {
    RowFunction::new(&DOC, &[Accepts::Text], DataType::Boolean, |args| {
        let addresses = args.texts(0, network::address)?;
        Ok(args.collect::<_, BooleanArray>(|row| addresses.at(row).map(network::is_private)))
    })
}
