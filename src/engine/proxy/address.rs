//! Which addresses a sandbox may reach: the public internet, and no part of this machine or of the networks that it
//! stands in. A web page that only the host may see is what a hostile program would ask for first.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

/// Blocks of version 4 that are not global unicast (IANA's special-purpose registry).
const V4: [([u8; 4], u8, &str); 16] = [
    ([0, 0, 0, 0], 8, "this network"),
    ([10, 0, 0, 0], 8, "private"),
    ([100, 64, 0, 0], 10, "shared by a carrier"),
    ([127, 0, 0, 0], 8, "loopback"),
    ([169, 254, 0, 0], 16, "link-local"),
    ([172, 16, 0, 0], 12, "private"),
    ([192, 0, 0, 0], 24, "for protocols"),
    ([192, 0, 2, 0], 24, "for documentation"),
    ([192, 88, 99, 0], 24, "a 6to4 relay"),
    ([192, 168, 0, 0], 16, "private"),
    ([198, 18, 0, 0], 15, "for benchmarks"),
    ([198, 51, 100, 0], 24, "for documentation"),
    ([203, 0, 113, 0], 24, "for documentation"),
    ([224, 0, 0, 0], 4, "multicast"),
    ([240, 0, 0, 0], 4, "reserved"),
    ([255, 255, 255, 255], 32, "broadcast"),
];

/// Blocks of version 6 within 2000::/3, outside of which nothing is global unicast, that are not global or lead to
/// version 4 by another way (Teredo, 6to4).
const V6: [([u16; 3], u8, &str); 4] = [
    ([0x2001, 0, 0], 23, "for protocols"),
    ([0x2001, 0xdb8, 0], 32, "for documentation"),
    ([0x2002, 0, 0], 16, "6to4"),
    ([0x3fff, 0, 0], 20, "for documentation"),
];

/// Why a sandbox may not reach this address; `None` when it may.
pub fn refusal(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(a) => v4(a),
        IpAddr::V6(a) => v6(a),
    }
    .or_else(|| is_own(address).then_some("of this machine"))
}

fn v4(address: Ipv4Addr) -> Option<&'static str> {
    let bits = address.to_bits();
    let within = |block: [u8; 4], length: u8| (bits ^ Ipv4Addr::from(block).to_bits()).leading_zeros() >= length.into();
    V4.iter().find(|(block, length, _)| within(*block, *length)).map(|(_, _, why)| *why)
}

fn v6(address: Ipv6Addr) -> Option<&'static str> {
    let bits = address.to_bits();
    if bits >> 125 != 1 {
        return Some(match address.segments() {
            // Whatever the version 4 part is: who means that address says it in version 4.
            [0, 0, 0, 0, 0, 0xffff, ..] => "version 4 in disguise",
            [0x64, 0xff9b, ..] => "for translation to version 4",
            [0, 0, 0, 0, 0, 0, 0, 1] => "loopback",
            [first, ..] if first & 0xfe00 == 0xfc00 => "private",
            [first, ..] if first & 0xffc0 == 0xfe80 => "link-local",
            [first, ..] if first & 0xff00 == 0xff00 => "multicast",
            _ => "not global",
        });
    }
    let within = |[a, b, c]: [u16; 3], length: u8| {
        (bits ^ Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).to_bits()).leading_zeros() >= length.into()
    };
    V6.iter().find(|(block, length, _)| within(*block, *length)).map(|(_, _, why)| *why)
}

/// Whether it belongs to one of this machine's interfaces: only such an address can be bound. Asked each time, since
/// interfaces come and go.
fn is_own(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(address: &str) -> bool {
        refusal(address.parse().unwrap()).is_some()
    }

    #[test]
    fn public_addresses_pass() {
        for address in ["1.1.1.1", "8.8.8.8", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.0"] {
            assert!(!refused(address), "{address}");
        }
        for address in ["2606:4700:4700::1111", "2a00:1450:4001:81b::200e", "2001:200::1", "2003::1"] {
            assert!(!refused(address), "{address}");
        }
    }

    #[test]
    fn what_is_not_global_unicast_is_refused() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
        ] {
            assert!(refused(address), "{address}");
        }
        for address in [
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::8.8.8.8",
            "64:ff9b::1.1.1.1",
            "64:ff9b:1::1",
            "100::1",
            "fc00::1",
            "fdff::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "4000::1",
        ] {
            assert!(refused(address), "{address}");
        }
    }

    #[test]
    fn an_address_that_can_be_bound_is_our_own() {
        assert!(is_own(Ipv4Addr::LOCALHOST.into()));
        assert!(!is_own("1.1.1.1".parse().unwrap()));
    }

    proptest! {
        /// Version 4 has no second door by any of its forms in version 6.
        #[test]
        fn every_embedding_of_version_4_is_refused(bits: u32) {
            let [a, b] = [(bits >> 16) as u16, bits as u16];
            for embedded in [
                Ipv4Addr::from_bits(bits).to_ipv6_mapped(),
                Ipv6Addr::new(0, 0, 0, 0, 0, 0, a, b),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, a, b),
                Ipv6Addr::new(0x2002, a, b, 0, 0, 0, 0, 0),
                Ipv6Addr::new(0x2001, 0, a, b, 0, 0, 0, 0),
            ] {
                prop_assert!(v6(embedded).is_some(), "{embedded}");
            }
        }

        /// The table says no more and no less than the standard library, which knows the large blocks by name.
        #[test]
        fn the_table_agrees_with_the_standard_library(bits: u32) {
            let address = Ipv4Addr::from_bits(bits);
            let known = address.is_private() || address.is_loopback() || address.is_link_local()
                || address.is_broadcast() || address.is_documentation() || address.is_multicast()
                || address.is_unspecified();
            prop_assert!(!known || v4(address).is_some());
            let [a, b, ..] = address.octets();
            let rest = a == 0 || a >= 240 || (a == 100 && b & 0xc0 == 64) || (a == 198 && b & 0xfe == 18) || a == 192;
            prop_assert_eq!(v4(address).is_some() && !rest, known && !rest);
        }
    }
}
