//! How messages are framed (<https://www.postgresql.org/docs/current/protocol-message-formats.html>): a byte that names
//! the type, and a length that counts itself.

use metaflow_parser_sdk::Direction;

/// Bytes of type and length.
pub(crate) const HEADER: usize = 5;
/// Longest part of a message that is looked at.
pub(crate) const LONGEST: usize = 64 << 10;
/// Most that a message can be (the server's own limit is 1 GiB).
const MAX: u64 = 0x4000_0000 + 64;
/// Bytes of a Bind in which the names stand.
const NAMES: usize = 1024;

/// Type and length of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The type.
    pub kind: u8,
    /// Bytes in all, with the type.
    pub total: u64,
    /// Bytes of it that are worth waiting for.
    pub wanted: usize,
}

/// What five bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framed {
    More,
    Header(Header),
    /// No message begins so: why.
    No(&'static str),
}

/// Reads type and length and checks that they fit each other.
pub(crate) fn header(direction: Direction, bytes: &[u8]) -> Framed {
    let Some((&kind, rest)) = bytes.split_first() else { return Framed::More };
    let (least, most) = match direction {
        Direction::ClientToServer => client_sizes(kind),
        Direction::ServerToClient => server_sizes(kind),
    };
    if most == 0 {
        return Framed::No("no type of message of PostgreSQL");
    }
    let Some(length) = rest.first_chunk::<4>() else { return Framed::More };
    let length = u64::from(u32::from_be_bytes(*length));
    if length < least || length > most {
        return Framed::No("a length that this type of message cannot have");
    }
    let total = length + 1;
    let limit = match (direction, kind) {
        (_, b'd') | (Direction::ServerToClient, b'D' | b'V') | (Direction::ClientToServer, b'p') => HEADER,
        (Direction::ServerToClient, b'T' | b't' | b'G' | b'H' | b'W') => HEADER + 3,
        (Direction::ClientToServer, b'B') => NAMES,
        _ => LONGEST,
    };
    Framed::Header(Header { kind, total, wanted: usize::try_from(total).unwrap_or(limit).min(limit) })
}

/// Least and greatest length of the client's messages; 0, 0 where there is none of this type.
const fn client_sizes(kind: u8) -> (u64, u64) {
    match kind {
        b'S' | b'H' | b'X' | b'c' => (4, 4),
        b'Q' | b'f' => (5, MAX),
        b'P' => (8, MAX),
        b'B' => (12, MAX),
        b'E' => (9, 1024),
        b'D' | b'C' => (6, 1024),
        b'F' => (14, MAX),
        b'p' => (4, 1 << 17),
        b'd' => (4, MAX),
        _ => (0, 0),
    }
}

const fn server_sizes(kind: u8) -> (u64, u64) {
    match kind {
        b'1' | b'2' | b'3' | b'n' | b's' | b'I' | b'c' => (4, 4),
        b'Z' => (5, 5),
        b'K' => (12, 268),
        b'R' => (8, 1 << 16),
        b'S' => (6, 1 << 16),
        b'v' => (12, 1 << 16),
        b'C' => (5, 1024),
        b'E' | b'N' => (5, 1 << 20),
        b'A' => (10, 1 << 16),
        b't' | b'T' => (6, 1 << 24),
        b'G' | b'H' | b'W' => (7, 1 << 17),
        b'D' => (6, MAX),
        b'd' => (4, MAX),
        b'V' => (8, MAX),
        _ => (0, 0),
    }
}

/// A message, or what the capture has of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    pub kind: u8,
    /// What stands behind the length, as far as it is wanted and there.
    pub body: &'a [u8],
    /// Bytes in all.
    pub total: u64,
    pub offset: u64,
    pub time_ns: u64,
    /// Time of the last byte, when it has been seen.
    pub end_ns: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use Direction::{ClientToServer, ServerToClient};

    #[test]
    fn types_and_lengths_must_fit() {
        assert_eq!(header(ClientToServer, b"Q\0\0"), Framed::More);
        assert!(matches!(header(ClientToServer, b"Q\0\0\0\x09"), Framed::Header(Header { total: 10, wanted: 10, .. })));
        assert!(matches!(header(ServerToClient, b"D\x3f\0\0\0"), Framed::Header(Header { wanted: 5, .. })));
        for wrong in [&b"S\0\0\0\x05"[..], b"z", b"Q\xff\xff\xff\xff", b"B\0\0\0\x04"] {
            assert!(matches!(header(ClientToServer, wrong), Framed::No(_)), "{wrong:?}");
        }
        assert!(matches!(header(ServerToClient, b"Z\0\0\0\x06"), Framed::No(_)));
    }
}
