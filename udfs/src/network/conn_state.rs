//! One vocabulary for the connection states of Zeek and Argus.

use super::TcpFlags;

/// How far a connection came, and how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnState {
    /// Something was asked for; no answer was seen.
    Attempt,
    /// The handshake was not completed, or only one side of the connection was seen.
    HalfOpen,
    /// Both sides spoke; no end was seen.
    Established,
    /// One side ended the connection; the other did not.
    HalfClosed,
    /// Both sides ended the connection.
    Closed,
    /// Refused: a reset in answer to the request, or a destination that cannot be reached.
    Rejected,
    /// Ended by a reset after it was answered.
    Reset,
    /// None of these: traffic from the middle of a connection, notices, timeouts.
    Other,
}

impl ConnState {
    /// Reads a state of Zeek (`S0`, `SF`), a state of Argus (`CON`, `URP`), or the flags of both
    /// sides as Argus writes them (`S_SA`). None for other text.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once('_') {
            None => Self::from_zeek(text).or_else(|| Self::from_argus(text)),
            Some((source, destination)) => {
                let source = TcpFlags::parse_letters(source)?;
                Some(Self::from_flags(source, TcpFlags::parse_letters(destination)?))
            }
        }
    }

    /// The `conn_state` of Zeek's conn.log, which NSL-KDD calls `flag`.
    fn from_zeek(state: &str) -> Option<Self> {
        Some(match state {
            "S0" => Self::Attempt,
            "S1" => Self::Established,
            "SF" => Self::Closed,
            "REJ" => Self::Rejected,
            "S2" | "S3" => Self::HalfClosed,
            "RSTO" | "RSTR" => Self::Reset,
            "SH" | "SHR" | "RSTOS0" | "RSTRH" => Self::HalfOpen,
            "OTH" => Self::Other,
            _ => return None,
        })
    }

    /// The `state` of Argus: of a transaction, or the type of an ICMP message.
    fn from_argus(state: &str) -> Option<Self> {
        Some(match state {
            "REQ" | "INT" => Self::Attempt,
            "ACC" | "EST" | "CON" | "RSP" => Self::Established,
            "FIN" | "CLO" => Self::Closed,
            "RST" => Self::Reset,
            "TIM" | "UNK" => Self::Other,
            // ICMP: requests, and the answers to them.
            "ECO" | "TST" | "IRQ" | "MAS" | "RTS" | "NRS" | "NNS" | "MRQ" | "WAY" | "DNQ" => {
                Self::Attempt
            }
            "ECR" | "TSR" | "IRR" | "MSR" | "RTA" | "NRA" | "NNA" | "MRP" | "IAH" | "DNP" => {
                Self::Established
            }
            // ICMP: the destination is unreachable.
            "UR" | "URN" | "URH" | "URP" | "URO" | "URS" | "URNU" | "URHU" | "URISO" | "URNPRO"
            | "URHPRO" | "URNTOS" | "URHTOS" | "URFIL" | "URPRE" | "URCUT" => Self::Rejected,
            // ICMP: notices. Too big to be forwarded (URF, PTB) is no refusal: the sender goes on
            // with smaller packets.
            "URF" | "PTB" | "SRC" | "RED" | "TXD" | "PAR" | "AHA" | "MHR" | "SEC" | "ROB"
            | "TRC" | "DCE" | "SKP" | "PHO" => Self::Other,
            _ => return None,
        })
    }

    /// What the flags that each side ever sent tell. Their order is lost.
    fn from_flags(source: TcpFlags, destination: TcpFlags) -> Self {
        if source.is_empty() || destination.is_empty() {
            return Self::from_one_side(source | destination);
        }
        let refused = |asking: TcpFlags, answering: TcpFlags| {
            asking.has(TcpFlags::SYN)
                && !asking.has_any(TcpFlags::PSH | TcpFlags::FIN)
                && answering.has(TcpFlags::RST)
                && !answering.has_any(TcpFlags::SYN | TcpFlags::FIN)
        };
        if refused(source, destination) || refused(destination, source) {
            return Self::Rejected;
        }
        let one_sided = |flag| source.has(flag) != destination.has(flag);
        let both = |flag| source.has(flag) && destination.has(flag);
        let unanswered = |side: TcpFlags| side.has(TcpFlags::SYN) && !side.has_any(TcpFlags::ACK);
        if both(TcpFlags::FIN) {
            // No FIN follows a reset, so the reset of a connection with two came after them.
            Self::Closed
        } else if (source | destination).has(TcpFlags::RST) {
            Self::Reset
        } else if one_sided(TcpFlags::FIN) {
            Self::HalfClosed
        } else if unanswered(source) || unanswered(destination) {
            Self::HalfOpen
        } else {
            Self::Established
        }
    }

    fn from_one_side(flags: TcpFlags) -> Self {
        if !flags.has(TcpFlags::SYN) {
            Self::Other
        } else if flags.has_any(TcpFlags::ACK | TcpFlags::FIN | TcpFlags::RST) {
            Self::HalfOpen
        } else {
            Self::Attempt
        }
    }

    /// Lower-case name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Attempt => "attempt",
            Self::HalfOpen => "half_open",
            Self::Established => "established",
            Self::HalfClosed => "half_closed",
            Self::Closed => "closed",
            Self::Rejected => "rejected",
            Self::Reset => "reset",
            Self::Other => "other",
        }
    }
}
