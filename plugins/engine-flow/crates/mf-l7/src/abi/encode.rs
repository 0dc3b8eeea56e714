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
    /// Data with which a direction goes on behind a gap; kept beside the batch.
    pub resumes: bool,
    /// When it was delivered; kept beside the batch.
    pub stamp: Stamp,
}

impl SegmentHead {
    /// The header as parsers read it, of a segment with `len` bytes of payload.
    #[inline]
    pub fn encode(&self, len: usize) -> [u8; SEGMENT_HEADER] {
        let size = (SEGMENT_HEADER + len.next_multiple_of(8)) as u32;
        let mut h = [0u8; SEGMENT_HEADER];
        h[0..4].copy_from_slice(&size.to_le_bytes());
        h[4] = self.kind;
        h[5] = self.direction;
        h[6] = self.transport;
        h[7] = self.flags;
        h[8..16].copy_from_slice(&self.session_id.to_le_bytes());
        h[16..24].copy_from_slice(&self.time_ns.to_le_bytes());
        h[24..32].copy_from_slice(&self.offset.to_le_bytes());
        h[32..34].copy_from_slice(&self.server_port.to_le_bytes());
        h[34..36].copy_from_slice(&self.client_port.to_le_bytes());
        h[36..40].copy_from_slice(&self.wire_len.to_le_bytes());
        h[40..44].copy_from_slice(&(len as u32).to_le_bytes());
        h
    }
}

/// A segment as it was written, for making sense of the answer.
#[derive(Clone, Copy, Debug)]
pub struct SegmentView {
    /// Its header.
    pub head: SegmentHead,
    /// Where the payload lies in the batch, [`ELSEWHERE`] when it was not copied.
    start: usize,
    len: usize,
}

/// A payload that the parser saw where it lay.
const ELSEWHERE: usize = usize::MAX;

impl SegmentView {
    /// Bytes of its payload.
    pub fn captured(&self) -> usize {
        self.len
    }
}

/// A batch under construction, complete after every [`Batch::push`].
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    segments: Vec<SegmentView>,
    gaps: Vec<u32>,
    oldest: Option<u64>,
    /// Segments that the parser took one by one already: the first ones.
    seen: usize,
    /// Bytes it would have if everything were copied.
    size: usize,
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

    /// Indices of the gaps among them, and of the data behind them.
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
        // A parser that withdraws says so at once, with the segment at hand still there; what it saw before is gone.
        let own = own.filter(|segment| segment.start != ELSEWHERE || segment.len == 0);
        own.map(|segment| (segment.head, self.payload(segment).to_vec())).collect()
    }

    /// Whether a segment of `len` bytes still fits the limits.
    #[inline]
    pub fn has_room(&self, len: usize, max_segments: usize, max_bytes: usize) -> bool {
        self.segments.is_empty()
            || (self.segments.len() < max_segments && self.size + SEGMENT_HEADER + len + 8 <= max_bytes)
    }

    /// Empties the batch, keeping its memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.segments.clear();
        self.gaps.clear();
        self.oldest = None;
        (self.seen, self.size) = (0, 0);
    }

    /// The segments that a parser which takes them one by one has not seen yet, headers and payloads.
    pub fn unseen(&self) -> impl Iterator<Item = ([u8; SEGMENT_HEADER], &[u8])> {
        let unseen = self.segments.get(self.seen..).unwrap_or_default();
        unseen.iter().map(|segment| (segment.head.encode(segment.len), self.payload(segment)))
    }

    /// Whether there are such segments.
    #[inline]
    pub fn is_behind(&self) -> bool {
        self.seen < self.segments.len()
    }

    /// Whether there are segments that were shown already.
    pub fn has_seen(&self) -> bool {
        self.seen > 0
    }

    /// Adds a segment that the parser has just taken (and all before it); `keep` copies its payload all the same.
    #[inline]
    pub fn push_seen(&mut self, head: SegmentHead, payload: &[u8], keep: bool) {
        let start = if keep { self.bytes.len() } else { ELSEWHERE };
        if keep {
            self.bytes.extend_from_slice(payload);
        }
        self.note(head, start, payload.len());
        self.seen = self.segments.len();
    }

    #[inline]
    fn note(&mut self, head: SegmentHead, start: usize, len: usize) {
        self.oldest = Some(self.oldest.map_or(head.stamp.clock, |oldest| oldest.min(head.stamp.clock)));
        if head.kind == KIND_GAP || head.resumes {
            self.gaps.push(self.segments.len() as u32);
        }
        self.segments.push(SegmentView { head, start, len });
        self.size += SEGMENT_HEADER + len.next_multiple_of(8);
    }

    /// Adds a segment.
    #[inline]
    pub fn push(&mut self, head: SegmentHead, payload: &[u8]) {
        if self.bytes.is_empty() {
            self.bytes.extend_from_slice(&BATCH_MAGIC);
            self.bytes.extend_from_slice(&[0; BATCH_HEADER - 4]);
            self.size += BATCH_HEADER;
        }
        // Room once, and padding of a length that is known: in WebAssembly a copy of any other is a call out of the module.
        self.bytes.reserve(SEGMENT_HEADER + payload.len() + 8);
        self.bytes.extend_from_slice(&head.encode(payload.len()));
        let start = self.bytes.len();
        self.bytes.extend_from_slice(payload);
        self.bytes.extend_from_slice(&[0; 8]);
        self.bytes.truncate(start + payload.len().next_multiple_of(8));
        self.note(head, start, payload.len());
        let count = (self.segments.len() as u32).to_le_bytes();
        self.bytes[4..8].copy_from_slice(&count);
    }
}
