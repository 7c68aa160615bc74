//! Which addresses are on the public internet.
//!
//! Spec: the IANA registries of special-purpose addresses (RFC 6890), RFC 6052, RFC 3056

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A range: its first address, and how many bits of it all addresses in the range share.
struct Range<A>(A, u32);

/// What lies on no public network, or stands for many.
const CLOSED_V4: [Range<Ipv4Addr>; 16] = [
    Range(Ipv4Addr::new(0, 0, 0, 0), 8),       // this network, unspecified
    Range(Ipv4Addr::new(10, 0, 0, 0), 8),      // private
    Range(Ipv4Addr::new(100, 64, 0, 0), 10),   // shared by the customers of a carrier
    Range(Ipv4Addr::new(127, 0, 0, 0), 8),     // loopback
    Range(Ipv4Addr::new(169, 254, 0, 0), 16),  // link-local, with the metadata of cloud machines
    Range(Ipv4Addr::new(172, 16, 0, 0), 12),   // private
    Range(Ipv4Addr::new(192, 0, 0, 0), 24),    // protocol assignments
    Range(Ipv4Addr::new(192, 0, 2, 0), 24),    // documentation
    Range(Ipv4Addr::new(192, 31, 196, 0), 24), // sinks of AS112
    Range(Ipv4Addr::new(192, 88, 99, 0), 24),  // relays of 6to4
    Range(Ipv4Addr::new(192, 168, 0, 0), 16),  // private
    Range(Ipv4Addr::new(198, 18, 0, 0), 15),   // measurement
    Range(Ipv4Addr::new(198, 51, 100, 0), 24), // documentation
    Range(Ipv4Addr::new(203, 0, 113, 0), 24),  // documentation
    Range(Ipv4Addr::new(224, 0, 0, 0), 4),     // multicast
    Range(Ipv4Addr::new(240, 0, 0, 0), 4),     // reserved, broadcast
];

/// Where all public IPv6 addresses are so far. Beyond it are loopback, link-local, unique local, multicast, and the forms
/// that hold an IPv4 address: mapped (`::ffff:0:0/96`), compatible (`::/96`) and NAT64 (`64:ff9b::/96`, `64:ff9b:1::/48`).
const GLOBAL_V6: Range<Ipv6Addr> = Range(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// What is not public within it.
const CLOSED_V6: [Range<Ipv6Addr>; 4] = [
    Range(Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments, with Teredo
    Range(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    Range(Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4, which holds an IPv4 address
    Range(Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];

impl Range<Ipv4Addr> {
    fn contains(&self, address: Ipv4Addr) -> bool {
        (self.0.to_bits() ^ address.to_bits()).leading_zeros() >= self.1
    }
}

impl Range<Ipv6Addr> {
    fn contains(&self, address: Ipv6Addr) -> bool {
        (self.0.to_bits() ^ address.to_bits()).leading_zeros() >= self.1
    }
}

/// Whether anybody on the internet could reach this address, so that this server asking it opens nothing.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !CLOSED_V4.iter().any(|range| range.contains(address)),
        IpAddr::V6(address) => GLOBAL_V6.contains(address) && !CLOSED_V6.iter().any(|range| range.contains(address)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_public_is_told_from_what_is() {
        let closed = [
            "0.0.0.0",
            "0.255.255.255", // unspecified
            "10.0.0.0",
            "10.255.255.255",
            "172.16.0.0",
            "172.31.255.255",
            "192.168.0.0",
            "192.168.255.255", // private
            "100.64.0.0",
            "100.127.255.255", // carriers
            "127.0.0.1",
            "127.255.255.255", // loopback
            "169.254.0.0",
            "169.254.169.254",
            "169.254.255.255", // link-local
            "192.0.0.0",
            "192.0.0.170",
            "192.0.2.1",
            "198.51.100.1",
            "203.0.113.255", // assigned, documentation
            "192.31.196.1",
            "192.88.99.1",
            "198.18.0.0",
            "198.19.255.255", //
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.0",
            "255.255.255.255", // multicast, reserved, broadcast
            "::",
            "::1", // unspecified, loopback
            "::7f00:1",
            "::8.8.8.8",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::ffff:0:8.8.8.8", // IPv4 in IPv6
            "64:ff9b::7f00:1",
            "64:ff9b::8.8.8.8",
            "64:ff9b:1::a00:1", // NAT64
            "2002:7f00:1::",
            "2002:808:808::1", // 6to4
            "2001::1",
            "2001:0:4136:e378::1",
            "2001:1ff:ffff::1", // Teredo and other protocols
            "2001:db8::1",
            "3fff::1",
            "100::1",
            "5f00::1", //
            "fc00::1",
            "fdff:ffff::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "ff0e::1", //
        ];
        let public = [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255", //
            "2001:200::1",
            "2001:4860:4860::8888",
            "2001:db7::1",
            "2003::1",
            "2606:4700::1111",
            "2a00:1450::1",
        ];
        for text in closed {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
        for text in public {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }
}
