//! UDP headers.

use crate::View;

/// A UDP header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Udp {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// The length field (header and payload); 0 in a jumbogram or before segmentation offload.
    pub length: u16,
}

/// Parses a header; the payload is what the length field says, or the rest of the packet when the field is 0 or too large
/// (segmentation offload hands datagrams to the capture before the field is right).
#[inline]
pub(super) fn parse(view: View<'_>) -> Result<(Udp, View<'_>), &'static str> {
    let h: &[u8; 8] = view.head().ok_or("udp_header_truncated")?;
    let length = u16::from_be_bytes([h[4], h[5]]);
    let payload = view.skip(8).ok_or("udp_header_beyond_packet")?;
    let payload = match length {
        0 => payload,
        1..=7 => return Err("udp_length_below_8"),
        _ => payload.limit(u32::from(length) - 8),
    };
    Ok((
        Udp {
            src_port: u16::from_be_bytes([h[0], h[1]]),
            dst_port: u16::from_be_bytes([h[2], h[3]]),
            length,
        },
        payload,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_cuts_padding() {
        let h = [0, 53, 1, 0, 0, 10, 0, 0, b'a', b'b', 0, 0];
        let (udp, rest) = parse(View::new(&h, 12)).unwrap();
        assert_eq!((udp.src_port, udp.dst_port), (53, 256));
        assert_eq!((rest.cap, rest.wire), (&b"ab"[..], 2));
        let mut zero = h;
        zero[5] = 0;
        assert_eq!(parse(View::new(&zero, 12)).unwrap().1.wire, 4);
        zero[5] = 7;
        assert_eq!(
            parse(View::new(&zero, 12)).unwrap_err(),
            "udp_length_below_8"
        );
        assert_eq!(
            parse(View::new(&h[..7], 12)).unwrap_err(),
            "udp_header_truncated"
        );
    }
}
