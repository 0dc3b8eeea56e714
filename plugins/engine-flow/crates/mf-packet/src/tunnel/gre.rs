//! GRE (RFC 2784) with checksum, key and sequence number (RFC 2890); inside: IP, Ethernet (TEB), MPLS (RFC 4023), ERSPAN I, II and III
//! (draft-foschiano-erspan-03).

use super::{Carries, Inner, TunnelKind};
use crate::link::{mpls, Labelled};
use crate::{ethertype, View};

const CHECKSUM: u16 = 0x8000;
const ROUTING: u16 = 0x4000;
const KEY: u16 = 0x2000;
const SEQUENCE: u16 = 0x1000;
const ERSPAN_1_2: u16 = 0x88be;
const ERSPAN_3: u16 = 0x22eb;

/// Version 0; version 1 (PPTP, PPP inside) is not peeled.
pub(super) fn parse(view: View<'_>) -> Result<Option<Inner<'_>>, &'static str> {
    let h: &[u8; 4] = view.head().ok_or("gre_header_truncated")?;
    let bits = u16::from_be_bytes([h[0], h[1]]);
    let kind = u16::from_be_bytes([h[2], h[3]]);
    if bits & 7 != 0 {
        return Ok(None);
    }
    if bits & ROUTING != 0 {
        return Err("gre_source_routing_not_supported");
    }
    let mut view = view.skip(4).ok_or("gre_header_truncated")?;
    let mut id = 0;
    if bits & CHECKSUM != 0 {
        view = view.skip(4).ok_or("gre_header_truncated")?;
    }
    if bits & KEY != 0 {
        id = u32::from_be_bytes(*view.head().ok_or("gre_header_truncated")?);
        view = view.skip(4).ok_or("gre_header_truncated")?;
    }
    if bits & SEQUENCE != 0 {
        view = view.skip(4).ok_or("gre_header_truncated")?;
    }
    let carries = match kind {
        ethertype::IPV4 | ethertype::IPV6 => Carries::Network(kind),
        ethertype::TEB => Carries::Ethernet,
        // Type I has no header of its own and no sequence number; type II always has one.
        ERSPAN_1_2 if bits & SEQUENCE == 0 => Carries::Ethernet,
        ERSPAN_1_2 => {
            (id, view) = erspan(view, 8)?;
            Carries::Ethernet
        }
        ERSPAN_3 => return erspan_3(view),
        ethertype::MPLS | ethertype::MPLS_UPSTREAM => {
            match mpls(view).ok_or("gre_protocol_unknown")? {
                Labelled::Network(network, inner) => {
                    view = inner;
                    Carries::Network(network)
                }
                Labelled::Frame(inner) => {
                    view = inner;
                    Carries::Ethernet
                }
            }
        }
        _ => return Err("gre_protocol_unknown"),
    };
    Ok(Some(Inner {
        kind: TunnelKind::Gre,
        id,
        carries,
        view,
    }))
}

/// The session id is the low ten bits of the first word in both types.
fn erspan(view: View<'_>, len: u32) -> Result<(u32, View<'_>), &'static str> {
    let h: &[u8; 4] = view.head().ok_or("erspan_header_truncated")?;
    let session = u32::from(u16::from_be_bytes([h[2], h[3]]) & 0x3ff);
    Ok((session, view.skip(len).ok_or("erspan_header_truncated")?))
}

/// Type III: 12 bytes, 8 more when the last bit says so; the frame type tells Ethernet (0) from IP (2).
fn erspan_3(view: View<'_>) -> Result<Option<Inner<'_>>, &'static str> {
    let h: &[u8; 12] = view.head().ok_or("erspan_header_truncated")?;
    let tail = u16::from_be_bytes([h[10], h[11]]);
    let frame_type = (tail >> 10) & 0x1f;
    let (id, view) = erspan(view, if tail & 1 != 0 { 20 } else { 12 })?;
    let carries = match frame_type {
        0 => Carries::Ethernet,
        2 => match view.cap.first().map(|byte| byte >> 4) {
            Some(4) => Carries::Network(ethertype::IPV4),
            Some(6) => Carries::Network(ethertype::IPV6),
            _ => return Err("erspan_ip_version_unknown"),
        },
        _ => return Err("erspan_frame_type_unknown"),
    };
    Ok(Some(Inner {
        kind: TunnelKind::Gre,
        id,
        carries,
        view,
    }))
}
