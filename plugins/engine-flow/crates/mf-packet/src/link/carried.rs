//! What carries IP over a link besides Ethernet itself: PPPoE sessions (RFC 2516), PPP (RFC 1661) and MPLS (RFC 3032, RFC 4385).

use super::ethernet;
use crate::packet::ethertype;
use crate::{Packet, View};

/// More labels than this in one stack are taken for garbage.
const MAX_LABELS: usize = 16;

/// Peels what stands behind an ethernet type other than IP; none when this is no such layer, or nothing that is known is in it:
/// the frame is then one of its own type.
#[cold]
pub(super) fn peel<'a>(
    kind: u16,
    view: View<'a>,
    packet: &mut Packet<'_>,
) -> Option<Result<View<'a>, &'static str>> {
    match kind {
        ethertype::PPPOE => pppoe(view, packet),
        ethertype::MPLS | ethertype::MPLS_UPSTREAM => match mpls(view)? {
            Labelled::Network(kind, view) => {
                packet.eth_type = kind;
                Some(Ok(view))
            }
            Labelled::Frame(view) => Some(ethernet::peel(view, packet)),
        },
        _ => None,
    }
}

/// Six bytes (version and type 1, code 0 of a session, session, length), then PPP.
fn pppoe<'a>(view: View<'a>, packet: &mut Packet<'_>) -> Option<Result<View<'a>, &'static str>> {
    let Some(h) = view.head::<6>() else {
        return Some(Err("pppoe_header_truncated"));
    };
    if h[..2] != [0x11, 0] {
        return None;
    }
    let length = u32::from(u16::from_be_bytes([h[4], h[5]]));
    let view = view.skip(6)?.limit(length);
    ppp(view, packet)
}

/// A protocol number of two bytes, perhaps behind address and control (ff 03) as in HDLC framing; IP only: what negotiates the
/// link (LCP, IPCP, ...) has no flow.
fn ppp<'a>(mut view: View<'a>, packet: &mut Packet<'_>) -> Option<Result<View<'a>, &'static str>> {
    if view.head() == Some(&[0xff, 3]) {
        view = view.skip(2)?;
    }
    let Some(h) = view.head::<2>() else {
        return Some(Err("ppp_header_truncated"));
    };
    packet.eth_type = match u16::from_be_bytes(*h) {
        0x21 => ethertype::IPV4,
        0x57 => ethertype::IPV6,
        _ => return None,
    };
    view.skip(2).map(Ok)
}

/// A capture of PPP itself.
#[cold]
pub(super) fn peel_ppp<'a>(
    view: View<'a>,
    packet: &mut Packet<'_>,
) -> Result<View<'a>, &'static str> {
    ppp(view, packet).unwrap_or(Ok(view))
}

/// What stands behind a label stack.
pub(crate) enum Labelled<'a> {
    /// A network packet of this ethernet type.
    Network(u16, View<'a>),
    /// An Ethernet frame (a pseudowire).
    Frame(View<'a>),
}

/// Four bytes a label; the bit 0x100 marks the last. What follows says no label: IP is known by its version, an Ethernet
/// frame by the control word of zeros before it and a known type in it.
pub(crate) fn mpls(mut view: View<'_>) -> Option<Labelled<'_>> {
    for _ in 0..MAX_LABELS {
        let last = view.head::<4>()?[2] & 1 != 0;
        view = view.skip(4)?;
        if last {
            return match view.cap.first()? >> 4 {
                4 => Some(Labelled::Network(ethertype::IPV4, view)),
                6 => Some(Labelled::Network(ethertype::IPV6, view)),
                0 => pseudowire(view.skip(4)?),
                _ => None,
            };
        }
    }
    None
}

fn pseudowire(frame: View<'_>) -> Option<Labelled<'_>> {
    let h: &[u8; 14] = frame.head()?;
    matches!(
        u16::from_be_bytes([h[12], h[13]]),
        ethertype::IPV4
            | ethertype::IPV6
            | ethertype::ARP
            | ethertype::VLAN
            | ethertype::QINQ
            | ethertype::QINQ_OLD
    )
    .then_some(Labelled::Frame(frame))
}
