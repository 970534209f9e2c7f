use core::net::IpAddr;

use proptest::prelude::*;

use super::*;

/// The fixtures are written by `tests/fixtures/network/network.py`.
macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../tests/fixtures/network/", $name))
    };
}

fn at(text: &str) -> IpAddr {
    address(text).unwrap_or_else(|| panic!("no address: {text}"))
}

fn private(text: &str) -> bool {
    is_private(at(text))
}

#[test]
fn addresses_are_read_as_python_reads_them() {
    let cases = fixture!("addresses.csv");
    assert!(cases.lines().count() > 200);
    for case in cases.lines().skip(1) {
        let cells: Vec<&str> = case.split(',').collect();
        let [text, expected_version, expected_private, bits, network] = cells[..] else {
            panic!("not a case: {case}");
        };
        let Some(address) = address(text) else {
            assert_eq!(expected_version, "", "{case}");
            continue;
        };
        assert_eq!(version(address).to_string(), expected_version, "{case}");
        if !expected_private.is_empty() {
            assert_eq!(is_private(address).to_string(), expected_private, "{case}");
        }
        let bits = bits.parse().unwrap();
        assert_eq!(Cidr::of(address, bits, bits).to_string(), network, "{case}");
        assert!(network.parse::<Cidr>().unwrap().contains(address), "{case}");
    }
}

/// First and last address of each block, and the one before and after where that is outside all
/// blocks: from the IANA registries, of the blocks that versions of Python read differently.
#[test]
fn blocks_of_the_registries_have_their_edges() {
    for (inside, outside) in [
        (["192.0.0.0", "192.0.0.255"], ["191.255.255.255", "192.0.1.0"]),
        (["192.0.0.8", "192.0.0.11"], ["192.0.0.9", "192.0.0.10"]),
        (["64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"], ["64:ff9b::1", "64:ff9b:2::"]),
        (["100:0:0:1::", "100::1:ffff:ffff:ffff:ffff"], ["ff:ffff::", "100:0:0:2::"]),
        (["2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"], ["2000:ffff::", "2001:200::"]),
        (["2001:1::", "2001:1::4"], ["2001:1::1", "2001:1::3"]),
        (["2001:2:ffff::", "2001:4::"], ["2001:3::", "2001:3:ffff::"]),
        (["2001:4:111:ffff::", "2001:4:113::"], ["2001:4:112::", "2001:4:112:ffff::"]),
        (["2001:1f:ffff::", "2001:40::"], ["2001:20::", "2001:3f:ffff::"]),
        (["2002::", "2002:ffff::ffff"], ["2001:ffff::", "2003::"]),
        (["3fff::", "3fff:fff:ffff::"], ["3ffe:ffff::", "3fff:1000::"]),
        (["5f00::", "5f00:ffff::"], ["5eff:ffff::", "5f01::"]),
    ] {
        assert_eq!(inside.map(private), [true, true], "{inside:?}");
        assert_eq!(outside.map(private), [false, false], "{outside:?}");
    }
}

#[test]
fn mapped_addresses_are_the_ipv4_addresses_in_them() {
    assert_eq!(at("::ffff:10.1.2.3"), at("10.1.2.3"));
    assert_eq!(at("::ffff:a01:203"), at("10.1.2.3"));
    let network = |text: &str| text.parse::<Cidr>().unwrap().to_string();
    assert_eq!(network("::ffff:10.1.2.3/104"), "10.0.0.0/8");
    assert_eq!(network("::ffff:0:0/96"), "0.0.0.0/0");
    assert_eq!(network("::ffff:0:0/95"), "::fffe:0:0/95");
}

#[test]
fn a_network_has_an_address_and_a_length() {
    for text in [
        "",
        "/",
        "10.0.0.0",
        "10.0.0.0/",
        "/8",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/+8",
        "10.0.0.0/08",
        "10.0.0.0/8 ",
        "10.0.0/8",
        "10.0.0.0/8/8",
        "10.0.0.0/255.0.0.0",
        "::/129",
        "10.0.0.0/4294967304",
        "::/",
    ] {
        assert_eq!(text.parse::<Cidr>(), Err(NetworkError::NotCidr { got: text.to_string() }));
    }
    assert_eq!("10.1.2.3/0".parse::<Cidr>().unwrap().to_string(), "0.0.0.0/0");
    let all_v6: Cidr = "::/0".parse().unwrap();
    assert!(all_v6.contains(at("2001:db8::1")) && !all_v6.contains(at("10.0.0.1")));
}

#[test]
fn ids_are_those_of_the_reference_implementation() {
    let cases = fixture!("community_id.csv");
    assert!(cases.lines().count() > 100);
    for case in cases.lines().skip(1) {
        let cells: Vec<&str> = case.split(',').collect();
        let [source, source_port, destination, destination_port, protocol, seed, expected] =
            cells[..]
        else {
            panic!("not a case: {case}");
        };
        let flow = Flow {
            source: at(source),
            source_port: source_port.parse().ok(),
            destination: at(destination),
            destination_port: destination_port.parse().ok(),
            protocol: Protocol::parse(protocol).unwrap(),
        };
        let id = community_id(&flow, seed.parse().unwrap());
        assert_eq!(id.as_deref(), Some(expected), "{case}");
    }
}

#[test]
fn protocols_have_names_and_numbers() {
    let number = |number| Some(Protocol::Number(number));
    assert_eq!(Protocol::parse("TCP"), number(6));
    assert_eq!(Protocol::parse("ipv6-icmp"), number(58));
    assert_eq!(Protocol::parse("132"), number(132));
    assert_eq!(Protocol::parse("Icmp"), Some(Protocol::Icmp));
    for text in ["", "256", "-1", "+6", "arp", "tcp "] {
        assert_eq!(Protocol::parse(text), None, "{text}");
    }
    assert_eq!(Protocol::from_number(6), number(6));
    assert_eq!((Protocol::from_number(-1), Protocol::from_number(256)), (None, None));
}

#[test]
fn icmp_is_of_the_version_of_the_addresses() {
    let flow = |source, destination, protocol| Flow {
        source: at(source),
        source_port: Some(8),
        destination: at(destination),
        destination_port: Some(0),
        protocol,
    };
    for (source, destination, number) in [("10.0.0.1", "10.0.0.2", 1), ("fe80::1", "ff02::1", 58)] {
        let named = community_id(&flow(source, destination, Protocol::Icmp), 0);
        let numbered = community_id(&flow(source, destination, Protocol::Number(number)), 0);
        assert!(named.is_some());
        assert_eq!(named, numbered);
    }
    assert_eq!(community_id(&flow("10.0.0.1", "ff02::1", Protocol::Icmp), 0), None);
}

#[test]
fn ports_are_needed_where_the_protocol_has_them() {
    let flow = |source_port, protocol| Flow {
        source: at("10.0.0.1"),
        source_port,
        destination: at("10.0.0.2"),
        destination_port: Some(53),
        protocol: Protocol::Number(protocol),
    };
    assert_eq!(community_id(&flow(None, 17), 0), None);
    assert_eq!(community_id(&flow(None, 47), 0), community_id(&flow(Some(9), 47), 0));
    assert!(community_id(&flow(None, 47), 0).is_some());
}

/// RFC 6335, section 6.
#[test]
fn ports_have_a_class() {
    for (first, last, class) in [
        (0, 1023, PortClass::System),
        (1024, 49151, PortClass::User),
        (49152, 65535, PortClass::Dynamic),
    ] {
        assert_eq!((PortClass::of(first), PortClass::of(last)), (Some(class), Some(class)));
    }
    assert_eq!((PortClass::of(-1), PortClass::of(65536)), (None, None));
    assert_eq!((PortClass::of(i64::MIN), PortClass::of(i64::MAX)), (None, None));
}

/// By hand: a half of each is 1 bit, four that differ are 2 bits; 3 of 4 and 1 of 4 are
/// 0.75 log2(4/3) + 0.25 log2(4) = 0.8112781244591328 bits.
#[test]
fn entropy_counts_characters() {
    for (text, expected) in [
        ("", 0.0),
        ("aaaaaaa", 0.0),
        ("abab", 1.0),
        ("abcd", 2.0),
        ("aaab", 0.8112781244591328),
        ("äöüß", 2.0),
        ("ßßßa", 0.8112781244591328),
    ] {
        assert!((shannon_entropy(text) - expected).abs() < 1e-15, "{text}");
    }
    let all: Vec<u8> = (0..=255).collect();
    assert_eq!((shannon_entropy_of_bytes(&all), shannon_entropy_of_bytes(&[])), (8.0, 0.0));
}

#[test]
fn flags_are_read_in_every_form() {
    use TcpFlags as F;
    let none = F::default();
    for (text, expected) in [
        ("S", F::SYN),
        ("FSRPAUEC", F::from_bits(255).unwrap()),
        ("........", none),
        ("...AP.SF", F::ACK | F::PSH | F::SYN | F::FIN),
        ("_", none),
        ("S_", F::SYN),
        ("S_RA", F::SYN | F::RST | F::ACK),
        ("SEC_", F::SYN | F::ECE | F::CWR),
        ("0x12", F::SYN | F::ACK),
        ("0xF12", F::SYN | F::ACK),
        ("ShADadFf", F::SYN | F::ACK | F::FIN),
        ("^hR", F::SYN | F::ACK | F::RST),
        ("Dd", none),
    ] {
        assert_eq!(F::parse(text), Some(expected), "{text}");
    }
    for text in ["", "-", "0x", "0x+1", "0x10000", "18", "CON", "S-A", "S_h", "S_A_F", "S A"] {
        assert_eq!(F::parse(text), None, "{text}");
    }
    assert_eq!((F::from_bits(0x5018), F::from_bits(0)), (Some(F::PSH | F::ACK), Some(none)));
    assert_eq!((F::from_bits(-1), F::from_bits(0x10000)), (None, None));
}

#[test]
fn flags_of_every_history_that_occurs_are_read() {
    let histories = fixture!("histories.txt");
    assert!(histories.lines().count() > 500);
    for history in histories.lines() {
        let flags = TcpFlags::parse(history).unwrap_or_else(|| panic!("{history}"));
        let has = |letters: [char; 2]| history.contains(letters);
        assert_eq!(flags.has(TcpFlags::FIN), has(['F', 'f']), "{history}");
        assert_eq!(flags.has(TcpFlags::RST), has(['R', 'r']), "{history}");
    }
}

/// Every state in CTU-13 (scenario 6) and three collections of Zeek logs, with the state that the
/// patterns of the script give.
#[test]
fn every_state_that_occurs_has_its_name() {
    let cases = fixture!("conn_states.csv");
    assert!(cases.lines().count() > 200);
    for case in cases.lines().skip(1) {
        let (state, expected) = case.split_once(',').unwrap();
        assert_eq!(ConnState::parse(state).map(ConnState::as_str), Some(expected), "{state}");
    }
}

#[test]
fn states_of_the_manuals_that_do_not_occur_there_have_a_name() {
    for (states, expected) in [
        ("TST MAS RTS MRQ WAY DNQ S_", ConnState::Attempt),
        ("ACC EST TSR IRR MSR RTA NRA NNA MRP IAH DNP", ConnState::Established),
        ("FIN CLO", ConnState::Closed),
        ("RST", ConnState::Reset),
        ("UR URO URS URNU URHU URISO URNPRO URNTOS URHTOS URPRE URCUT", ConnState::Rejected),
        ("TIM UNK PTB PAR AHA MHR SEC ROB TRC SKP PHO _", ConnState::Other),
        ("RSTOS0 RSTRH SH SHR", ConnState::HalfOpen),
    ] {
        for state in states.split(' ') {
            assert_eq!(ConnState::parse(state), Some(expected), "{state}");
        }
    }
    for text in ["", "-", "sf", "S_X", "S__", "___", "CON ", "established"] {
        assert_eq!(ConnState::parse(text), None, "{text}");
    }
}

#[test]
fn numbers_out_of_range_are_errors() {
    let error = |argument, max, got| Err(NetworkError::OutOfRange { argument, max, got });
    assert_eq!((v4_bits(0), v4_bits(32)), (Ok(0), Ok(32)));
    assert_eq!((v6_bits(128), seed(65535)), (Ok(128), Ok(65535)));
    assert_eq!(v4_bits(33), error("v4_bits", 32, 33));
    assert_eq!(v6_bits(129), error("v6_bits", 128, 129));
    assert_eq!(seed(-1), error("seed", 65535, -1));
    assert_eq!(
        v4_bits(i64::MAX).unwrap_err().to_string(),
        "`v4_bits` must be in 0..=32, got 9223372036854775807"
    );
}

fn any_address() -> impl Strategy<Value = IpAddr> {
    let address = prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u8; 16]>().prop_map(IpAddr::from),
        any::<[u8; 4]>()
            .prop_map(|octets| IpAddr::V6(core::net::Ipv4Addr::from(octets).to_ipv6_mapped())),
    ];
    address.prop_map(|address| address.to_canonical())
}

proptest! {
    #[test]
    fn an_address_is_in_its_prefix(address in any_address(), bits in 0u16..=128) {
        let network = Cidr::of(address, bits.min(32), bits);
        prop_assert!(network.contains(address));
        prop_assert_eq!(network.to_string().parse::<Cidr>().unwrap(), network);
    }

    /// Flipping a bit of the prefix leaves the network, flipping one after it stays.
    #[test]
    fn the_prefix_alone_decides(bits in any::<u128>(), length in 0u16..=128, flip in 0u16..128) {
        let address = IpAddr::from(bits.to_be_bytes());
        let other = IpAddr::from((bits ^ (1 << (127 - flip))).to_be_bytes());
        prop_assert_eq!(Cidr::of(address, 0, length).contains(other), flip >= length);
    }

    #[test]
    fn the_ends_of_a_flow_may_be_swapped(
        (source, destination) in (any::<[u8; 4]>(), any::<[u8; 4]>()),
        (source_port, destination_port) in (any::<u16>(), any::<u16>()),
        protocol in prop_oneof![Just(6u8), Just(17), Just(132), Just(47)],
        seed in any::<u16>(),
    ) {
        let flow = Flow {
            source: source.into(),
            source_port: Some(source_port),
            destination: destination.into(),
            destination_port: Some(destination_port),
            protocol: Protocol::Number(protocol),
        };
        let back = Flow {
            source: flow.destination,
            source_port: flow.destination_port,
            destination: flow.source,
            destination_port: flow.source_port,
            ..flow
        };
        prop_assert_eq!(community_id(&flow, seed), community_id(&back, seed));
        prop_assert_eq!(community_id(&flow, seed).map(|id| id.len()), Some(30));
    }

    #[test]
    fn entropy_is_of_the_counts_alone(mut characters in prop::collection::vec(any::<char>(), 1..50)) {
        let forth = shannon_entropy(&characters.iter().collect::<String>());
        characters.reverse();
        let back = shannon_entropy(&characters.iter().collect::<String>());
        prop_assert_eq!(forth.to_bits(), back.to_bits());
        prop_assert!(forth >= 0.0 && forth <= (characters.len() as f64).log2() + 1e-12);
    }

    #[test]
    fn no_text_panics(text in prop_oneof![any::<String>(), "[0-9a-fA-FSRPUECx:./_+-]{0,24}"]) {
        let _ = address(&text).map(|address| (version(address), is_private(address)));
        let _ = text.parse::<Cidr>();
        let _ = Protocol::parse(&text);
        let _ = ConnState::parse(&text);
        let _ = TcpFlags::parse(&text);
        prop_assert!(shannon_entropy(&text) >= 0.0);
    }

    /// Swapping the sides of the flags changes nothing.
    #[test]
    fn a_state_has_no_direction(source in "[FSRPAUEC]{0,8}", destination in "[FSRPAUEC]{0,8}") {
        let forth = ConnState::parse(&format!("{source}_{destination}"));
        prop_assert!(forth.is_some());
        prop_assert_eq!(forth, ConnState::parse(&format!("{destination}_{source}")));
    }
}
