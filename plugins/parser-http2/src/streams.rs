//! The streams of a connection that are open.

use crate::grpc::{Counter, Speech};
use crate::head::Head;
use std::collections::{BTreeMap, VecDeque};

/// Streams that are followed at once; servers allow 100 to 256. Beyond it the oldest ones are given up.
const MOST_STREAMS: usize = 1024;
/// Streams remembered after a reset: what was on its way for them is no message of its own.
const MOST_RESET: usize = 64;

/// Where something stands in its direction.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    /// Index of the direction.
    pub side: usize,
    pub offset: u64,
    pub time_ns: u64,
    /// Capture time of the last octet.
    pub end_time_ns: u64,
    /// Octets of the frames.
    pub captured: u32,
}

/// A response whose head was seen and whose outcome stands in its trailers.
pub(crate) struct Deferred {
    pub head: Box<Head>,
    pub place: Place,
}

/// What a stream has seen so far.
#[derive(Default)]
pub(crate) struct Stream {
    /// `None`: a head was seen that did not say.
    pub speech: Option<Speech>,
    pub has_request: bool,
    /// The request has a method that calls do not have.
    pub is_no_call: bool,
    /// The response ended with DATA, and not with a header block.
    pub ended_by_data: bool,
    pub has_response: bool,
    /// The response's record was written.
    pub is_told: bool,
    pub deferred: Option<Deferred>,
    /// Messages of each direction, while they are of interest.
    pub counters: [Option<Counter>; 2],
}

impl Stream {
    /// What went in both directions has the form of messages of gRPC.
    pub fn looks_like_rpc(&self) -> bool {
        self.counters.iter().all(|counter| counter.as_ref().is_some_and(Counter::is_aligned))
    }
}

/// Open streams by number.
#[derive(Default)]
pub(crate) struct Streams {
    open: BTreeMap<u32, Stream>,
    reset: VecDeque<u32>,
    /// The highest stream that a client opened.
    pub last_request: u32,
}

impl Streams {
    /// The stream, if it is open.
    pub fn get(&mut self, id: u32) -> Option<&mut Stream> {
        self.open.get_mut(&id)
    }

    /// The stream, opened if need be; the oldest one when there are too many.
    pub fn open(&mut self, id: u32) -> (&mut Stream, Option<(u32, Stream)>) {
        let is_full = self.open.len() >= MOST_STREAMS && !self.open.contains_key(&id);
        let oldest = if is_full { self.open.pop_first() } else { None };
        (self.open.entry(id).or_default(), oldest)
    }

    /// Forget the stream.
    pub fn close(&mut self, id: u32) -> Option<Stream> {
        self.open.remove(&id)
    }

    /// Remember that the stream was reset.
    pub fn note_reset(&mut self, id: u32) {
        if self.reset.len() >= MOST_RESET {
            self.reset.pop_front();
        }
        self.reset.push_back(id);
    }

    /// The stream was reset not long ago.
    pub fn was_reset(&self, id: u32) -> bool {
        self.reset.contains(&id)
    }

    /// Forget all streams above this one (0: all), and give them, lowest first.
    pub fn close_above(&mut self, id: u32) -> BTreeMap<u32, Stream> {
        self.open.split_off(&id.saturating_add(1))
    }

    /// Octets of one direction of a stream were lost.
    pub fn break_counter(&mut self, id: u32, side: usize) {
        if let Some(counter) = self.get(id).and_then(|stream| stream.counters[side].as_mut()) {
            counter.is_broken = true;
        }
    }

    /// Octets of one direction were lost: its counts are not known any more.
    pub fn break_counters(&mut self, side: usize) {
        for counter in self.open.values_mut().filter_map(|stream| stream.counters[side].as_mut()) {
            counter.is_broken = true;
        }
    }
}
