//! `port_class(port)`.

use datafusion::arrow::array::StringViewArray;
use datafusion::arrow::datatypes::DataType;

use super::row_function::{Accepts, RowFunction};
use crate::doc::{Argument, FunctionDoc, Kind};
use crate::network::PortClass;

const PORT: Argument = Argument {
    name: "port",
    types: "an integer",
    description: "A port number, 0 to 65535. For text, `TRY_CAST(port AS INT)`.",
};

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: "port_class",
    kind: Kind::Scalar,
    summary: "The range that a port number is in.",
    syntax: "port_class(port)",
    arguments: &[PORT],
    returns: "VARCHAR: `system` (0 to 1023, the well-known ports), `user` (1024 to 49151, \
              registered) or `dynamic` (49152 to 65535, taken by clients for a while).",
    nulls: "NULL for NULL, and for a number that is no port.",
    empty: "No rows in, no rows out.",
    errors: "A wrong number or type of arguments.",
    determinism: "Depends on the argument alone.",
    cost: "Two comparisons.",
    example: "SELECT port, port_class(port) FROM (VALUES (443), (8080), (50123), (-1)) AS t(port)",
    example_result: "443 system\n8080 user\n50123 dynamic\n-1 NULL",
    source: "RFC 6335, Cotton et al. 2011, section 6",
    related: &["community_id", "conn_state"],
    since: "0.1.0",
};

/// The SQL function.
pub(crate) fn function() -> RowFunction {
    RowFunction::new(&DOC, &[Accepts::Integer], DataType::Utf8View, |args| {
        let classes = args.integers(0, PortClass::of)?;
        Ok(args.collect::<_, StringViewArray>(|row| classes.at(row).map(PortClass::as_str)))
    })
}
