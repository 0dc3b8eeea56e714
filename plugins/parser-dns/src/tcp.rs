//! DNS over TCP (RFC 1035, 4.2.2; RFC 7766): messages behind a length of two bytes, and the way back after a loss.

use crate::header::{self, Header};
use crate::message::{check_class, extent, Message};
use crate::name;
use crate::variant::Variant;
use crate::wire::{u16_at, Fault};
use metaflow_parser_sdk::{Appended, Records, Segment, StreamBuffer};

/// Bytes in front of a message.
pub(crate) const PREFIX: usize = 2;
/// The longest message with its length.
const LONGEST: usize = PREFIX + u16::MAX as usize;
/// Bytes that decide whether a message starts here: length, header, and a question of the longest name.
const PROOF: usize = PREFIX + header::SIZE + 255 + 4;

/// A message may lack both bytes of its length, or the first.
const BARE_PLACES: u8 = PREFIX as u8;

/// Bytes of a connection without a message until it is given back.
const MOST_LOST: u64 = 256 << 10;

/// What the bytes at the start of a view are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// A whole message of this many bytes stands behind the length.
    Message(usize),
    /// The head of a message; the rest is to come.
    Begun,
    /// Too few bytes to say.
    More,
    /// Not a message; the offset counts from the length.
    No(Fault),
}

/// Look at the start of a message.
pub(crate) fn start(bytes: &[u8]) -> Start {
    let Ok(length) = u16_at(bytes, 0) else { return Start::More };
    let length = usize::from(length);
    if length < header::SIZE {
        return Start::No(Fault { reason: "a length shorter than a header", offset: 0 });
    }
    let message = &bytes[PREFIX..bytes.len().min(PREFIX + length)];
    if message.len() < header::SIZE {
        return Start::More;
    }
    if let Err(fault) = prove(message, length) {
        // What is wrong may be no more than the end of the bytes.
        if message.len() < length && fault.offset >= message.len() && bytes.len() < PROOF {
            return Start::More;
        }
        return Start::No(Fault { reason: fault.reason, offset: fault.offset + PREFIX });
    }
    if message.len() == length {
        Start::Message(length)
    } else {
        Start::Begun
    }
}

/// The header and the first question.
fn prove(message: &[u8], length: usize) -> Result<(), Fault> {
    let header = Header::read(message)?;
    header.check(length, Variant::Dns)?;
    if header.questions > 0 {
        let at = name::skip(message, header::SIZE)?;
        check_class(u16_at(message, at + 2)?, at + 2)?;
    }
    Ok(())
}

/// One direction of a connection.
#[derive(Default)]
pub(crate) struct Stream {
    buffer: StreamBuffer,
    /// Since where, when and why bytes are of no use.
    lost: Option<(u64, u64, &'static str)>,
    is_started: bool,
    /// Places, from the first byte that was seen on, where a message may stand without (all of) its length: a capture that
    /// begins there has not seen it.
    bare: u8,
    /// The request whose answer is a zone transfer that goes on.
    transfer: Option<u16>,
}

/// A message of a stream: its bytes and where it stands.
pub(crate) struct Found<'a> {
    pub message: &'a [u8],
    /// Bytes of length in front of it.
    pub prefix: usize,
    pub offset: u64,
    pub time_ns: u64,
    pub end_time_ns: u64,
}

impl Stream {
    /// Take the next segment; [`Stream::next`] gives the messages that it completes.
    pub fn append(&mut self, segment: &Segment) {
        if !self.is_started {
            self.is_started = true;
            self.bare = BARE_PLACES;
            if segment.is_mid_stream() {
                self.lost = Some((segment.stream_offset, segment.timestamp_ns, "the start of the flow was not seen"));
            }
        }
        let (offset, time) = (self.buffer.offset(), self.buffer.time_ns());
        let offset = if self.buffer.is_empty() { offset.wrapping_add(self.buffer.skipping()) } else { offset };
        let reason = match self.buffer.append(segment, LONGEST) {
            Appended::InOrder => return,
            Appended::Gap { .. } => "bytes lost in the capture",
            Appended::Overflow { .. } => "more bytes than the parser keeps",
        };
        self.transfer = None;
        self.bare = 0;
        self.lost.get_or_insert((offset, if time == 0 { segment.timestamp_ns } else { time }, reason));
    }

    /// The next whole message, which [`Stream::consume`] then takes away.
    pub fn next(&mut self, out: &mut Records) -> Option<Found<'_>> {
        let (prefix, length) = loop {
            match start(self.buffer.bytes()) {
                Start::More => return None,
                Start::Begun if self.lost.is_none() => return None,
                Start::Message(length) => {
                    self.bare = 0;
                    self.found(out);
                    break (PREFIX, length);
                }
                // Its header and question are proof enough that the way was found.
                Start::Begun => {
                    self.bare = 0;
                    self.found(out);
                }
                Start::No(fault) => {
                    match self.bare.checked_sub(1).map(|_| extent(self.buffer.bytes())) {
                        Some(Ok(Some(length))) => {
                            self.found(out);
                            break (0, length);
                        }
                        Some(Ok(None)) if self.buffer.len() < LONGEST => return None,
                        _ => self.bare = self.bare.saturating_sub(1),
                    }
                    self.lost.get_or_insert((self.buffer.offset(), self.buffer.time_ns(), fault.reason));
                    self.buffer.consume(1);
                    if self.is_hopeless() {
                        return None;
                    }
                }
            }
        };
        Some(Found {
            message: self.buffer.bytes().get(prefix..prefix + length)?,
            prefix,
            offset: self.buffer.offset(),
            time_ns: self.buffer.time_ns(),
            end_time_ns: self.buffer.time_at(prefix + length - 1),
        })
    }

    /// Take the message that was found, its length included, away.
    pub fn consume(&mut self, length: usize) {
        self.buffer.consume(length);
    }

    fn found(&mut self, out: &mut Records) {
        if let Some((offset, time_ns, reason)) = self.lost.take() {
            let length = self.buffer.offset().wrapping_sub(offset);
            if length > 0 {
                out.skipped(offset, time_ns, length, reason);
            }
        }
    }

    /// The place was lost for so long that this is not DNS.
    pub fn is_hopeless(&self) -> bool {
        self.lost.is_some_and(|(offset, ..)| self.buffer.offset().wrapping_sub(offset) > MOST_LOST)
    }

    /// Where the place was lost.
    pub fn lost_at(&self) -> (u64, u64) {
        self.lost.map_or((0, 0), |(offset, time_ns, _)| (offset, time_ns))
    }

    /// The connection ends: tell what was of no use.
    pub fn close(&mut self, out: &mut Records) {
        if self.lost.is_none() && !self.buffer.is_empty() {
            self.lost = Some((self.buffer.offset(), self.buffer.time_ns(), "the flow ended inside a message"));
        }
        self.buffer.consume(usize::MAX);
        self.found(out);
    }

    /// Whether more messages follow this response to a zone transfer: until the SOA record comes again (RFC 5936, 2.2).
    pub fn transfer_goes_on(&mut self, message: &Message) -> bool {
        if !message.is_response || message.rcode != 0 {
            self.transfer = None;
            return false;
        }
        let is_next = self.transfer.is_some_and(|id| id == message.id);
        if !message.is_transfer && !is_next {
            return false;
        }
        // One SOA alone starts a transfer (or is all of an IXFR that has nothing to tell, which a pair survives).
        let is_last = message.ends_with_soa && (is_next || message.answers > 1);
        self.transfer = (!is_last).then_some(message.id);
        !is_last
    }
}
