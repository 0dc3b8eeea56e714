//! The view of a batch: segments in the order of capture (`v1.md`, 4).

use crate::abi_generated as abi;

/// Who sent the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the client to the server.
    ClientToServer,
    /// From the server to the client.
    ServerToClient,
}

impl Direction {
    /// 0 for client to server, 1 for the other: an index into a pair of buffers.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The other direction.
    pub const fn reverse(self) -> Direction {
        match self {
            Direction::ClientToServer => Direction::ServerToClient,
            Direction::ServerToClient => Direction::ClientToServer,
        }
    }
}

/// What a segment tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bytes.
    Data,
    /// `wire_len` bytes of this direction will never come.
    Gap,
    /// The session is over: forget it.
    Close,
}

/// The transport protocol below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP: the payloads of a direction are one stream.
    Tcp,
    /// UDP: a payload is a datagram.
    Udp,
    /// ICMP: a payload is the message behind the IP header.
    Icmp,
    /// Any other IP protocol number.
    Other(u8),
}

/// One piece of one direction of a session.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// What it tells; kinds that this SDK does not know are not shown to the parser.
    pub kind: Kind,
    /// Who sent it.
    pub direction: Direction,
    /// What carried it.
    pub transport: Transport,
    /// Bits of `segment_flag`; see [`Segment::is_truncated`] and its neighbours.
    pub flags: u8,
    /// The flow, the key of all parser state.
    pub session_id: u64,
    /// Capture time, nanoseconds since 1970 (UTC).
    pub timestamp_ns: u64,
    /// Bytes of this direction before this segment, gaps included.
    pub stream_offset: u64,
    /// Port of the side that is taken for the server.
    pub server_port: u16,
    /// Port of the other side.
    pub client_port: u16,
    /// Bytes on the wire: more than `payload.len()` when the capture cut the packet; for a gap, the bytes missing.
    pub wire_len: u32,
    /// The captured bytes; empty for a gap and a close.
    pub payload: &'a [u8],
}

impl Segment<'_> {
    /// The capture kept only the first `payload.len()` of `wire_len` bytes.
    pub const fn is_truncated(&self) -> bool {
        self.flags & abi::SEGMENT_FLAG_TRUNCATED as u8 != 0
    }

    /// The bytes were inside TLS and were captured in the clear (for example by a uprobe).
    pub const fn is_tls_plaintext(&self) -> bool {
        self.flags & abi::SEGMENT_FLAG_TLS_PLAINTEXT as u8 != 0
    }

    /// The start of this flow was not seen, so a message may begin anywhere.
    pub const fn is_mid_stream(&self) -> bool {
        self.flags & abi::SEGMENT_FLAG_MID_STREAM as u8 != 0
    }
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

/// The segments of a batch with their index; every length is checked, a wrong one ends the walk with `malformed`.
pub(crate) struct Batch<'a> {
    rest: &'a [u8],
    /// Segments passed so far, known or not.
    pub index: u32,
    count: u32,
    /// A length did not fit: the results so far are to be dropped.
    pub malformed: bool,
}

impl<'a> Batch<'a> {
    /// Read the header of a batch; `None` when it is not one.
    pub fn new(bytes: &'a [u8]) -> Option<Batch<'a>> {
        if u32_at(bytes, abi::BUFFER_HEADER_MAGIC as usize)? != abi::MAGIC_BATCH {
            return None;
        }
        let count = u32_at(bytes, abi::BUFFER_HEADER_COUNT as usize)?;
        Some(Batch { rest: bytes.get(abi::BUFFER_HEADER_SIZE as usize..)?, index: 0, count, malformed: false })
    }

    /// The next segment and its index, past those of a kind that is not known.
    #[allow(clippy::should_implement_trait)] // an Iterator could not be asked for `malformed` in a `for`
    pub fn next(&mut self) -> Option<(u32, Segment<'a>)> {
        while self.index < self.count {
            let Some((size, segment)) = read(self.rest) else {
                self.malformed = true;
                return None;
            };
            let index = self.index;
            self.index += 1;
            self.rest = &self.rest[size..];
            if let Some(segment) = segment {
                return Some((index, segment));
            }
        }
        None
    }
}

/// One segment: its whole size (checked to lie inside `bytes`) and its view, if its kind and direction are known.
fn read(bytes: &[u8]) -> Option<(usize, Option<Segment<'_>>)> {
    let header = bytes.get(..abi::SEGMENT_SIZE as usize)?;
    let size = u32_at(header, abi::SEGMENT_TOTAL_SIZE as usize)? as usize;
    let cap_len = u32_at(header, abi::SEGMENT_CAP_LEN as usize)? as usize;
    let body = bytes.get(..size)?.get(header.len()..)?;
    Some((size, view(header, body.get(..cap_len)?)?))
}

/// The view of a segment whose header and payload are given; the inner `None` when its kind or direction is not known.
#[inline]
pub(crate) fn view<'a>(header: &[u8], payload: &'a [u8]) -> Option<Option<Segment<'a>>> {
    let header = header.get(..abi::SEGMENT_SIZE as usize)?;
    let kind = match u32::from(header[abi::SEGMENT_KIND as usize]) {
        abi::SEGMENT_KIND_DATA => Kind::Data,
        abi::SEGMENT_KIND_GAP => Kind::Gap,
        abi::SEGMENT_KIND_CLOSE => Kind::Close,
        _ => return Some(None),
    };
    let direction = match u32::from(header[abi::SEGMENT_DIRECTION as usize]) {
        abi::DIRECTION_C2S => Direction::ClientToServer,
        abi::DIRECTION_S2C => Direction::ServerToClient,
        _ => return Some(None),
    };
    let transport = header[abi::SEGMENT_TRANSPORT as usize];
    let transport = match u32::from(transport) {
        abi::TRANSPORT_TCP => Transport::Tcp,
        abi::TRANSPORT_UDP => Transport::Udp,
        abi::TRANSPORT_ICMP => Transport::Icmp,
        _ => Transport::Other(transport),
    };
    Some(Some(Segment {
        kind,
        direction,
        transport,
        flags: header[abi::SEGMENT_FLAGS as usize],
        session_id: u64_at(header, abi::SEGMENT_SESSION_ID as usize)?,
        timestamp_ns: u64_at(header, abi::SEGMENT_TIMESTAMP_NS as usize)?,
        stream_offset: u64_at(header, abi::SEGMENT_STREAM_OFFSET as usize)?,
        server_port: u16_at(header, abi::SEGMENT_SERVER_PORT as usize)?,
        client_port: u16_at(header, abi::SEGMENT_CLIENT_PORT as usize)?,
        wire_len: u32_at(header, abi::SEGMENT_WIRE_LEN as usize)?,
        payload,
    }))
}
