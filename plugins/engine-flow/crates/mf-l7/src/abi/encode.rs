//! Writing batches.

use crate::stamp::Stamp;

use super::ids::{BATCH_HEADER, BATCH_MAGIC, KIND_CLOSE, KIND_GAP, SEGMENT_HEADER};

/// The fields of a segment's header that the engine sets.
#[derive(Clone, Copy, Debug, Default)]
pub struct SegmentHead {
    /// 0 data, 1 gap, 2 close.
    pub kind: u8,
    /// 0 client to server, 1 server to client.
    pub direction: u8,
    /// 6, 17 or 1.
    pub transport: u8,
    /// 1 truncated, 2 TLS plaintext, 4 mid-stream.
    pub flags: u8,
    /// The session.
    pub session_id: u64,
    /// Capture time.
    pub time_ns: u64,
    /// Bytes of this direction before this segment.
    pub offset: u64,
    /// Server's port.
    pub server_port: u16,
    /// Client's port.
    pub client_port: u16,
    /// Bytes on the wire; of a gap: bytes missing.
    pub wire_len: u32,
    /// Side of the flow that sent it (`direction` before the ends were put in order); kept beside the batch.
    pub side: u8,
    /// TCP sequence number of the first byte; kept beside the batch, parsers do not see it.
    pub seq: u32,
    /// When it was delivered; kept beside the batch.
    pub stamp: Stamp,
}

/// A segment as it was written, for making sense of the answer.
#[derive(Clone, Copy, Debug)]
pub struct SegmentView {
    /// Its header.
    pub head: SegmentHead,
    start: usize,
    len: usize,
}

/// A batch under construction, complete after every [`Batch::push`].
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    segments: Vec<SegmentView>,
    gaps: Vec<u32>,
    oldest: Option<u64>,
}

impl Batch {
    /// Number of segments.
    pub fn len(&self) -> usize {
        self.segments.len()
    }

    /// Whether there is no segment.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// The batch as parsers read it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Capture time of the first segment, 0 when empty.
    pub fn first_time(&self) -> u64 {
        self.segments.first().map_or(0, |segment| segment.head.time_ns)
    }

    /// The segment with this index, as named by a result.
    #[inline]
    pub fn segment(&self, index: usize) -> Option<&SegmentView> {
        self.segments.get(index)
    }

    /// All segments in order.
    pub fn segments(&self) -> &[SegmentView] {
        &self.segments
    }

    /// Indices of the gaps among them.
    pub fn gaps(&self) -> &[u32] {
        &self.gaps
    }

    /// Packet clock of the oldest segment, the largest number when there is none.
    pub fn oldest(&self) -> u64 {
        self.oldest.unwrap_or(u64::MAX)
    }

    /// The payload of a segment of this batch.
    pub fn payload(&self, view: &SegmentView) -> &[u8] {
        self.bytes.get(view.start..view.start.saturating_add(view.len)).unwrap_or_default()
    }

    /// A session's data and gaps from segment `from` on, to be given to somebody else.
    pub fn copy_of(&self, session_id: u64, from: usize) -> Vec<(SegmentHead, Vec<u8>)> {
        let own = self.segments.iter().skip(from);
        let own = own.filter(|segment| segment.head.session_id == session_id && segment.head.kind != KIND_CLOSE);
        own.map(|segment| (segment.head, self.payload(segment).to_vec())).collect()
    }

    /// Whether a segment of `len` bytes still fits the limits.
    #[inline]
    pub fn has_room(&self, len: usize, max_segments: usize, max_bytes: usize) -> bool {
        self.segments.is_empty()
            || (self.segments.len() < max_segments && self.bytes.len() + SEGMENT_HEADER + len + 8 <= max_bytes)
    }

    /// Empties the batch, keeping its memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.segments.clear();
        self.gaps.clear();
        self.oldest = None;
    }

    /// Adds a segment.
    #[inline]
    pub fn push(&mut self, head: SegmentHead, payload: &[u8]) {
        if self.bytes.is_empty() {
            self.bytes.extend_from_slice(&BATCH_MAGIC);
            self.bytes.extend_from_slice(&[0; BATCH_HEADER - 4]);
        }
        let pad = payload.len().wrapping_neg() & 7;
        let size = (SEGMENT_HEADER + payload.len() + pad) as u32;
        let mut h = [0u8; SEGMENT_HEADER];
        h[0..4].copy_from_slice(&size.to_le_bytes());
        h[4] = head.kind;
        h[5] = head.direction;
        h[6] = head.transport;
        h[7] = head.flags;
        h[8..16].copy_from_slice(&head.session_id.to_le_bytes());
        h[16..24].copy_from_slice(&head.time_ns.to_le_bytes());
        h[24..32].copy_from_slice(&head.offset.to_le_bytes());
        h[32..34].copy_from_slice(&head.server_port.to_le_bytes());
        h[34..36].copy_from_slice(&head.client_port.to_le_bytes());
        h[36..40].copy_from_slice(&head.wire_len.to_le_bytes());
        h[40..44].copy_from_slice(&(payload.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(&h);
        let start = self.bytes.len();
        self.bytes.extend_from_slice(payload);
        self.bytes.extend_from_slice(&[0; 8][..pad]);
        self.oldest = Some(self.oldest.map_or(head.stamp.clock, |oldest| oldest.min(head.stamp.clock)));
        if head.kind == KIND_GAP {
            self.gaps.push(self.segments.len() as u32);
        }
        self.segments.push(SegmentView { head, start, len: payload.len() });
        let count = (self.segments.len() as u32).to_le_bytes();
        self.bytes[4..8].copy_from_slice(&count);
    }
}
