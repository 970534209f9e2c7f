//! `tcp_flags(flags)`.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanArray, StructArray};
use datafusion::arrow::datatypes::{DataType, Field, Fields};

use super::row_function::{Accepts, RowFunction};
use crate::doc::{Argument, FunctionDoc, Kind};
use crate::network::TcpFlags;

const FLAGS: Argument = Argument {
    name: "flags",
    types: "VARCHAR or an integer",
    description: "An integer of 16 bits as in the header, FIN the lowest; or text, the first of: \
                  `0x` and hexadecimal digits; the letters FSRPAUEC and dots, as nfdump writes \
                  (`...AP.SF`); two such with `_` between, as Argus does for source and \
                  destination (`S_SA`); the history of Zeek (`ShADadFf`).",
};

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: "tcp_flags",
    kind: Kind::Scalar,
    summary: "The TCP flags seen, from any of the ways that sensors write them.",
    syntax: "tcp_flags(flags)",
    arguments: &[FLAGS],
    returns: "STRUCT of BOOLEAN `fin`, `syn`, `rst`, `psh`, `ack`, `urg`, `ece`, `cwr`: whether the \
              flag was set. Of two sides, by either: for one, `tcp_flags(split_part(state, '_', \
              1))`. A history tells of `syn`, `ack`, `fin` and `rst` alone, the others are false; \
              its `C`, a bad checksum, is read as `cwr` where all its letters are among FSRPAUEC.",
    nulls: "NULL for NULL, for empty and for any other text, and for a number that has more than 16 \
            bits. Digits without `0x` are other text: some write them decimal, some hexadecimal.",
    empty: "`_`, and dots alone, are no flag. No rows in, no rows out.",
    errors: "A wrong number or type of arguments.",
    determinism: "Depends on the argument alone.",
    cost: "One pass over the text.",
    example: "SELECT flags, f['syn'], f['ack'], f['fin'] FROM (SELECT flags, tcp_flags(flags) AS f \
              FROM (VALUES ('S_SA'), ('...A..SF'), ('0x02'), ('ShADadFf'), ('CON')) AS t(flags))",
    example_result: "S_SA true true false\n...A..SF true true true\n0x02 true false \
                     false\nShADadFf true true true\nCON NULL NULL NULL",
    source: "RFC 9293, Eddy 2022, section 3.1; the manuals of nfdump and of ra (Argus, option -Z); \
             conn.log of Zeek, field history",
    related: &["conn_state"],
    since: "0.1.0",
};

/// The SQL function.
pub(crate) fn function() -> RowFunction {
    let returns = DataType::Struct(fields());
    RowFunction::new(&DOC, &[Accepts::TextOrInteger], returns, |args| {
        let sets = if args.data_type(0)?.is_integer() {
            args.integers(0, TcpFlags::from_bits)?
        } else {
            args.texts(0, TcpFlags::parse)?
        };
        let column = |(_, flag)| -> ArrayRef {
            args.collect::<_, BooleanArray>(|row| Some(sets.at(row)?.has(flag)))
        };
        let columns: Vec<ArrayRef> = TcpFlags::ALL.into_iter().map(column).collect();
        let valid = columns.first().and_then(|column| column.nulls().cloned());
        Ok(Arc::new(StructArray::try_new(fields(), columns, valid)?))
    })
}

fn fields() -> Fields {
    TcpFlags::ALL.iter().map(|(name, _)| Field::new(*name, DataType::Boolean, true)).collect()
}
