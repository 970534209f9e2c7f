//! `ip_prefix(address, v4_bits [, v6_bits])`.

use datafusion::arrow::array::StringViewArray;
use datafusion::arrow::datatypes::DataType;

use super::ip_version::{ADDRESS, NULL_ADDRESS};
use super::row_function::{Accepts, RowFunction, Values};
use crate::doc::{Argument, FunctionDoc, Kind};
use crate::network::{self, Cidr, DEFAULT_V6_BITS, v4_bits, v6_bits};

const V4_BITS: Argument = Argument {
    name: "v4_bits",
    types: "an integer",
    description: "How many leading bits of an IPv4 address name its network, 0 to 32.",
};

const V6_BITS: Argument = Argument {
    name: "v6_bits",
    types: "an integer",
    description: "How many leading bits of an IPv6 address name its network, 0 to 128; 64, a \
                  subnet, where not given.",
};

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: "ip_prefix",
    kind: Kind::Scalar,
    summary: "The network around an address, to group addresses by.",
    syntax: "ip_prefix(address, v4_bits [, v6_bits])",
    arguments: &[ADDRESS, V4_BITS, V6_BITS],
    returns: "VARCHAR in the one canonical form of each network: `10.1.2.0/24`, `2001:db8::/64`. \
              `ip_in_cidr` takes it.",
    nulls: NULL_ADDRESS,
    empty: "No rows in, no rows out.",
    errors: "A number of bits outside its range: while planning where it is a literal, else while \
             running. A wrong number or type of arguments.",
    determinism: "Depends on the arguments alone.",
    cost: "One pass over the text, and writing the network.",
    example: "SELECT address, ip_prefix(address, 24), ip_prefix(address, 16, 48) FROM (VALUES \
              ('10.1.2.3'), ('2001:db8:7:8:9::1')) AS t(address)",
    example_result: "10.1.2.3 10.1.2.0/24 10.1.0.0/16\n2001:db8:7:8:9::1 2001:db8:7:8::/64 \
                     2001:db8:7::/48",
    source: "RFC 4632, Fuller, Li 2006, section 3.1; text of IPv6 as RFC 5952, Kawamura, Kawashima \
             2010",
    related: &["ip_in_cidr", "ip_version"],
    since: "0.1.0",
};

/// The SQL function.
pub(crate) fn function() -> RowFunction {
    let accepts = &[Accepts::Text, Accepts::Integer, Accepts::Integer];
    RowFunction::new(&DOC, accepts, DataType::Utf8View, |args| {
        let addresses = args.texts(0, network::address)?;
        let v4 = args.try_integers(1, |bits| v4_bits(bits).map(Some))?;
        let v6 = match args.len() {
            3 => args.try_integers(2, |bits| v6_bits(bits).map(Some))?,
            _ => Values::Literal(Some(DEFAULT_V6_BITS)),
        };
        Ok(args.collect::<_, StringViewArray>(|row| {
            Some(Cidr::of(addresses.at(row)?, v4.at(row)?, v6.at(row)?).to_string())
        }))
    })
    .optional(1)
    .check(|literals| {
        literals.integer(1).map_or(Ok(0), v4_bits)?;
        literals.integer(2).map_or(Ok(0), v6_bits)?;
        Ok(())
    })
}
