//! One direction of a connection: where in a message it is.

use crate::chunked::{self, ChunkLine};
use crate::resync::{self, Resync};
use crate::{scan, start_line};
use metaflow_parser_sdk::{Kind, Records, Segment, StreamBuffer};

/// Bytes without a message after which a connection that lost its place through an error (not a gap) is given up.
const LONGEST_ERROR: u64 = 64 << 10;

/// What comes next in the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    #[default]
    Head,
    /// The rest of a body of known length.
    Body,
    ChunkSize,
    /// The line end behind a chunk's data, once the data is skipped.
    ChunkEnd,
    Trailers,
    /// Nothing but a body.
    UntilClose,
    /// The place is lost.
    Lost,
    /// Bytes of another protocol, counted as skipped under this name (not at all without one).
    Tunnel(Option<&'static str>),
}

/// Where bytes began to be of no use, and why.
#[derive(Clone, Copy, Debug, Default)]
struct Since {
    offset: u64,
    time_ns: u64,
    reason: &'static str,
    /// The bytes are wrong, rather than missing.
    is_error: bool,
}

/// What moving on gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// A head of this many bytes is there.
    Head(usize),
    /// A head that is longer than the limit begins here.
    TooLong,
    /// More bytes are needed.
    Wait,
    /// This is not HTTP.
    Violation,
    /// What comes through a tunnel is another protocol.
    Foreign,
}

/// What may come instead of the message that is expected next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// Nothing: HTTP goes on.
    #[default]
    None,
    /// A tunnel was opened: of the client that may be another protocol, unless a request comes.
    TunnelClient,
    /// The same of the server, who does not speak first in HTTP.
    TunnelServer,
    /// A body of so many bytes, unless another message comes: a client that was answered before need not send it, and a
    /// response to a HEAD that was not captured has none.
    Body(u64),
}

/// One direction.
#[derive(Default)]
pub(crate) struct Side {
    pub stream: StreamBuffer,
    pub phase: Phase,
    /// Bytes of the head that were searched for its end.
    scanned: usize,
    /// The first line was found good.
    is_verified: bool,
    since: Since,
    pub doubt: Doubt,
    /// Length of the body that is passed over.
    body: u64,
}

impl Side {
    /// Whether a head comes next, and the segment begins with it.
    #[inline]
    pub fn wants_head(&mut self, segment: &Segment) -> bool {
        if matches!(self.doubt, Doubt::TunnelServer | Doubt::Body(_)) {
            return false;
        }
        if self.phase == Phase::Body {
            self.stream.reach(segment);
            if self.stream.skipping() == 0 {
                self.phase = Phase::Head;
            }
        }
        self.phase == Phase::Head && self.stream.skipping() == 0 && self.stream.is_next(segment)
    }

    /// A head of the segment was taken where it lies.
    pub fn pass_head(&mut self, segment: &Segment, length: usize) {
        self.stream.pass(segment, length);
        self.restart();
    }

    /// Whether the segment is part of a body and nothing else: it is passed over then.
    #[inline]
    pub fn pass_body(&mut self, segment: &Segment) -> bool {
        let length = segment.payload.len();
        let is_body = matches!(self.phase, Phase::Body | Phase::UntilClose)
            && length as u64 <= self.stream.skipping()
            && self.stream.is_next(segment);
        if is_body {
            self.stream.pass(segment, length);
            if self.phase == Phase::Body && self.stream.skipping() == 0 {
                self.phase = Phase::Head;
            }
        }
        is_body
    }

    /// Length of the head that the segment begins with, when that is what comes next and more follows it.
    pub fn head_in(&mut self, segment: &Segment, max_head: usize) -> Option<usize> {
        let stream = &self.stream;
        let is_next = self.phase == Phase::Head && segment.kind == Kind::Data && stream.is_empty();
        if !is_next || stream.skipping() != 0 || segment.stream_offset != stream.offset() {
            return None;
        }
        let payload = segment.payload;
        self.scanned = 0;
        match scan::head_end(&payload[..payload.len().min(max_head)], &mut self.scanned) {
            Some(length) => {
                // What was found here is found again at once.
                self.scanned = length.saturating_sub(3);
                (length < payload.len()).then_some(length)
            }
            None => None,
        }
    }

    /// Move on as far as the bytes allow, up to the next head.
    pub fn advance(&mut self, max_head: usize, out: &mut Records) -> Progress {
        loop {
            let bytes = self.stream.bytes();
            match self.phase {
                Phase::Head => {
                    let empty = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
                    if empty > 0 {
                        // Empty lines before a message are to be ignored (RFC 9112, 2.2).
                        self.consume(empty);
                        continue;
                    }
                    if bytes.is_empty() {
                        return Progress::Wait;
                    }
                    match self.doubt {
                        Doubt::TunnelServer => return Progress::Foreign,
                        Doubt::Body(_) if !start_line::begins_for_sure(bytes) => {
                            self.resolve_body();
                            continue;
                        }
                        _ => {}
                    }
                    match (head(bytes, max_head, &mut self.scanned, &mut self.is_verified), self.doubt) {
                        (Err(_) | Ok(Progress::TooLong), Doubt::Body(_)) => self.resolve_body(),
                        (Err(_), Doubt::TunnelClient) => return Progress::Foreign,
                        (Ok(progress), _) => return progress,
                        (Err(reason), _) => self.lose_by_error(reason, 1),
                    }
                }
                Phase::Body if self.stream.skipping() == 0 => self.phase = Phase::Head,
                Phase::ChunkSize => match chunked::size(bytes) {
                    ChunkLine::More => return Progress::Wait,
                    ChunkLine::Wrong => self.lose_by_error("no chunk size where one belongs", 0),
                    ChunkLine::Size(line, 0) => {
                        self.consume(line);
                        self.phase = Phase::Trailers;
                    }
                    ChunkLine::Size(line, size) => {
                        self.consume(line);
                        self.stream.skip(size);
                        self.phase = Phase::ChunkEnd;
                    }
                },
                Phase::ChunkEnd if self.stream.skipping() == 0 => match chunked::end(bytes) {
                    None => return Progress::Wait,
                    Some(0) => self.lose_by_error("a chunk without a line end", 0),
                    Some(length) => {
                        self.consume(length);
                        self.phase = Phase::ChunkSize;
                    }
                },
                Phase::Trailers => match scan::line(&bytes[..bytes.len().min(max_head)], 0) {
                    None if bytes.len() < max_head => return Progress::Wait,
                    None => self.lose_by_error("a trailer without an end", 0),
                    Some((line, next)) => {
                        if line.is_empty() {
                            self.phase = Phase::Head;
                        }
                        self.consume(next);
                    }
                },
                Phase::Lost => match resync::find(bytes) {
                    Resync::Found(at) => {
                        self.consume(at);
                        if self.is_hopeless() {
                            return Progress::Violation;
                        }
                        self.tell_skipped(self.stream.offset(), out);
                        self.phase = Phase::Head;
                    }
                    Resync::Wait(at) => {
                        self.consume(at);
                        return if self.is_hopeless() { Progress::Violation } else { Progress::Wait };
                    }
                },
                Phase::Body | Phase::ChunkEnd | Phase::UntilClose | Phase::Tunnel(_) => return Progress::Wait,
            }
        }
    }

    /// A hole is about to open behind bytes that were searched in vain: take them for a message if they begin like one.
    /// Captures that cut every packet are made of such pieces.
    pub fn try_cut(&mut self, out: &mut Records) {
        if self.phase == Phase::Lost && start_line::begins_cut(self.stream.bytes()) {
            self.tell_skipped(self.stream.offset(), out);
            self.phase = Phase::Head;
        }
    }

    pub fn consume(&mut self, count: usize) {
        self.stream.consume(count);
        self.restart();
    }

    fn restart(&mut self) {
        self.scanned = 0;
        self.is_verified = false;
    }

    /// Bytes of a body that come next. Not those of a tunnel: where it ends is counted.
    pub fn passing(&self) -> u64 {
        match self.phase {
            // Whether it comes at all is seen from its first bytes.
            Phase::Body if self.is_untouched() => 0,
            Phase::Body | Phase::ChunkEnd | Phase::UntilClose => self.stream.skipping(),
            _ => 0,
        }
    }

    /// Pass over the next bytes and go on with what is behind them.
    pub fn skip_body(&mut self, length: u64) {
        self.body = length;
        self.stream.skip(length);
        self.phase = Phase::Body;
    }

    /// A body comes next, and nothing of it was seen.
    fn is_untouched(&self) -> bool {
        self.phase == Phase::Body && self.stream.skipping() == self.body && self.stream.is_empty()
    }

    /// The request was answered: nothing of its body was sent, and it may be left out.
    pub fn answered(&mut self) {
        if self.is_untouched() && self.body > 0 {
            self.stream.stop_skipping();
            self.doubt_body(self.body);
        }
    }

    /// A body of so many bytes comes next, or another message.
    pub fn doubt_body(&mut self, length: u64) {
        self.doubt = Doubt::Body(length);
        self.phase = Phase::Head;
    }

    /// What came is that body, if there was a doubt.
    pub fn resolve_body(&mut self) {
        if let Doubt::Body(length) = self.doubt {
            self.doubt = Doubt::None;
            self.restart();
            self.skip_body(length);
        }
    }

    /// Everything from here on is a body.
    pub fn skip_until_close(&mut self) {
        self.stream.skip(u64::MAX);
        self.phase = Phase::UntilClose;
    }

    /// Everything from here on is another protocol; with a name it is counted when the connection ends.
    pub fn tunnel(&mut self, name: Option<&'static str>, time_ns: u64) {
        self.doubt = Doubt::None;
        if self.phase != Phase::Lost {
            // The rest of a body belongs to HTTP yet, whether it was shown or left out; of one without an end that is all.
            let offset = self.stream.offset().wrapping_add(self.stream.skipping().min(i64::MAX as u64));
            self.since = Since { offset, time_ns, reason: "", is_error: false };
        }
        self.stream.clear();
        self.stream.skip(u64::MAX);
        self.restart();
        self.phase = Phase::Tunnel(name);
    }

    /// The bytes that come are wrong; `step` of them are passed over, so that the search does not find them again.
    pub fn lose_by_error(&mut self, reason: &'static str, step: usize) {
        self.since = Since { offset: self.stream.offset(), time_ns: self.stream.time_ns(), reason, is_error: true };
        self.consume(step);
        self.phase = Phase::Lost;
    }

    /// Bytes are missing from the end of what there is. `used`: the bytes before them were reported.
    pub fn lose_by_gap(&mut self, used: bool, time_ns: u64, reason: &'static str) {
        if self.phase != Phase::Lost {
            let seen = if used { self.stream.len() as u64 } else { 0 };
            let offset = self.stream.offset().wrapping_add(seen).wrapping_add(self.stream.skipping());
            let has_bytes = !used && !self.stream.is_empty();
            let time_ns = if has_bytes { self.stream.time_ns() } else { time_ns };
            self.since = Since { offset, time_ns, reason, is_error: false };
        }
        self.since.is_error = false;
        self.restart();
        self.phase = Phase::Lost;
    }

    /// The flow was seen from its middle on: look for the first message.
    pub fn start_in_the_middle(&mut self, offset: u64, time_ns: u64) {
        self.since = Since { offset, time_ns, reason: "the start of the flow was not seen", is_error: false };
        self.phase = Phase::Lost;
    }

    /// The connection ends: tell what was of no use.
    pub fn close(&mut self, out: &mut Records) {
        self.resolve_body();
        match self.phase {
            Phase::Head if !self.stream.is_empty() => {
                self.since = Since {
                    offset: self.stream.offset(),
                    time_ns: self.stream.time_ns(),
                    reason: "the flow ended inside a head",
                    is_error: false,
                };
            }
            Phase::Tunnel(Some(name)) => self.since.reason = name,
            Phase::Lost => {}
            _ => return,
        }
        self.tell_skipped(self.stream.offset().wrapping_add(self.stream.len() as u64), out);
    }

    fn tell_skipped(&self, end: u64, out: &mut Records) {
        let length = end.wrapping_sub(self.since.offset);
        if length as i64 > 0 {
            out.skipped(self.since.offset, self.since.time_ns, length, self.since.reason);
        }
    }

    /// An error that lasts: this is not HTTP any more.
    fn is_hopeless(&self) -> bool {
        self.since.is_error && self.stream.offset().wrapping_sub(self.since.offset) > LONGEST_ERROR
    }

    /// Where and when the bytes that are of no use began.
    pub fn lost_at(&self) -> (u64, u64) {
        (self.since.offset, self.since.time_ns)
    }
}

/// The head at the start of the bytes; an error says why they are not one.
fn head(bytes: &[u8], max_head: usize, scanned: &mut usize, is_verified: &mut bool) -> Result<Progress, &'static str> {
    let within = &bytes[..bytes.len().min(max_head)];
    if !*is_verified {
        // Look at the first line as soon as it is there: what is no head must not be waited for.
        let verdict = match start_line::first(within) {
            Some((verdict, _)) => verdict.map(|_| true),
            None => start_line::could_begin(within).map(|()| false),
        };
        *is_verified = verdict.map_err(|_| "no first line of HTTP where one belongs")?;
    }
    match scan::head_end(within, scanned) {
        Some(length) => Ok(Progress::Head(length)),
        None if bytes.len() >= max_head => Ok(Progress::TooLong),
        None => Ok(Progress::Wait),
    }
}
