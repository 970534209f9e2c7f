//! TCP flags as sensors write them.

use core::ops::BitOr;

/// A set of the flags of TCP (RFC 9293, section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TcpFlags(u8);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: Self = Self(0x01);
    /// Synchronise sequence numbers: a connection is asked for or granted.
    pub const SYN: Self = Self(0x02);
    /// Reset the connection.
    pub const RST: Self = Self(0x04);
    /// Push.
    pub const PSH: Self = Self(0x08);
    /// The acknowledgement number counts.
    pub const ACK: Self = Self(0x10);
    /// The urgent pointer counts.
    pub const URG: Self = Self(0x20);
    /// Echo of explicit congestion notification.
    pub const ECE: Self = Self(0x40);
    /// Congestion window reduced.
    pub const CWR: Self = Self(0x80);

    /// Name and flag, from the lowest bit up.
    pub const ALL: [(&'static str, Self); 8] = [
        ("fin", Self::FIN),
        ("syn", Self::SYN),
        ("rst", Self::RST),
        ("psh", Self::PSH),
        ("ack", Self::ACK),
        ("urg", Self::URG),
        ("ece", Self::ECE),
        ("cwr", Self::CWR),
    ];

    /// Reads the bits as in the header. The bits above, data offset and reserved, are ignored;
    /// None for a number that has more than 16 bits or is negative.
    pub fn from_bits(bits: i64) -> Option<Self> {
        u16::try_from(bits).ok().map(|bits| Self(bits as u8))
    }

    /// Reads a text: `0x` and hexadecimal digits; the letters FSRPAUEC with dots for flags that
    /// are not set, as nfdump writes them; the same for source and destination with `_` between,
    /// as Argus does, for the flags of both; or else the history of a connection as in Zeek.
    /// None for other text.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(digits) = text.strip_prefix("0x") {
            return Self::parse_hexadecimal(digits);
        }
        match text.split_once('_') {
            Some((source, destination)) => {
                Some(Self::parse_letters(source)? | Self::parse_letters(destination)?)
            }
            None if text.is_empty() => None,
            None => Self::parse_letters(text).or_else(|| Self::parse_history(text)),
        }
    }

    fn parse_hexadecimal(digits: &str) -> Option<Self> {
        let digits_only = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let bits = u16::from_str_radix(digits, 16).ok().filter(|_| digits_only)?;
        Self::from_bits(bits.into())
    }

    /// Reads letters and dots; no letters are no flags.
    pub(super) fn parse_letters(text: &str) -> Option<Self> {
        Self::union(text, |letter| {
            Some(match letter {
                b'F' => Self::FIN,
                b'S' => Self::SYN,
                b'R' => Self::RST,
                b'P' => Self::PSH,
                b'A' => Self::ACK,
                b'U' => Self::URG,
                b'E' => Self::ECE,
                b'C' => Self::CWR,
                b'.' => Self::default(),
                _ => return None,
            })
        })
    }

    /// Reads a history of Zeek, of which upper case is the originator and lower case the
    /// responder. It tells of SYN, ACK, FIN and RST alone.
    fn parse_history(text: &str) -> Option<Self> {
        Self::union(text, |letter| {
            Some(match letter.to_ascii_lowercase() {
                b's' | b'q' => Self::SYN,
                b'h' => Self::SYN | Self::ACK,
                b'a' => Self::ACK,
                b'f' => Self::FIN,
                b'r' => Self::RST,
                // Data, checksum, gap, retransmission, window, FIN or RST, turned, partial.
                b'd' | b'c' | b'g' | b't' | b'w' | b'i' | b'^' | b'x' => Self::default(),
                _ => return None,
            })
        })
    }

    fn union(text: &str, read: impl Fn(u8) -> Option<Self>) -> Option<Self> {
        text.bytes().try_fold(Self::default(), |flags, letter| Some(flags | read(letter)?))
    }

    /// Whether all of the other flags are set.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of the other flags is set.
    pub fn has_any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether no flag is set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl BitOr for TcpFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
