//! Linux cooked captures (`tcpdump -i any`): <https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html> and `_SLL2.html`.

use crate::frame::Direction;
use crate::{Packet, View};

/// Version 1: 16 bytes; packet type, ARPHRD, address length, address, protocol.
pub(super) fn peel_v1<'a>(
    view: View<'a>,
    packet: &mut Packet<'_>,
) -> Result<View<'a>, &'static str> {
    let h: &[u8; 16] = view.head().ok_or("sll_header_truncated")?;
    direction(packet, u16::from_be_bytes([h[0], h[1]]));
    address(
        packet,
        u16::from_be_bytes([h[4], h[5]]),
        &[h[6], h[7], h[8], h[9], h[10], h[11]],
    );
    let rest = view.skip(16).ok_or("sll_header_truncated")?;
    super::tags(u16::from_be_bytes([h[14], h[15]]), rest, packet)
}

/// Version 2: 20 bytes; protocol, reserved, interface index, ARPHRD, packet type, address length, address.
pub(super) fn peel_v2<'a>(
    view: View<'a>,
    packet: &mut Packet<'_>,
) -> Result<View<'a>, &'static str> {
    let h: &[u8; 20] = view.head().ok_or("sll2_header_truncated")?;
    // The interface of `-i any` is the one in the header; the capture's own interface is always 0.
    packet.interface = u16::from_be_bytes([h[6], h[7]]);
    direction(packet, u16::from(h[10]));
    address(
        packet,
        u16::from(h[11]),
        &[h[12], h[13], h[14], h[15], h[16], h[17]],
    );
    let rest = view.skip(20).ok_or("sll2_header_truncated")?;
    super::tags(u16::from_be_bytes([h[0], h[1]]), rest, packet)
}

/// Packet types: 0 to us, 1 broadcast, 2 multicast, 3 to another host, 4 sent by us.
fn direction(packet: &mut Packet<'_>, kind: u16) {
    packet.direction = match kind {
        0..=2 => Direction::In,
        4 => Direction::Out,
        _ => Direction::Unknown,
    };
}

/// The header has only the sender's address.
fn address(packet: &mut Packet<'_>, len: u16, b: &[u8; 6]) {
    if len == 6 {
        packet.src_mac = u64::from_be_bytes([0, 0, b[0], b[1], b[2], b[3], b[4], b[5]]);
    }
}
