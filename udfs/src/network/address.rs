//! IP addresses, and which of them are private.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The address that the text is, or None.
///
/// IPv4 has four decimal parts without leading zeros, IPv6 is as in RFC 4291 without a zone. An
/// IPv4-mapped IPv6 address (`::ffff:192.0.2.7`) is the IPv4 address in it, since that is what
/// was on the wire: a dual-stack socket writes IPv4 peers so.
pub fn address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// 4 or 6.
pub fn version(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 4,
        IpAddr::V6(_) => 6,
    }
}

/// Whether an address, as [`address`] gives it, is in a block that the IANA special-purpose
/// address registries (RFC 6890) do not list as globally reachable. Multicast is not in those
/// registries, and so is not private.
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            inside_v4(address, &PRIVATE_V4) && !inside_v4(address, &GLOBAL_IN_PRIVATE_V4)
        }
        IpAddr::V6(address) => {
            inside_v6(address, &PRIVATE_V6) && !inside_v6(address, &GLOBAL_IN_PRIVATE_V6)
        }
    }
}

/// A block of IPv4 addresses: its first address and number of leading bits.
type BlockV4 = ([u8; 4], u32);

const PRIVATE_V4: [BlockV4; 13] = [
    ([0, 0, 0, 0], 8),       // this network, RFC 791
    ([10, 0, 0, 0], 8),      // private use, RFC 1918
    ([100, 64, 0, 0], 10),   // shared address space of carriers, RFC 6598
    ([127, 0, 0, 0], 8),     // loopback, RFC 1122
    ([169, 254, 0, 0], 16),  // link-local, RFC 3927
    ([172, 16, 0, 0], 12),   // private use, RFC 1918
    ([192, 0, 0, 0], 24),    // IETF protocol assignments, RFC 6890
    ([192, 0, 2, 0], 24),    // documentation, RFC 5737
    ([192, 168, 0, 0], 16),  // private use, RFC 1918
    ([198, 18, 0, 0], 15),   // benchmarking, RFC 2544
    ([198, 51, 100, 0], 24), // documentation, RFC 5737
    ([203, 0, 113, 0], 24),  // documentation, RFC 5737
    ([240, 0, 0, 0], 4),     // reserved, RFC 1112, and limited broadcast, RFC 919
];

const GLOBAL_IN_PRIVATE_V4: [BlockV4; 2] = [
    ([192, 0, 0, 9], 32),  // Port Control Protocol anycast, RFC 7723
    ([192, 0, 0, 10], 32), // TURN anycast, RFC 8155
];

/// A block of IPv6 addresses: its first 64 bits, its last 64 bits, its number of leading bits.
type BlockV6 = (u64, u64, u32);

const PRIVATE_V6: [BlockV6; 12] = [
    (0, 0, 128),                    // unspecified, RFC 4291
    (0, 1, 128),                    // loopback, RFC 4291
    (0x0064_ff9b_0001_0000, 0, 48), // IPv4-IPv6 translation, RFC 8215
    (0x0100_0000_0000_0000, 0, 64), // discard only, RFC 6666
    (0x0100_0000_0000_0001, 0, 64), // dummy prefix, RFC 9780
    (0x2001_0000_0000_0000, 0, 23), // IETF protocol assignments, RFC 2928; Teredo is inside
    (0x2001_0db8_0000_0000, 0, 32), // documentation, RFC 3849
    (0x2002_0000_0000_0000, 0, 16), // 6to4, RFC 3056: not listed as reachable
    (0x3fff_0000_0000_0000, 0, 20), // documentation, RFC 9637
    (0x5f00_0000_0000_0000, 0, 16), // segment routing, RFC 9602
    (0xfc00_0000_0000_0000, 0, 7),  // unique local, RFC 4193
    (0xfe80_0000_0000_0000, 0, 10), // link-local, RFC 4291
];

const GLOBAL_IN_PRIVATE_V6: [BlockV6; 7] = [
    (0x2001_0001_0000_0000, 1, 128), // Port Control Protocol anycast, RFC 7723
    (0x2001_0001_0000_0000, 2, 128), // TURN anycast, RFC 8155
    (0x2001_0001_0000_0000, 3, 128), // DNS-SD anycast, RFC 9665
    (0x2001_0003_0000_0000, 0, 32),  // AMT, RFC 7450
    (0x2001_0004_0112_0000, 0, 48),  // AS112, RFC 7535
    (0x2001_0020_0000_0000, 0, 28),  // ORCHIDv2, RFC 7343
    (0x2001_0030_0000_0000, 0, 28),  // drone remote ID, RFC 9374
];

fn inside_v4(address: Ipv4Addr, blocks: &[BlockV4]) -> bool {
    let bits = address.to_bits();
    blocks.iter().any(|&(first, length)| bits & mask_v4(length) == u32::from_be_bytes(first))
}

fn inside_v6(address: Ipv6Addr, blocks: &[BlockV6]) -> bool {
    let bits = address.to_bits();
    blocks.iter().any(|&(high, low, length)| {
        bits & mask_v6(length) == u128::from(high) << 64 | u128::from(low)
    })
}

/// The mask of `length` leading bits, all of them from 32 on.
pub(super) fn mask_v4(length: u32) -> u32 {
    u32::MAX.checked_shr(length).map_or(u32::MAX, |host| !host)
}

/// The mask of `length` leading bits, all of them from 128 on.
pub(super) fn mask_v6(length: u32) -> u128 {
    u128::MAX.checked_shr(length).map_or(u128::MAX, |host| !host)
}
