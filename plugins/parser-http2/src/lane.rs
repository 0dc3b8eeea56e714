//! One direction of a connection: where in a frame it is.

use crate::frame::{self, Frame, HEADER};
use crate::hpack::Decoder;
use crate::options::Options;
use crate::resync::{Resync, Trial};
use crate::streams::Place;
use metaflow_parser_sdk::{Records, StreamBuffer};

/// What a client sends first (RFC 9113, 3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// What a server sends before its first frame when a connection was upgraded from HTTP/1.1.
pub(crate) const UPGRADED: &[u8] = b"HTTP/1.1 101";
/// Longest head of that answer.
const LONGEST_UPGRADE: usize = 16 << 10;
/// Octets without a frame after which a direction that lost its place through an error (not a gap) is given up.
const LONGEST_ERROR: u64 = 64 << 10;
/// Octets of a GOAWAY that are looked at: the last stream, the code, and what a person should read.
const GOAWAY_WANTED: usize = HEADER + 8 + 256;

/// What comes next in the direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing was seen yet; `true`: the direction may begin anywhere.
    #[default]
    Start,
    Frames,
    /// Inside a DATA frame whose messages are counted.
    Data(Data),
    /// The place is lost.
    Lost,
    /// Withdrawn: nothing is looked at.
    Over,
}

/// The rest of a DATA frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Data {
    pub stream: u32,
    /// Octets of content, then of padding, that are still to come.
    pub left: u64,
    pub padding: u64,
    pub ends_stream: bool,
    pub time_ns: u64,
}

/// A header block of which CONTINUATION frames are still to come.
#[derive(Debug, Default)]
pub(crate) struct Block {
    pub bytes: Vec<u8>,
    pub stream: u32,
    pub promised: Option<u32>,
    pub ends_stream: bool,
    pub place: Place,
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
pub(crate) enum Step {
    /// The client's preface was passed.
    Preface,
    /// A frame begins here, with as much of it in the buffer as its type needs.
    Frame(Frame),
    /// Inside DATA.
    Data(Data),
    /// More bytes are needed.
    Wait,
    /// This is not HTTP/2: why.
    Violation(&'static str),
}

/// One direction.
#[derive(Default)]
pub(crate) struct Lane {
    pub stream: StreamBuffer,
    pub phase: Phase,
    pub decoder: Decoder,
    pub block: Option<Block>,
    /// The direction began before its first byte here.
    is_joined: bool,
    is_started: bool,
    /// A good frame was seen.
    is_proven: bool,
    since: Since,
}

impl Lane {
    /// The first segment comes.
    pub fn start(&mut self, is_mid_stream: bool) {
        if !self.is_started {
            (self.is_started, self.is_joined) = (true, is_mid_stream);
        }
    }

    /// Move on as far as the bytes allow, up to the next thing to look at.
    pub fn step(&mut self, options: &Options, trial: &mut Trial, out: &mut Records) -> Step {
        loop {
            match self.phase {
                Phase::Over => {
                    self.stream.clear();
                    return Step::Wait;
                }
                Phase::Start => match self.first() {
                    Some(Step::Frame(_)) => {}
                    Some(step) => return step,
                    None => self.lose("joined in the middle of the connection", false),
                },
                Phase::Data(data) => return Step::Data(data),
                Phase::Frames => {
                    let bytes = self.stream.bytes();
                    let Some(frame) = Frame::read(bytes) else { return Step::Wait };
                    let is_strange = frame.kind > frame::CONTINUATION && frame.length > frame::USUAL_LENGTH;
                    let strange = is_strange.then_some("a long frame of no known type");
                    if let Some(reason) = frame.fault().map(|no| no.reason).or(strange) {
                        if !self.is_proven && !self.is_joined {
                            return Step::Violation(reason);
                        }
                        self.lose(reason, true);
                        continue;
                    }
                    self.is_proven = true;
                    let has = bytes.len();
                    return if has < self.wanted(&frame, options) { Step::Wait } else { Step::Frame(frame) };
                }
                Phase::Lost => {
                    let found = trial.find(self.stream.bytes(), options);
                    let (Resync::Found(at) | Resync::Wait(at)) = found;
                    self.stream.consume(at);
                    let passed = self.stream.offset().wrapping_sub(self.since.offset);
                    if self.since.is_error && passed > LONGEST_ERROR {
                        return Step::Violation("no HTTP/2 frame for a long time");
                    }
                    if found == Resync::Wait(at) {
                        return Step::Wait;
                    }
                    self.tell_skipped(out);
                    self.phase = Phase::Frames;
                    self.is_proven = true;
                }
            }
        }
    }

    /// The first bytes: `None` when the place is not known. (A [`Step::Frame`] says to go on; its frame means nothing.)
    fn first(&mut self) -> Option<Step> {
        const GO_ON: Step = Step::Frame(Frame { length: 0, kind: 0, flags: 0, stream: 0 });
        let bytes = self.stream.bytes();
        if bytes.is_empty() {
            return Some(Step::Wait);
        }
        let begins = |with: &[u8]| bytes.iter().zip(with).all(|(a, b)| a == b);
        if begins(PREFACE) {
            if bytes.len() < PREFACE.len() {
                return Some(Step::Wait);
            }
            self.stream.consume(PREFACE.len());
            self.enter();
            return Some(Step::Preface);
        }
        if begins(UPGRADED) {
            return match bytes.windows(4).take(LONGEST_UPGRADE).position(|four| four == b"\r\n\r\n") {
                Some(end) => {
                    self.stream.consume(end + 4);
                    self.enter();
                    Some(GO_ON)
                }
                None if bytes.len() > LONGEST_UPGRADE => Some(Step::Violation("an upgrade without an end")),
                None => Some(Step::Wait),
            };
        }
        if self.is_joined {
            return None;
        }
        self.enter();
        Some(GO_ON)
    }

    /// Frames begin, and nothing came before them.
    fn enter(&mut self) {
        self.decoder.complete();
        self.phase = Phase::Frames;
        self.is_joined = false;
    }

    /// Octets of the frame that must be there before it is looked at.
    fn wanted(&self, frame: &Frame, options: &Options) -> usize {
        match frame.kind {
            frame::HEADERS | frame::PUSH_PROMISE | frame::CONTINUATION => {
                if self.is_too_long(frame, options) {
                    HEADER
                } else {
                    frame.size()
                }
            }
            frame::RST_STREAM => frame.size(),
            frame::GOAWAY => frame.size().min(GOAWAY_WANTED),
            frame::DATA if frame.has(frame::PADDED) && frame.length > 0 => HEADER + 1,
            _ => HEADER,
        }
    }

    /// The header block would pass the limit with this frame.
    pub fn is_too_long(&self, frame: &Frame, options: &Options) -> bool {
        let before = self.block.as_ref().map_or(0, |block| block.bytes.len());
        before + frame.length as usize > options.max_head_bytes
    }

    /// Where the first `size` octets of the buffer stand.
    pub fn place(&self, side: usize, size: usize) -> Place {
        Place {
            side,
            offset: self.stream.offset(),
            time_ns: self.stream.time_ns(),
            end_time_ns: self.stream.time_at(size.saturating_sub(1)),
            captured: size as u32,
        }
    }

    /// The frame at hand is done: pass over it.
    pub fn pass(&mut self, frame: &Frame) {
        self.stream.skip(frame.size() as u64);
    }

    /// The place is lost from here on.
    pub fn lose(&mut self, reason: &'static str, is_error: bool) {
        if self.phase == Phase::Over {
            return;
        }
        if self.phase != Phase::Lost {
            let offset = self.stream.offset().wrapping_add(self.stream.skipping());
            self.since = Since { offset, time_ns: self.stream.time_ns(), reason, is_error };
        }
        self.since.is_error &= is_error;
        if is_error {
            // What looked like a frame is none: the next one begins behind its first byte.
            self.stream.consume(1);
        }
        self.phase = Phase::Lost;
        self.block = None;
        self.decoder.lose();
    }

    /// The connection ends.
    pub fn close(&mut self, out: &mut Records) {
        self.stream.consume(self.stream.len());
        if self.phase == Phase::Lost {
            self.tell_skipped(out);
        }
    }

    fn tell_skipped(&self, out: &mut Records) {
        let Since { offset, time_ns, reason, .. } = self.since;
        let length = self.stream.offset().wrapping_sub(offset);
        if length > 0 {
            out.skipped(offset, time_ns, length, reason);
        }
    }
}
