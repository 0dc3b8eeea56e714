//! IP addresses as two words, so that comparing and hashing them costs two instructions.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IP address; IPv4 is held as its IPv4-mapped IPv6 form (RFC 4291, 2.5.5.2). For frames without IP addresses it holds
/// a MAC address in `lo`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Addr {
    /// The first eight bytes, big-endian.
    pub hi: u64,
    /// The last eight bytes, big-endian.
    pub lo: u64,
}

const MAPPED: u64 = 0x0000_ffff_0000_0000;

impl Addr {
    /// An IPv4 address from its 32 bits (host order: `10.0.0.1` is `0x0a000001`).
    #[inline]
    pub const fn v4(bits: u32) -> Self {
        Self {
            hi: 0,
            lo: MAPPED | bits as u64,
        }
    }

    /// An IPv6 address from its 16 bytes in network order.
    #[inline]
    pub fn v6(bytes: &[u8; 16]) -> Self {
        let word = u128::from_be_bytes(*bytes);
        Self {
            hi: (word >> 64) as u64,
            lo: word as u64,
        }
    }

    /// A MAC address (48 bits) in the place of an IP address, for flows of frames without IP.
    #[inline]
    pub const fn mac(bits: u64) -> Self {
        Self { hi: 0, lo: bits }
    }

    /// True when this is an IPv4 address.
    #[inline]
    pub const fn is_v4(self) -> bool {
        self.hi == 0 && self.lo & !0xffff_ffff == MAPPED
    }

    /// The 32 bits of an IPv4 address (host order), or none.
    #[inline]
    pub const fn as_v4(self) -> Option<u32> {
        if self.is_v4() {
            Some(self.lo as u32)
        } else {
            None
        }
    }

    /// The 16 bytes in network order (IPv4 in mapped form).
    #[inline]
    pub fn octets(self) -> [u8; 16] {
        (((self.hi as u128) << 64) | self.lo as u128).to_be_bytes()
    }

    /// The standard library's address.
    pub fn ip(self) -> IpAddr {
        match self.as_v4() {
            Some(bits) => IpAddr::V4(Ipv4Addr::from(bits)),
            None => IpAddr::V6(Ipv6Addr::from(self.octets())),
        }
    }

    /// True for 127.0.0.0/8 and ::1.
    pub const fn is_loopback(self) -> bool {
        match self.as_v4() {
            Some(bits) => bits >> 24 == 127,
            None => self.hi == 0 && self.lo == 1,
        }
    }

    /// True for IPv4 multicast and broadcast (224.0.0.0 and up) and IPv6 multicast (ff00::/8).
    pub const fn is_multicast(self) -> bool {
        match self.as_v4() {
            Some(bits) => bits >> 28 == 14 || bits == u32::MAX,
            None => self.hi >> 56 == 0xff,
        }
    }
}

impl From<IpAddr> for Addr {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => Self::v4(u32::from(ip)),
            IpAddr::V6(ip) => Self::v6(&ip.octets()),
        }
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ip().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v4_and_v6_survive_the_round_trip() {
        for text in [
            "10.1.2.3",
            "0.0.0.0",
            "255.255.255.255",
            "2001:db8::7",
            "::1",
            "ff02::1",
        ] {
            let ip: IpAddr = text.parse().unwrap();
            assert_eq!(Addr::from(ip).ip(), ip);
            assert_eq!(Addr::from(ip).to_string(), text);
        }
        assert!(Addr::v4(0x7f00_0001).is_loopback() && !Addr::v4(0x7f00_0001).is_multicast());
        assert!(Addr::v4(0xe000_0001).is_multicast());
    }
}
