//! `conn_state(state)`.

use datafusion::arrow::array::StringViewArray;
use datafusion::arrow::datatypes::DataType;

use super::row_function::{Accepts, RowFunction};
use crate::doc::{Argument, FunctionDoc, Kind};
use crate::network::ConnState;

const STATE: Argument = Argument {
    name: "state",
    types: "VARCHAR",
    description: "`conn_state` of Zeek, which NSL-KDD calls `flag`: `S0`, `SF`; or `State` of Argus: \
                  `CON`, `URP`, or the flags of source and destination, `S_SA`. Case counts.",
};

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: "conn_state",
    kind: Kind::Scalar,
    summary: "How far a connection came and how it ended, in one vocabulary for Zeek and Argus.",
    syntax: "conn_state(state)",
    arguments: &[STATE],
    returns: "VARCHAR, one of: `attempt`, asked and not answered (Zeek S0; Argus REQ, INT, ICMP \
              requests, SYN from one side); `half_open`, the handshake not completed or one side \
              not seen (SH, SHR, RSTOS0, RSTRH; a SYN never acknowledged, one side that did more \
              than SYN); `established`, both sides spoke and none ended it (S1; ACC, EST, CON, \
              RSP, ICMP replies); `half_closed`, one side ended it (S2, S3; FIN of one); `closed` \
              (SF; FIN, CLO, FIN of both, even with a reset, which came after them); `rejected` \
              (REJ; ICMP unreachable but URF, a reset in answer to SYN or SYN-ACK without data); \
              `reset` (RSTO, RSTR; RST, any other reset); `other` (OTH; TIM, UNK, other ICMP \
              messages, one side from the middle of a connection). Zeek says SF of UDP too, where \
              both sides spoke.",
    nulls: "NULL for NULL and for other text.",
    empty: "No rows in, no rows out.",
    errors: "A wrong number or type of arguments.",
    determinism: "Depends on the argument alone.",
    cost: "One pass over the text.",
    example: "SELECT state, conn_state(state) FROM (VALUES ('SF'), ('S0'), ('S_RA'), ('FSPA_FSPA'), \
              ('CON'), ('?')) AS t(state)",
    example_result: "SF closed\nS0 attempt\nS_RA rejected\nFSPA_FSPA closed\nCON established\n? NULL",
    source: "conn.log of Zeek, field conn_state; ra(1) of Argus, field state; RFC 9293, Eddy 2022, \
             section 3.5",
    related: &["tcp_flags", "community_id"],
    since: "0.1.0",
};

/// The SQL function.
pub(crate) fn function() -> RowFunction {
    RowFunction::new(&DOC, &[Accepts::Text], DataType::Utf8View, |args| {
        let states = args.texts(0, ConnState::parse)?;
        Ok(args.collect::<_, StringViewArray>(|row| states.at(row).map(ConnState::as_str)))
    })
}
