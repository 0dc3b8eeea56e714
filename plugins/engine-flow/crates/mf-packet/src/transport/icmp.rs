//! ICMP and ICMPv6 headers; identifier and sequence number of echo messages.

use crate::View;

/// An ICMP header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Icmp {
    /// Message type.
    pub kind: u8,
    /// Message code.
    pub code: u8,
    /// True for ICMPv6.
    pub v6: bool,
    /// Echo identifier, 0 for other messages.
    pub id: u16,
    /// Echo sequence number, 0 for other messages.
    pub seq: u16,
}

impl Icmp {
    /// True for an echo request (ICMP type 8, ICMPv6 type 128).
    #[inline]
    pub const fn is_echo_request(&self) -> bool {
        self.kind == if self.v6 { 128 } else { 8 }
    }

    /// True for an echo reply (ICMP type 0, ICMPv6 type 129).
    #[inline]
    pub const fn is_echo_reply(&self) -> bool {
        self.kind == if self.v6 { 129 } else { 0 }
    }
}

/// Parses a header; the payload is what follows its 8 bytes (4 bytes are enough for a message that was cut).
#[inline]
pub(super) fn parse(view: View<'_>, v6: bool) -> Result<(Icmp, View<'_>), &'static str> {
    let h: &[u8; 4] = view.head().ok_or("icmp_header_truncated")?;
    let mut icmp = Icmp {
        kind: h[0],
        code: h[1],
        v6,
        id: 0,
        seq: 0,
    };
    if icmp.is_echo_request() || icmp.is_echo_reply() {
        let h: &[u8; 8] = view.head().ok_or("icmp_header_truncated")?;
        icmp.id = u16::from_be_bytes([h[4], h[5]]);
        icmp.seq = u16::from_be_bytes([h[6], h[7]]);
    }
    Ok((icmp, view.skip(8).unwrap_or(View { cap: &[], wire: 0 })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn echo_has_identifier_and_sequence() {
        let (icmp, rest) = parse(View::new(&[8, 0, 0, 0, 1, 2, 3, 4, b'x'], 9), false).unwrap();
        assert!(icmp.is_echo_request() && !icmp.is_echo_reply());
        assert_eq!((icmp.id, icmp.seq, rest.cap), (0x102, 0x304, &b"x"[..]));
        let (icmp, _) = parse(View::new(&[129, 0, 0, 0, 1, 2, 3, 4], 8), true).unwrap();
        assert!(icmp.is_echo_reply());
        let (icmp, rest) = parse(View::new(&[3, 1, 0, 0], 4), false).unwrap();
        assert_eq!((icmp.id, icmp.kind, rest.wire), (0, 3, 0));
        assert_eq!(
            parse(View::new(&[8, 0, 0, 0], 8), false).unwrap_err(),
            "icmp_header_truncated"
        );
    }
}
