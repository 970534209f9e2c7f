//! `shannon_entropy(value)`.

use datafusion::arrow::array::Float64Array;
use datafusion::arrow::datatypes::DataType;

use super::row_function::{Accepts, RowFunction};
use crate::doc::{Argument, FunctionDoc, Kind};
use crate::network;

const VALUE: Argument = Argument {
    name: "value",
    types: "VARCHAR or BINARY",
    description: "Text, of which the characters (Unicode scalar values) are counted, or BINARY, \
                  of which the bytes are. Case counts: use `lower` for names.",
};

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: "shannon_entropy",
    kind: Kind::Scalar,
    summary: "Shannon entropy of a text or bytes: how evenly it uses its characters. Names made by \
              machines, encoded and encrypted data have more of it than words.",
    syntax: "shannon_entropy(value)",
    arguments: &[VALUE],
    returns: "DOUBLE, bits per character or byte: from 0, where all are the same, to log2(n) for n \
              that all differ; at most 8 for bytes.",
    nulls: "NULL for NULL.",
    empty: "0 for empty text. No rows in, no rows out.",
    errors: "A wrong number or type of arguments.",
    determinism: "Depends on the argument alone, and not on the order of its characters: the same \
                  bits on every machine.",
    cost: "One pass over ASCII and BINARY; other text is sorted.",
    example: "SELECT name, round(shannon_entropy(name), 3) FROM (VALUES ('aaaa'), ('google'), \
              ('xjw9k2qzp4')) AS t(name)",
    example_result: "aaaa 0.0\ngoogle 1.918\nxjw9k2qzp4 3.322",
    source: "Shannon 1948, A mathematical theory of communication, section 6",
    related: &["ip_version", "port_class"],
    since: "0.1.0",
};

/// The SQL function.
pub(crate) fn function() -> RowFunction {
    RowFunction::new(&DOC, &[Accepts::TextOrBinary], DataType::Float64, |args| {
        let entropies = if args.data_type(0)?.is_binary() {
            args.bytes(0, |bytes| Some(network::shannon_entropy_of_bytes(bytes)))?
        } else {
            args.texts(0, |text| Some(network::shannon_entropy(text)))?
        };
        Ok(args.collect::<_, Float64Array>(|row| entropies.at(row)))
    })
}
