//! `ip_version(address)`.

use datafusion::arrow::array::Int32Array;
use datafusion::arrow::datatypes::DataType;

use super::row_function::{Accepts, RowFunction};
use crate::doc::{Argument, FunctionDoc, Kind};
use crate::network;

pub(super) const ADDRESS: Argument = Argument {
    name: "address",
    types: "VARCHAR",
    description: "An IPv4 address in four decimal parts, or an IPv6 address (RFC 4291) without a \
                  zone and brackets. An IPv4-mapped IPv6 address, `::ffff:192.0.2.7`, is the IPv4 \
                  address in it.",
};

pub(super) const NULL_ADDRESS: &str = "NULL for NULL, and for text that is no address: MAC \
                                       addresses, names, blanks, dashes.";

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: "ip_version",
    kind: Kind::Scalar,
    summary: "The version of an IP address. As it is NULL for other text, it also tells what is \
              an address.",
    syntax: "ip_version(address)",
    arguments: &[ADDRESS],
    returns: "INT: 4 or 6. An IPv4-mapped IPv6 address is 4: so dual-stack sockets write IPv4.",
    nulls: NULL_ADDRESS,
    empty: "No rows in, no rows out.",
    errors: "A wrong number or type of arguments.",
    determinism: "Depends on the argument alone.",
    cost: "One pass over the text.",
    example: "SELECT address, ip_version(address) FROM (VALUES ('10.0.0.1'), ('2001:db8::1'), \
              ('::ffff:10.0.0.1'), ('00:0c:29:fd:a0:08')) AS t(address)",
    example_result: "10.0.0.1 4\n2001:db8::1 6\n::ffff:10.0.0.1 4\n00:0c:29:fd:a0:08 NULL",
    source: "RFC 4291, Hinden, Deering 2006, sections 2.2 and 2.5.5.2",
    related: &["ip_is_private", "ip_in_cidr", "ip_prefix"],
    since: "0.1.0",
};

/// The SQL function.
pub(crate) fn function() -> RowFunction {
    RowFunction::new(&DOC, &[Accepts::Text], DataType::Int32, |args| {
        let addresses = args.texts(0, network::address)?;
        Ok(args.collect::<_, Int32Array>(|row| {
            addresses.at(row).map(|address| network::version(address).into())
        }))
    })
}
