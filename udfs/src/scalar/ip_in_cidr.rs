//! `ip_in_cidr(address, cidr)`.

use datafusion::arrow::array::BooleanArray;
use datafusion::arrow::datatypes::DataType;

use super::ip_version::{ADDRESS, NULL_ADDRESS};
use super::row_function::{Accepts, RowFunction};
use crate::doc::{Argument, FunctionDoc, Kind};
use crate::network::{self, Cidr};

const CIDR: Argument = Argument {
    name: "cidr",
    types: "VARCHAR",
    description: "A network: an address, a slash, the number of leading bits: `10.0.0.0/8`, \
                  `2001:db8::/32`. Further bits of the address count for nothing. \
                  `::ffff:10.0.0.0/104` is `10.0.0.0/8`.",
};

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: "ip_in_cidr",
    kind: Kind::Scalar,
    summary: "Tells whether an address is in a network.",
    syntax: "ip_in_cidr(address, cidr)",
    arguments: &[ADDRESS, CIDR],
    returns: "BOOLEAN; false where one is IPv4 and the other IPv6.",
    nulls: NULL_ADDRESS,
    empty: "No rows in, no rows out.",
    errors: "Text that is no network: while planning where it is a literal, else while running. A \
             wrong number or type of arguments.",
    determinism: "Depends on the arguments alone.",
    cost: "One pass over each text. A literal network is read once per batch.",
    example: "SELECT address, ip_in_cidr(address, '147.32.0.0/16') FROM (VALUES ('147.32.84.165'), \
              ('147.33.1.1'), ('2001:db8::1'), ('unknown')) AS t(address)",
    example_result: "147.32.84.165 true\n147.33.1.1 false\n2001:db8::1 false\nunknown NULL",
    source: "RFC 4632, Fuller, Li 2006, section 3.1; RFC 4291, section 2.3",
    related: &["ip_prefix", "ip_is_private", "ip_version"],
    since: "0.1.0",
};

/// The SQL function.
pub(crate) fn function() -> RowFunction {
    RowFunction::new(&DOC, &[Accepts::Text, Accepts::Text], DataType::Boolean, |args| {
        let addresses = args.texts(0, network::address)?;
        let networks = args.try_texts(1, |text| text.parse::<Cidr>().map(Some))?;
        Ok(args
            .collect::<_, BooleanArray>(|row| Some(networks.at(row)?.contains(addresses.at(row)?))))
    })
    .check(|literals| literals.text(1).map_or(Ok(()), |text| text.parse::<Cidr>().map(drop)))
}
