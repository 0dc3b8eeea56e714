//! How packets are framed (OASIS MQTT 5.0, 2.1): type and flags in a byte, the length of the rest in one to four.

use metaflow_parser_sdk::Direction;

/// Longest part of a packet that is looked at.
pub(crate) const LONGEST: usize = 64 << 10;

pub(crate) const CONNECT: u8 = 1;
pub(crate) const CONNACK: u8 = 2;
pub(crate) const PUBLISH: u8 = 3;
pub(crate) const PUBACK: u8 = 4;
pub(crate) const PUBREC: u8 = 5;
pub(crate) const PUBREL: u8 = 6;
pub(crate) const PUBCOMP: u8 = 7;
pub(crate) const SUBSCRIBE: u8 = 8;
pub(crate) const SUBACK: u8 = 9;
pub(crate) const UNSUBSCRIBE: u8 = 10;
pub(crate) const UNSUBACK: u8 = 11;
pub(crate) const PINGREQ: u8 = 12;
pub(crate) const PINGRESP: u8 = 13;
pub(crate) const DISCONNECT: u8 = 14;
pub(crate) const AUTH: u8 = 15;

/// Type, flags and length of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub kind: u8,
    pub flags: u8,
    /// Bytes of type, flags and length.
    pub size: usize,
    /// Bytes in all.
    pub total: u64,
    /// Bytes of it that are worth waiting for.
    pub wanted: usize,
}

/// What the first bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framed {
    More,
    Header(Header),
    /// No packet begins so: why, and at which byte that shows.
    No(&'static str, usize),
}

/// Reads type, flags and length and checks that they fit each other and the sender.
pub(crate) fn header(direction: Direction, bytes: &[u8]) -> Framed {
    let Some(&first) = bytes.first() else { return Framed::More };
    let (kind, flags) = (first >> 4, first & 15);
    let is_sent = match direction {
        Direction::ClientToServer => !matches!(kind, 0 | CONNACK | SUBACK | UNSUBACK | PINGRESP),
        Direction::ServerToClient => !matches!(kind, 0 | CONNECT | SUBSCRIBE | UNSUBSCRIBE | PINGREQ),
    };
    if !is_sent {
        return Framed::No("no type of packet that this side sends", 0);
    }
    let are_right = match kind {
        PUBLISH => flags & 6 != 6,
        PUBREL | SUBSCRIBE | UNSUBSCRIBE => flags == 2,
        _ => flags == 0,
    };
    if !are_right {
        return Framed::No("flags that this type of packet cannot have", 0);
    }
    let mut length: u64 = 0;
    for at in 0..4 {
        let Some(&byte) = bytes.get(1 + at) else { return Framed::More };
        length |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 != 0 {
            continue;
        }
        let size = 2 + at;
        let (least, most) = sizes(kind);
        if length < least || length > most {
            return Framed::No("a length that this type of packet cannot have", 1);
        }
        let total = length + size as u64;
        return Framed::Header(Header { kind, flags, size, total, wanted: total.min(LONGEST as u64) as usize });
    }
    Framed::No("a length of more than four bytes", 4)
}

const fn sizes(kind: u8) -> (u64, u64) {
    const MOST: u64 = 0x0fff_ffff;
    match kind {
        CONNECT => (10, MOST),
        CONNACK | PUBACK | PUBREC | PUBREL | PUBCOMP | UNSUBACK => (2, 1 << 20),
        PUBLISH | SUBACK => (3, MOST),
        SUBSCRIBE => (6, MOST),
        UNSUBSCRIBE => (5, MOST),
        PINGREQ | PINGRESP => (0, 0),
        _ => (0, 1 << 20),
    }
}

/// The name of a type.
pub(crate) const fn name(kind: u8) -> &'static str {
    match kind {
        CONNECT => "CONNECT",
        CONNACK => "CONNACK",
        PUBLISH => "PUBLISH",
        PUBACK => "PUBACK",
        PUBREC => "PUBREC",
        PUBREL => "PUBREL",
        PUBCOMP => "PUBCOMP",
        SUBSCRIBE => "SUBSCRIBE",
        SUBACK => "SUBACK",
        UNSUBSCRIBE => "UNSUBSCRIBE",
        UNSUBACK => "UNSUBACK",
        PINGREQ => "PINGREQ",
        PINGRESP => "PINGRESP",
        DISCONNECT => "DISCONNECT",
        AUTH => "AUTH",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Direction::{ClientToServer, ServerToClient};

    #[test]
    fn types_flags_and_lengths_must_fit() {
        let long = [0x32, 0xff, 0xff, 0xff, 0x7f];
        assert!(matches!(
            header(ClientToServer, &long),
            Framed::Header(Header { total: 0x1000_0004, wanted: LONGEST, .. })
        ));
        assert_eq!(header(ClientToServer, &long[..3]), Framed::More);
        for wrong in [&[0x36u8, 5][..], &[0xc0, 1], &[0x80, 9], &[0x20, 2], &[0x00], &[0x32, 0xff, 0xff, 0xff, 0xff, 1]]
        {
            assert!(matches!(header(ClientToServer, wrong), Framed::No(..)), "{wrong:?}");
        }
        assert!(matches!(header(ServerToClient, &[0xd0, 0]), Framed::Header(Header { total: 2, .. })));
    }
}
