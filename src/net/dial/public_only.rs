//! Which addresses belong to the public internet, by the IANA special-purpose address registries
//! (RFC 6890): the protection against SSRF.
//!
//! Pure: an address in, a verdict out. An IPv6 address that embeds an IPv4 address is judged by that one,
//! too, because a gateway may take it out and connect to it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Allows connections to public addresses only: the SSRF protection for programs that fetch untrusted
/// URLs. Give it to [`ClientBuilder::address_filter`](crate::ClientBuilder::address_filter).
///
/// Blocked, in IPv4 and IPv6, are unspecified, loopback, private and unique local, shared
/// (100.64.0.0/10, carrier-grade NAT), link-local (which has the clouds' metadata service at
/// 169.254.169.254), site-local, multicast, broadcast, benchmarking and documentation addresses, those
/// that the IETF keeps for protocols or has reserved, and Azure's 168.63.129.16. An IPv4 address that is
/// embedded in an IPv6 address (mapped, compatible, NAT64, 6to4, Teredo, ISATAP) is checked itself. An
/// IPv6 address must also be global unicast (2000::/3).
///
/// It checks addresses, not ports and not names. Names are resolved first, and the connection is made to
/// the very address that was checked, so a name that resolves to another address the next time (DNS
/// rebinding) gains nothing. It cannot know a NAT64 prefix that only the local network uses.
///
/// ```
/// use longwire::{Client, ErrorKind, PublicOnly};
///
/// let client = Client::builder().address_filter(PublicOnly::allows).build();
/// for url in ["http://169.254.169.254/latest/meta-data/", "http://[::ffff:10.0.0.1]/", "http://0x7f000001/"] {
///     assert_eq!(client.get(url).send().unwrap_err().kind(), ErrorKind::BlockedAddress);
/// }
/// ```
#[doc(alias = "SSRF")]
#[derive(Clone, Copy, Debug)]
pub struct PublicOnly;

impl PublicOnly {
    /// Returns whether the address is a public one.
    pub fn allows(address: &SocketAddr) -> bool {
        match address.ip() {
            IpAddr::V4(ip) => is_public_v4(ip),
            IpAddr::V6(ip) => is_public_v6(ip),
        }
    }
}

/// The prefixes of IPv4 that are not public: address and length.
const BLOCKED_V4: [([u8; 4], u32); 18] = [
    ([0, 0, 0, 0], 8),          // "this network", and unspecified: RFC 791 §3.2
    ([10, 0, 0, 0], 8),         // private: RFC 1918
    ([100, 64, 0, 0], 10),      // shared by carriers: RFC 6598; Alibaba's metadata
    ([127, 0, 0, 0], 8),        // loopback: RFC 1122 §3.2.1.3
    ([168, 63, 129, 16], 32),   // Azure's platform, in a public block
    ([169, 254, 0, 0], 16),     // link-local: RFC 3927; the clouds' metadata
    ([172, 16, 0, 0], 12),      // private: RFC 1918
    ([192, 0, 0, 0], 24),       // IETF protocols: RFC 6890; Oracle's metadata
    ([192, 0, 2, 0], 24),       // documentation: RFC 5737
    ([192, 88, 99, 0], 24),     // 6to4 relays, deprecated: RFC 7526
    ([192, 168, 0, 0], 16),     // private: RFC 1918
    ([198, 18, 0, 0], 15),      // benchmarking: RFC 2544
    ([198, 51, 100, 0], 24),    // documentation: RFC 5737
    ([203, 0, 113, 0], 24),     // documentation: RFC 5737
    ([224, 0, 0, 0], 4),        // multicast: RFC 5771
    ([233, 252, 0, 0], 24),     // documentation, inside multicast: RFC 6676
    ([240, 0, 0, 0], 4),        // reserved: RFC 1112 §4
    ([255, 255, 255, 255], 32), // broadcast: RFC 919
];

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let bits = u32::from(ip);
    let is_in = |(net, length): &([u8; 4], u32)| (bits ^ u32::from_be_bytes(*net)) >> (32 - length) == 0;
    !BLOCKED_V4.iter().any(is_in)
}

/// The prefixes inside global unicast that are not public: the first two segments, and the length.
const BLOCKED_V6: [([u16; 2], u32); 3] = [
    ([0x2001, 0], 23),     // IETF protocols: RFC 2928 (ORCHID, benchmarking, …)
    ([0x2001, 0xdb8], 32), // documentation: RFC 3849
    ([0x3fff, 0], 20),     // documentation: RFC 9637
];

fn is_public_v6(ip: Ipv6Addr) -> bool {
    if let Some(embedded) = embedded_v4(ip) {
        return embedded.into_iter().flatten().all(is_public_v4);
    }
    let [first, second, ..] = ip.segments();
    let bits = u32::from(first) << 16 | u32::from(second);
    let is_in = |([one, two], length): &([u16; 2], u32)| {
        (bits ^ (u32::from(*one) << 16 | u32::from(*two))) >> (32 - length) == 0
    };
    // RFC 4291 §2.4: all else is loopback, link-local, unique local, multicast, or unassigned.
    first & 0xe000 == 0x2000 && !BLOCKED_V6.iter().any(is_in) && isatap(ip).is_none_or(is_public_v4)
}

/// Returns the IPv4 address to which ISATAP routers send what is for this one (RFC 5214 §6.1).
fn isatap(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    match ip.segments() {
        [.., 0 | 0x200, 0x5efe, a, b] => Some(Ipv4Addr::from(u32::from(a) << 16 | u32::from(b))),
        _ => None,
    }
}

/// Returns the IPv4 addresses in an IPv6 address that gateways may connect to.
fn embedded_v4(ip: Ipv6Addr) -> Option<[Option<Ipv4Addr>; 2]> {
    let v4 = |high: u16, low: u16| Some(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    match ip.segments() {
        // Compatible, which includes loopback and unspecified; mapped; translated
        // (RFC 4291 §2.5.5, RFC 2765).
        [0, 0, 0, 0, 0, 0, a, b] | [0, 0, 0, 0, 0, 0xffff, a, b] | [0, 0, 0, 0, 0xffff, 0, a, b] => {
            Some([v4(a, b), None])
        }
        // NAT64's well-known prefix (RFC 6052 §2.1).
        [0x64, 0xff9b, 0, 0, 0, 0, a, b] => Some([v4(a, b), None]),
        // 6to4 (RFC 3056 §2).
        [0x2002, a, b, ..] => Some([v4(a, b), None]),
        // Teredo: the server, and the client's address with its bits turned (RFC 4380 §4).
        [0x2001, 0, a, b, _, _, c, d] => Some([v4(a, b), v4(!c, !d)]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(ip: &str) -> bool {
        PublicOnly::allows(&SocketAddr::new(ip.parse().expect(ip), 80))
    }

    #[test]
    fn each_block_of_ipv4_is_blocked_from_its_first_to_its_last_address_and_no_further() {
        let blocks = [
            ("0.0.0.0", "0.255.255.255", None, Some("1.0.0.0")),
            ("10.0.0.0", "10.255.255.255", Some("9.255.255.255"), Some("11.0.0.0")),
            ("100.64.0.0", "100.127.255.255", Some("100.63.255.255"), Some("100.128.0.0")),
            ("127.0.0.0", "127.255.255.255", Some("126.255.255.255"), Some("128.0.0.0")),
            ("168.63.129.16", "168.63.129.16", Some("168.63.129.15"), Some("168.63.129.17")),
            ("169.254.0.0", "169.254.255.255", Some("169.253.255.255"), Some("169.255.0.0")),
            ("172.16.0.0", "172.31.255.255", Some("172.15.255.255"), Some("172.32.0.0")),
            ("192.0.0.0", "192.0.0.255", Some("191.255.255.255"), Some("192.0.1.0")),
            ("192.0.2.0", "192.0.2.255", Some("192.0.1.255"), Some("192.0.3.0")),
            ("192.88.99.0", "192.88.99.255", Some("192.88.98.255"), Some("192.88.100.0")),
            ("192.168.0.0", "192.168.255.255", Some("192.167.255.255"), Some("192.169.0.0")),
            ("198.18.0.0", "198.19.255.255", Some("198.17.255.255"), Some("198.20.0.0")),
            ("198.51.100.0", "198.51.100.255", Some("198.51.99.255"), Some("198.51.101.0")),
            ("203.0.113.0", "203.0.113.255", Some("203.0.112.255"), Some("203.0.114.0")),
            ("224.0.0.0", "255.255.255.255", Some("223.255.255.255"), None),
        ];
        for (first, last, before, after) in blocks {
            assert!(!allows(first) && !allows(last), "{first} to {last}");
            for outside in [before, after].into_iter().flatten() {
                assert!(allows(outside), "{outside}");
            }
        }
    }

    #[test]
    fn addresses_with_a_special_purpose_are_blocked() {
        let table = [
            ("169.254.169.254", "metadata: AWS, Azure, Google, OpenStack"),
            ("169.254.170.2", "metadata: ECS tasks"),
            ("100.100.100.200", "metadata: Alibaba"),
            ("192.0.0.192", "metadata: Oracle"),
            ("239.255.255.250", "multicast: UPnP"),
            ("233.252.0.1", "documentation"),
            ("240.0.0.1", "reserved"),
            ("255.255.255.255", "broadcast"),
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("::2", "compatible with 0.0.0.2"),
            ("::ffff:127.0.0.1", "mapped"),
            ("::ffff:169.254.169.254", "mapped"),
            ("::10.0.0.1", "compatible"),
            ("::ffff:0:10.0.0.1", "translated"),
            ("64:ff9b::10.0.0.1", "NAT64"),
            ("64:ff9b::a9fe:a9fe", "NAT64"),
            ("64:ff9b:1::1", "NAT64 of the local network (RFC 8215)"),
            ("64:ff9b:0:0:1::808:808", "not quite NAT64"),
            ("100::1", "discard (RFC 6666)"),
            ("2001::1", "Teredo of 0.0.0.0"),
            ("2001:0:808:808:0:0:f5ff:fffe", "Teredo to 10.0.0.1"),
            ("2001:0:7f00:1:0:0:f7f7:f7f7", "Teredo by 127.0.0.1"),
            ("2001:2::1", "benchmarking (RFC 5180)"),
            ("2001:10::1", "ORCHID"),
            ("2001:20::1", "ORCHIDv2"),
            ("2001:470::5efe:a00:1", "ISATAP to 10.0.0.1"),
            ("2001:470::200:5efe:7f00:1", "ISATAP to 127.0.0.1"),
            ("fe80::5efe:808:808", "ISATAP, link-local"),
            ("2001:db8::1", "documentation"),
            ("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "documentation"),
            ("2002:7f00:1::", "6to4 of 127.0.0.1"),
            ("2002:a00:1::1", "6to4 of 10.0.0.1"),
            ("2002:a9fe:a9fe::", "6to4 of 169.254.169.254"),
            ("3fff::1", "documentation"),
            ("3fff:fff:ffff::1", "documentation"),
            ("4000::1", "unassigned"),
            ("5f00::1", "segment routing (RFC 9602)"),
            ("fc00::1", "unique local"),
            ("fd00:ec2::254", "unique local, metadata: AWS"),
            ("fd20:ce::254", "unique local, metadata: Google"),
            ("fe80::1", "link-local"),
            ("febf::1", "link-local"),
            ("fec0::1", "site-local"),
            ("ff02::1", "multicast"),
            ("ff0e::1", "multicast"),
        ];
        for (ip, what) in table {
            assert!(!allows(ip), "{ip}: {what}");
        }
    }

    #[test]
    fn public_addresses_are_allowed_in_every_form() {
        let table = [
            "8.8.8.8",
            "1.1.1.1",
            "93.184.215.14",
            "192.31.196.1",
            "::ffff:8.8.8.8",
            "::8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
            "2001:0:808:808:0:0:f7f7:f7f7",
            "2001:200::1",
            "2001:470::5efe:808:808",
            "2001:470::100:5efe:a00:1",
            "2001:4860:4860::8888",
            "2606:4700:4700::1111",
            "2a00:1450:4001::1",
            "3ffe::1",
            "3fff:1000::1",
        ];
        for ip in table {
            assert!(allows(ip), "{ip}");
        }
    }
}
