//! Networks in CIDR notation (RFC 4632, RFC 4291 section 2.3).

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use super::address::{mask_v4, mask_v6};
use super::{NetworkError, in_range};

/// The length of the prefix for an IPv6 address where none is given: its subnet (RFC 4291,
/// section 2.5.4).
pub const DEFAULT_V6_BITS: u16 = 64;

/// The bits before the IPv4 address in an IPv4-mapped one.
const MAPPED_BITS: u32 = 96;

/// All addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    /// The lowest address: the bits after the prefix are zero.
    first: IpAddr,
    length: u32,
}

impl Cidr {
    /// The network of an address, as [`super::address()`] gives it, by its leading bits: as many as
    /// [`v4_bits`] or [`v6_bits`] allowed.
    pub fn of(address: IpAddr, v4_bits: u16, v6_bits: u16) -> Self {
        Self::around(address, if address.is_ipv4() { v4_bits } else { v6_bits }.into())
    }

    /// The network around an address. A length beyond the bits of the address is all of them.
    fn around(address: IpAddr, length: u32) -> Self {
        match address {
            IpAddr::V4(address) => Self {
                first: Ipv4Addr::from_bits(address.to_bits() & mask_v4(length)).into(),
                length: length.min(Ipv4Addr::BITS),
            },
            IpAddr::V6(address) => Self {
                first: Ipv6Addr::from_bits(address.to_bits() & mask_v6(length)).into(),
                length: length.min(Ipv6Addr::BITS),
            },
        }
    }

    /// Whether the network has an address, as [`super::address()`] gives it. IPv4 and IPv6 never
    /// have each other's addresses.
    pub fn contains(&self, address: IpAddr) -> bool {
        Self::around(address, self.length) == *self
    }
}

/// The canonical text, as `10.1.2.0/24` or `2001:db8::/32` (RFC 5952).
impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.length)
    }
}

/// Reads `address/length`. Bits of the address after the prefix are allowed and dropped; a
/// network of IPv4-mapped addresses is the IPv4 network in it.
impl FromStr for Cidr {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        parse(text).ok_or_else(|| NetworkError::NotCidr { got: text.to_string() })
    }
}

fn parse(text: &str) -> Option<Cidr> {
    let (address, length) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let canonical = length == "0" || !length.starts_with(['0', '+']);
    let length: u32 = length.parse().ok().filter(|_| canonical)?;
    let (bits, mapped) = match address {
        IpAddr::V4(_) => (Ipv4Addr::BITS, None),
        IpAddr::V6(address) => (Ipv6Addr::BITS, address.to_ipv4_mapped()),
    };
    if length > bits {
        return None;
    }
    Some(match mapped {
        Some(mapped) if length >= MAPPED_BITS => Cidr::around(mapped.into(), length - MAPPED_BITS),
        _ => Cidr::around(address, length),
    })
}

/// The length of the prefix for an IPv4 address, if it is in `0..=32`.
pub fn v4_bits(bits: i64) -> Result<u16, NetworkError> {
    in_range("v4_bits", bits, 32)
}

/// The length of the prefix for an IPv6 address, if it is in `0..=128`.
pub fn v6_bits(bits: i64) -> Result<u16, NetworkError> {
    in_range("v6_bits", bits, 128)
}
