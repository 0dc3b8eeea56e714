//! Finding frames in bytes whose place in the stream is not known.

use crate::fields::Slot;
use crate::frame::{self, Frame, NoFrame, HEADER};
use crate::head::{Collect, Head};
use crate::hpack::{Decoder, Scratch};
use crate::options::Options;
use metaflow_parser_sdk::trace::Trace;

/// What bytes are that may be a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guess {
    /// A frame, and what follows it fits.
    Frame,
    /// The head of a request, of a response.
    Request,
    Response,
    /// More bytes are needed.
    More,
    No(NoFrame),
}

/// What a search found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resync {
    /// A frame begins here.
    Found(usize),
    /// No frame begins before this byte.
    Wait(usize),
}

/// A place to try header blocks without harm to a connection's state.
#[derive(Default)]
pub(crate) struct Trial {
    head: Head,
    trace: Trace,
    scratch: Scratch,
}

impl Trial {
    /// The first place where a frame begins.
    pub fn find(&mut self, bytes: &[u8], options: &Options) -> Resync {
        for at in 0..bytes.len() {
            match self.guess(&bytes[at..], options) {
                Guess::Frame | Guess::Request | Guess::Response => return Resync::Found(at),
                Guess::More => return Resync::Wait(at),
                Guess::No(_) => {}
            }
        }
        Resync::Wait(bytes.len())
    }

    /// Whether the bytes begin with a frame: it must be one that senders send, and either a head that can be read or
    /// followed by the header of another frame.
    pub fn guess(&mut self, bytes: &[u8], options: &Options) -> Guess {
        let Some(first) = Frame::read(bytes) else { return partial(bytes) };
        if let Some(no) = first.doubt() {
            return Guess::No(no);
        }
        if first.kind == frame::HEADERS && first.has(frame::END_HEADERS) {
            let Some(payload) = bytes.get(HEADER..first.size()) else { return Guess::More };
            match self.block(&first, payload, options) {
                Ok(Guess::Frame) => {}
                Ok(certain) => return certain,
                Err(no) => return Guess::No(no),
            }
        }
        let Some(rest) = bytes.get(first.size()..) else { return Guess::More };
        let Some(second) = Frame::read(rest) else {
            return match partial(rest) {
                Guess::No(no) => Guess::No(NoFrame { offset: no.offset + first.size(), ..no }),
                other => other,
            };
        };
        let goes_on = matches!(first.kind, frame::HEADERS | frame::CONTINUATION | frame::PUSH_PROMISE)
            && !first.has(frame::END_HEADERS);
        let is_next = second.kind == frame::CONTINUATION && second.stream == first.stream;
        match second.doubt() {
            Some(no) => Guess::No(NoFrame { offset: no.offset + first.size(), ..no }),
            None if goes_on != is_next => {
                Guess::No(NoFrame { reason: "a frame that does not follow the one before", offset: first.size() + 3 })
            }
            None => Guess::Frame,
        }
    }

    fn block(&mut self, first: &Frame, payload: &[u8], options: &Options) -> Result<Guess, NoFrame> {
        let no = |reason| NoFrame { reason, offset: HEADER };
        let (from, to) = frame::content(first, payload).ok_or_else(|| no("padding that does not fit"))?;
        self.head.clear();
        self.trace.clear();
        let mut sink =
            Collect { head: &mut self.head, trace: &mut self.trace, rules: &options.trace, fields: &options.fields };
        let read = Decoder::default().decode(&payload[from..to], &options.fields, &mut self.scratch, &mut sink);
        if let Err(wrong) = read {
            return Err(NoFrame { reason: wrong.reason, offset: HEADER + from + wrong.offset });
        }
        if self.head.is_odd {
            return Err(no("a field that HTTP/2 does not allow"));
        }
        Ok(match (self.head.has(Slot::Method), self.head.has(Slot::Status)) {
            (true, false) => Guess::Request,
            (false, true) => Guess::Response,
            (true, true) => return Err(no("a request that is a response too")),
            (false, false) => Guess::Frame,
        })
    }
}

/// A few bytes that may become a header: what they have must fit already.
fn partial(bytes: &[u8]) -> Guess {
    if let [a, b, c, ..] = *bytes {
        if u32::from_be_bytes([0, a, b, c]) > frame::USUAL_LENGTH {
            return Guess::No(NoFrame { reason: "a frame longer than 16384 bytes", offset: 0 });
        }
    }
    match bytes.get(3) {
        Some(kind) if *kind > frame::CONTINUATION => Guess::No(NoFrame { reason: "no type of a frame", offset: 3 }),
        _ => Guess::More,
    }
}
