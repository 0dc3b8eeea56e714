//! TCP headers and the options that the flow metrics need.

use crate::View;

/// TCP flag bits (RFC 9293, 3.1).
pub mod flags {
    /// No more data from the sender.
    pub const FIN: u8 = 1;
    /// Synchronize sequence numbers.
    pub const SYN: u8 = 2;
    /// Reset.
    pub const RST: u8 = 4;
    /// Push.
    pub const PSH: u8 = 8;
    /// The acknowledgement field counts.
    pub const ACK: u8 = 16;
    /// The urgent pointer counts.
    pub const URG: u8 = 32;
}

/// Options of a TCP header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpOptions {
    /// Maximum segment size (RFC 9293, kind 2), 0 when absent.
    pub mss: u16,
    /// Window scale shift (RFC 7323, kind 3), at most 14.
    pub window_scale: Option<u8>,
    /// Selective acknowledgements permitted (RFC 2018, kind 4).
    pub sack_permitted: bool,
    /// Timestamp value and echo (RFC 7323, kind 8).
    pub timestamps: Option<(u32, u32)>,
}

/// A TCP header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tcp {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// The eight flag bits (see [`flags`]; 64 and 128 are ECE and CWR).
    pub flags: u8,
    /// Receive window as sent (not scaled).
    pub window: u16,
    /// Header bytes, options included.
    pub header_len: u8,
    /// Options, as far as captured and well-formed.
    pub options: TcpOptions,
}

impl Tcp {
    /// True when all of `bits` are set.
    #[inline]
    pub const fn has(&self, bits: u8) -> bool {
        self.flags & bits == bits
    }
}

/// Parses a header; the rest is the payload.
#[inline]
pub(super) fn parse(view: View<'_>) -> Result<(Tcp, View<'_>), &'static str> {
    let h: &[u8; 20] = view.head().ok_or("tcp_header_truncated")?;
    let header_len = (h[12] >> 4) * 4;
    if header_len < 20 {
        return Err("tcp_header_length_below_20");
    }
    let payload = view
        .skip(u32::from(header_len))
        .ok_or("tcp_header_beyond_packet")?;
    let end = usize::from(header_len).min(view.cap.len());
    Ok((of(h, view.cap.get(20..end).unwrap_or(&[])), payload))
}

/// The header in these bytes, with the options behind them (as far as they were captured).
#[inline]
pub(crate) fn of(h: &[u8; 20], behind: &[u8]) -> Tcp {
    let mut tcp = Tcp {
        src_port: u16::from_be_bytes([h[0], h[1]]),
        dst_port: u16::from_be_bytes([h[2], h[3]]),
        seq: u32::from_be_bytes([h[4], h[5], h[6], h[7]]),
        ack: u32::from_be_bytes([h[8], h[9], h[10], h[11]]),
        flags: h[13],
        window: u16::from_be_bytes([h[14], h[15]]),
        header_len: (h[12] >> 4) * 4,
        options: TcpOptions::default(),
    };
    options(behind, &mut tcp.options);
    tcp
}

/// Reads options until the first malformed one: the header before it stays useful.
#[inline]
fn options(rest: &[u8], out: &mut TcpOptions) {
    // Nearly every segment of an established connection has exactly NOP NOP TIMESTAMPS.
    if let Some(&[n, o, kind, len, a, b, c, d, e, f, g, h]) = rest.first_chunk::<12>() {
        if rest.len() == 12 && u32::from_be_bytes([n, o, kind, len]) == 0x0101_080a {
            out.timestamps = Some((
                u32::from_be_bytes([a, b, c, d]),
                u32::from_be_bytes([e, f, g, h]),
            ));
            return;
        }
    }
    if !rest.is_empty() {
        read_all(rest, out);
    }
}

#[inline(never)]
fn read_all(mut rest: &[u8], out: &mut TcpOptions) {
    loop {
        let (kind, body) = match *rest {
            [] | [0, ..] => return,
            [1, ref tail @ ..] => {
                rest = tail;
                continue;
            }
            [kind, len, ref tail @ ..] => {
                let Some(body_len) = usize::from(len).checked_sub(2) else {
                    return;
                };
                let Some((body, tail)) = tail.split_at_checked(body_len) else {
                    return;
                };
                rest = tail;
                (kind, body)
            }
            _ => return,
        };
        match (kind, body) {
            (2, &[a, b]) => out.mss = u16::from_be_bytes([a, b]),
            (3, &[shift]) => out.window_scale = Some(shift.min(14)),
            (4, &[]) => out.sack_permitted = true,
            (8, &[a, b, c, d, e, f, g, h]) => {
                out.timestamps = Some((
                    u32::from_be_bytes([a, b, c, d]),
                    u32::from_be_bytes([e, f, g, h]),
                ));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(options: &[u8]) -> Vec<u8> {
        let mut h = vec![
            0x1f,
            0x90,
            0,
            80,
            0,
            0,
            0,
            1,
            0,
            0,
            0,
            2,
            0,
            flags::SYN,
            0xff,
            0xff,
            0,
            0,
            0,
            0,
        ];
        h[12] = (((20 + options.len()) / 4) << 4) as u8;
        h.extend_from_slice(options);
        h
    }

    #[test]
    fn reads_all_options() {
        let mut h = header(&[
            2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 8, 1, 3, 3, 7,
        ]);
        h.extend_from_slice(b"data");
        let (tcp, rest) = parse(View::new(&h, 100)).unwrap();
        assert_eq!(
            tcp.options,
            TcpOptions {
                mss: 1460,
                window_scale: Some(7),
                sack_permitted: true,
                timestamps: Some((9, 8))
            }
        );
        assert_eq!(
            (tcp.src_port, tcp.dst_port, tcp.seq, tcp.ack, tcp.header_len),
            (8080, 80, 1, 2, 40)
        );
        assert_eq!(
            (rest.cap, rest.wire, rest.truncated()),
            (&b"data"[..], 60, true)
        );
    }

    #[test]
    fn the_fast_path_agrees_with_the_loop() {
        let (fast, _) = parse(View::new(
            &header(&[1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8]),
            0,
        ))
        .unwrap();
        let (slow, _) = parse(View::new(
            &header(&[8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1]),
            0,
        ))
        .unwrap();
        assert_eq!(fast.options, slow.options);
    }

    #[test]
    fn bad_lengths_are_reasons_and_bad_options_are_ignored() {
        let mut h = header(&[]);
        h[12] = 0x40;
        assert_eq!(
            parse(View::new(&h, 20)).unwrap_err(),
            "tcp_header_length_below_20"
        );
        h[12] = 0xf0;
        assert_eq!(
            parse(View::new(&h, 20)).unwrap_err(),
            "tcp_header_beyond_packet"
        );
        assert!(
            parse(View::new(&h, 60)).is_ok(),
            "cut by the capture, not by the sender"
        );
        assert_eq!(
            parse(View::new(&h[..19], 60)).unwrap_err(),
            "tcp_header_truncated"
        );
        for bad in [
            [2u8, 0, 0, 0],
            [2, 1, 0, 0],
            [8, 255, 1, 1],
            [3, 4, 9, 9],
            [5, 5, 5, 5],
        ] {
            let (tcp, _) = parse(View::new(&header(&bad), 24)).unwrap();
            assert_eq!(tcp.options, TcpOptions::default(), "{bad:?}");
        }
    }
}
