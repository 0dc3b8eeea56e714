//! IPv6 headers (RFC 8200) and their extension headers.

use super::fragment::Piece;
use super::Header;
use crate::{Addr, View};

/// Real packets have one or two; the limit keeps a hostile chain from costing time.
const MAX_EXTENSIONS: usize = 12;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;
const MOBILITY: u8 = 135;
const HIP: u8 = 139;
const SHIM6: u8 = 140;

/// Parses the fixed header and follows the extensions to the transport (or to a fragment header that matters).
#[inline]
pub(super) fn parse<'a>(view: View<'a>) -> Result<Header<'a>, &'static str> {
    let h: &[u8; 40] = view.head().ok_or("ipv6_header_truncated")?;
    if h[0] >> 4 != 6 {
        return Err("ipv6_version_wrong");
    }
    let field = u32::from(u16::from_be_bytes([h[4], h[5]]));
    let rest = view.skip(40).ok_or("ipv6_header_truncated")?;
    let mut remark = None;
    // 0 is a jumbogram (RFC 2675) or segmentation offload: the frame's length is the packet's.
    let payload = match field {
        0 => rest,
        n if n > rest.wire => {
            remark = Some("ipv6_payload_length_beyond_frame");
            rest
        }
        n => rest.limit(n),
    };
    let (src, dst) = (address(h, 8), address(h, 24));
    let mut header = Header {
        src,
        dst,
        protocol: h[6],
        ttl: h[7],
        id: 0,
        payload_len: payload.wire,
        payload,
        fragment: None,
        remark,
    };
    extensions(&mut header)?;
    Ok(header)
}

#[inline]
fn address(h: &[u8; 40], at: usize) -> Addr {
    match h.get(at..at + 16).and_then(|bytes| bytes.first_chunk()) {
        Some(bytes) => Addr::v6(bytes),
        None => Addr::default(),
    }
}

#[inline]
fn extensions(header: &mut Header<'_>) -> Result<(), &'static str> {
    for _ in 0..MAX_EXTENSIONS {
        let kind = header.protocol;
        let view = header.payload;
        let len = match kind {
            HOP_BY_HOP | ROUTING | DESTINATION | MOBILITY | HIP | SHIM6 => {
                let h: &[u8; 2] = view.head().ok_or("ipv6_extension_truncated")?;
                header.protocol = h[0];
                (u32::from(h[1]) + 1) * 8
            }
            AUTHENTICATION => {
                let h: &[u8; 2] = view.head().ok_or("ipv6_extension_truncated")?;
                header.protocol = h[0];
                (u32::from(h[1]) + 2) * 4
            }
            FRAGMENT => {
                let h: &[u8; 8] = view.head().ok_or("ipv6_extension_truncated")?;
                header.protocol = h[0];
                let place = u16::from_be_bytes([h[2], h[3]]);
                let piece = Piece {
                    id: u32::from_be_bytes([h[4], h[5], h[6], h[7]]),
                    offset: u32::from(place & 0xfff8),
                    more: place & 1 != 0,
                };
                header.payload = view.skip(8).ok_or("ipv6_extension_beyond_packet")?;
                // A fragment header on a whole datagram ("atomic fragment", RFC 6946) is no fragment.
                if piece.offset != 0 || piece.more {
                    header.fragment = Some(piece);
                    return Ok(());
                }
                continue;
            }
            _ => return Ok(()),
        };
        header.payload = view.skip(len).ok_or("ipv6_extension_beyond_packet")?;
    }
    Err("ipv6_extensions_too_many")
}

/// Follows extension headers that a reassembled datagram starts with; gives the transport protocol and what is left.
pub(crate) fn resume(protocol: u8, view: View<'_>) -> Result<(u8, View<'_>), &'static str> {
    let mut header = Header {
        src: Addr::default(),
        dst: Addr::default(),
        protocol,
        ttl: 0,
        id: 0,
        payload_len: 0,
        payload: view,
        fragment: None,
        remark: None,
    };
    extensions(&mut header)?;
    match header.fragment {
        Some(_) => Err("ipv6_fragment_in_fragment"),
        None => Ok((header.protocol, header.payload)),
    }
}
