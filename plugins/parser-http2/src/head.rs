//! The fields of one header block that are of use.

use crate::fields::{Class, Fields, Slot, Use};
use crate::hpack::Sink;
use metaflow_parser_sdk::http::options::MOST_ATTRIBUTES;
use metaflow_parser_sdk::trace::{Trace, TraceRules};

/// A value in the arena; absent while `from` is [`ABSENT`].
#[derive(Clone, Copy, Debug)]
struct Span {
    from: u32,
    to: u32,
}

const ABSENT: u32 = u32::MAX;
const NO_SPAN: Span = Span { from: ABSENT, to: ABSENT };
const NO_RANK: u8 = u8::MAX;

/// One head (or trailer). Clear it and use it again.
pub(crate) struct Head {
    arena: Vec<u8>,
    slots: [Span; Slot::COUNT],
    attributes: [Span; MOST_ATTRIBUTES],
    request_id: (u8, Span),
    client_ip: (u8, Span),
    /// Fields that stood in a part of the table that was not captured.
    pub unknown: u32,
    /// Names or values that HTTP/2 forbids (RFC 9113, 8.2.1).
    pub is_odd: bool,
}

impl Default for Head {
    fn default() -> Head {
        Head {
            arena: Vec::new(),
            slots: [NO_SPAN; Slot::COUNT],
            attributes: [NO_SPAN; MOST_ATTRIBUTES],
            request_id: (NO_RANK, NO_SPAN),
            client_ip: (NO_RANK, NO_SPAN),
            unknown: 0,
            is_odd: false,
        }
    }
}

impl Head {
    /// Forget the message before.
    pub fn clear(&mut self) {
        let mut arena = std::mem::take(&mut self.arena);
        arena.clear();
        *self = Head { arena, ..Head::default() };
    }

    /// A field's value, "" for an empty or an absent one.
    #[inline]
    pub fn get(&self, slot: Slot) -> &[u8] {
        self.span(self.slots[slot as usize])
    }

    /// The field is there.
    pub const fn has(&self, slot: Slot) -> bool {
        self.slots[slot as usize].from != ABSENT
    }

    /// A field that is a number.
    pub fn number(&self, slot: Slot) -> Option<u64> {
        std::str::from_utf8(self.get(slot)).ok()?.parse().ok()
    }

    /// The request id that its options prefer.
    pub fn request_id(&self) -> &[u8] {
        self.span(self.request_id.1)
    }

    /// The client in front of the proxies.
    pub fn client_ip(&self) -> &[u8] {
        self.span(self.client_ip.1).split(|byte| *byte == b',').next().unwrap_or_default().trim_ascii()
    }

    /// Index and value of each attribute that is there.
    pub fn attributes(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let there = self.attributes.iter().enumerate().filter(|(_, span)| span.from != ABSENT);
        there.map(|(index, span)| (index, self.span(*span)))
    }

    fn span(&self, span: Span) -> &[u8] {
        self.arena.get(span.from as usize..span.to as usize).unwrap_or_default()
    }

    fn keep(&mut self, value: &[u8]) -> Span {
        let from = self.arena.len() as u32;
        self.arena.extend_from_slice(value);
        Span { from, to: self.arena.len() as u32 }
    }
}

/// Fills a head, and the trace that its fields carry.
pub(crate) struct Collect<'a> {
    pub head: &'a mut Head,
    pub trace: &'a mut Trace,
    pub rules: &'a TraceRules,
    pub fields: &'a Fields,
}

impl Sink for Collect<'_> {
    #[inline]
    fn field(&mut self, class: Class, value: &[u8]) {
        let mut kept = None;
        for purpose in self.fields.uses(class) {
            let head = &mut *self.head;
            // The first of several counts, so that a block that repeats a field a thousand times costs no memory.
            let span = match *purpose {
                Use::Trace => {
                    self.rules.see(self.fields.name(class).as_bytes(), value, self.trace);
                    continue;
                }
                Use::Slot(slot) => head.slots[slot as usize].from == ABSENT,
                Use::Attribute(index) => head.attributes[usize::from(index)].from == ABSENT,
                Use::RequestId(rank) => rank < head.request_id.0,
                Use::ClientIp(rank) => rank < head.client_ip.0,
            }
            .then(|| *kept.get_or_insert_with(|| head.keep(value)));
            let Some(span) = span else { continue };
            match *purpose {
                Use::Trace => {}
                Use::Slot(slot) => head.slots[slot as usize] = span,
                Use::Attribute(index) => head.attributes[usize::from(index)] = span,
                Use::RequestId(rank) => head.request_id = (rank, span),
                Use::ClientIp(rank) => head.client_ip = (rank, span),
            }
        }
    }

    fn unknown(&mut self) {
        self.head.unknown = self.head.unknown.saturating_add(1);
    }

    #[inline]
    fn literal(&mut self, name: Option<&[u8]>, value: &[u8]) {
        let is_wrong = |byte: &u8| matches!(byte, 0..=0x20 | b'A'..=b'Z' | 0x7f..=0xff);
        self.head.is_odd |= name.is_some_and(|name| name.is_empty() || name.iter().any(is_wrong))
            || value.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n'));
    }
}
