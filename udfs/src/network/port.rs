//! Port numbers.

/// The three ranges of port numbers (RFC 6335, section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortClass {
    /// 0 to 1023: assigned by IANA to services of the system, the well-known ports.
    System,
    /// 1024 to 49151: registered with IANA.
    User,
    /// 49152 to 65535: never assigned, taken for a while by whoever opens a connection.
    Dynamic,
}

impl PortClass {
    /// The range of a port; None for a number that is no port.
    pub fn of(port: i64) -> Option<Self> {
        match port {
            0..=1023 => Some(Self::System),
            1024..=49151 => Some(Self::User),
            49152..=65535 => Some(Self::Dynamic),
            _ => None,
        }
    }

    /// Lower-case name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Dynamic => "dynamic",
        }
    }
}
