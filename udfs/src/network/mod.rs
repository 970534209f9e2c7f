//! What network events hold: addresses, networks, ports, flags and connection states.
//!
//! Pure functions over text and numbers. Logs hold blanks, MAC addresses and dashes where an
//! address or a state should be, so text that is none gives None. What the author of a query
//! writes, a network or a prefix length, is checked, and gives a [`NetworkError`].

mod address;
mod cidr;
mod community_id;
mod conn_state;
mod entropy;
mod port;
mod tcp_flags;

pub use address::{address, is_private, version};
pub use cidr::{Cidr, DEFAULT_V6_BITS, v4_bits, v6_bits};
pub use community_id::{Flow, Protocol, community_id, seed};
pub use conn_state::ConnState;
pub use entropy::{shannon_entropy, shannon_entropy_of_bytes};
pub use port::PortClass;
pub use tcp_flags::TcpFlags;

/// An argument that the author of the query has to correct.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// The text is no network.
    #[error(
        "expected a network in CIDR notation, got '{got}'; hint: an address and its number of \
         leading bits, as '10.0.0.0/8', '2001:db8::/32', or '192.0.2.7/32' for one address"
    )]
    NotCidr {
        /// The text.
        got: String,
    },
    /// A number is outside its range.
    #[error("`{argument}` must be in 0..={max}, got {got}")]
    OutOfRange {
        /// The argument.
        argument: &'static str,
        /// The largest number allowed.
        max: u16,
        /// The number.
        got: i64,
    },
}

/// The number where it is in `0..=max`.
fn in_range(argument: &'static str, got: i64, max: u16) -> Result<u16, NetworkError> {
    match u16::try_from(got) {
        Ok(number) if number <= max => Ok(number),
        _ => Err(NetworkError::OutOfRange { argument, max, got }),
    }
}

#[cfg(test)]
mod tests;
