//! A connection: its two directions and its streams.

use crate::frame::{self, Frame};
use crate::grpc::Speech;
use crate::head::{Collect, Head};
use crate::held::HeldHeads;
use crate::hpack::Scratch;
use crate::lane::{Block, Data, Lane, Phase, Step};
use crate::options::Options;
use crate::report::{Extent, Pen};
use crate::resync::Trial;
use crate::streams::{Place, Streams};
use metaflow_parser_sdk::lane::behind_cut;
use metaflow_parser_sdk::trace::Trace;
use metaflow_parser_sdk::{Appended, Kind, Records, Segment, StreamBuffer};

/// Octets behind a whole frame of the client that may be missing without harm: a WINDOW_UPDATE, which often ends a call of
/// which only the beginning is kept. A request has four fields at least, which in a frame of this size are indexed all: it
/// cannot change the table.
const HARMLESS: u64 = 13;

/// What all connections share: the options and memory that is used again and again.
#[derive(Default)]
pub(crate) struct Tools {
    pub options: Options,
    pub trace: Trace,
    pub head: Box<Head>,
    // Boxes, because they go to a stream and come back: moving the heads themselves would copy 400 octets each time.
    #[allow(clippy::vec_box)]
    pub spare: Vec<Box<Head>>,
    pub scratch: Scratch,
    pub trial: Trial,
}

/// The state of one connection.
#[derive(Default)]
pub(crate) struct Session {
    pub lanes: [Lane; 2],
    pub streams: Streams,
    /// Heads that wait for the begin of their body.
    pub held: HeldHeads,
    /// The direction of the requests: 0, or 1 when the flow was taken the wrong way round.
    pub client: usize,
    pub is_tls: bool,
    /// What calls on this connection speak, once one was seen: a connection that was joined in the middle has calls
    /// whose content type is not known.
    pub calls: Option<Speech>,
}

/// A header block that was read: where from, and how far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message {
    pub stream: u32,
    pub promised: Option<u32>,
    pub ends_stream: bool,
    pub place: Place,
    pub extent: Extent,
}

impl Session {
    /// Take a data or gap segment.
    pub fn take(&mut self, segment: &Segment, tools: &mut Tools, out: &mut Records) {
        self.is_tls = segment.is_tls_plaintext();
        self.lanes[segment.direction.index()].start(segment.is_mid_stream());
        self.append(segment, tools, out);
        if let Some(gap) = behind_cut(segment) {
            self.append(&gap, tools, out);
        }
    }

    /// The connection ends.
    pub fn close(&mut self, segment: &Segment, tools: &mut Tools, out: &mut Records) {
        if self.lanes.iter().any(|lane| lane.phase == Phase::Over) {
            return;
        }
        self.release_all(tools, out);
        let place = Place { side: 1 - self.client, time_ns: segment.timestamp_ns, ..Place::default() };
        for (id, stream) in self.streams.close_above(0) {
            self.abandon(id, stream, Place { end_time_ns: segment.timestamp_ns, ..place }, tools, out);
        }
        for lane in &mut self.lanes {
            lane.close(out);
        }
    }

    /// What records are written with.
    pub fn pen<'a>(&self, options: &'a Options, out: &'a mut Records) -> Pen<'a> {
        Pen { options, out, is_tls: self.is_tls, is_reversed: self.client == 1, body: &[] }
    }

    fn append(&mut self, segment: &Segment, tools: &mut Tools, out: &mut Records) {
        let side = segment.direction.index();
        if self.lanes[side].stream.is_broken_by(segment) {
            self.lose(segment, tools, out);
        }
        let limit = tools.options.max_head_bytes + (64 << 10);
        match self.lanes[side].stream.append(segment, limit) {
            Appended::Overflow { .. } => self.lanes[side].lose("more bytes than the parser keeps", false),
            Appended::InOrder | Appended::Gap { .. } => {}
        }
        self.advance(side, tools, out);
    }

    /// A hole is about to open behind what there is. When it ends inside the frame at hand, frames go on behind it.
    fn lose(&mut self, segment: &Segment, tools: &mut Tools, out: &mut Records) {
        let side = segment.direction.index();
        self.release_all(tools, out);
        let lane = &mut self.lanes[side];
        match lane.phase {
            Phase::Data(data) => {
                let buffered = lane.stream.len();
                lane.stream.consume(buffered);
                lane.stream.skip((data.left + data.padding).saturating_sub(buffered as u64));
                lane.phase = Phase::Frames;
                self.streams.break_counter(data.stream, side);
                self.data_ended(side, data, tools, out);
            }
            Phase::Frames => {
                if let Some(frame) = Frame::read(lane.stream.bytes()) {
                    self.cut(side, &frame, tools, out);
                }
            }
            Phase::Start | Phase::Lost | Phase::Over => {}
        }
        let is_client = side == self.client;
        let lane = &mut self.lanes[side];
        if is_client && lane.phase == Phase::Frames && lane.stream.is_empty() && lane.block.is_none() {
            let beyond = beyond(&lane.stream, segment);
            if beyond <= HARMLESS {
                lane.stream.skip(beyond);
            }
        }
        if lane.stream.is_broken_by(segment) {
            let here = lane.stream.len();
            if lane.phase != Phase::Lost {
                lane.lose("bytes lost in the capture", false);
            }
            lane.stream.consume(here);
            self.streams.break_counters(side);
        }
    }

    /// The frame at hand is cut by a hole: use what is there of it, and pass over the rest.
    fn cut(&mut self, side: usize, frame: &Frame, tools: &mut Tools, out: &mut Records) {
        let lane = &mut self.lanes[side];
        let has = lane.stream.len();
        if matches!(frame.kind, frame::HEADERS | frame::PUSH_PROMISE | frame::CONTINUATION) {
            let place = lane.place(side, has);
            self.header_frame(side, frame, place, true, tools, out);
            self.lanes[side].decoder.lose();
        }
        self.lanes[side].pass(frame);
    }

    fn advance(&mut self, side: usize, tools: &mut Tools, out: &mut Records) {
        loop {
            match self.lanes[side].step(&tools.options, &mut tools.trial, out) {
                Step::Wait => return,
                Step::Preface => self.client = side,
                Step::Data(data) => {
                    if !self.count(side, data, tools, out) {
                        return;
                    }
                }
                Step::Frame(frame) => self.frame(side, &frame, tools, out),
                Step::Violation(reason) => {
                    let stream = &self.lanes[side].stream;
                    out.violation(stream.offset(), stream.time_ns(), reason);
                    self.lanes.iter_mut().for_each(|lane| lane.phase = Phase::Over);
                    self.streams = Streams::default();
                    self.held.clear();
                }
            }
        }
    }

    fn frame(&mut self, side: usize, frame: &Frame, tools: &mut Tools, out: &mut Records) {
        let lane = &mut self.lanes[side];
        let goes_on = |block: &Block| frame.kind == frame::CONTINUATION && frame.stream == block.stream;
        if lane.block.as_ref().is_some_and(|block| !goes_on(block)) {
            let offset = lane.block.take().map_or(0, |block| block.place.offset);
            let length = lane.stream.offset().wrapping_sub(offset);
            out.skipped(offset, lane.stream.time_ns(), length, "a header block without its end");
            lane.decoder.lose();
        }
        match frame.kind {
            frame::DATA => return self.data(side, frame, tools, out),
            frame::HEADERS | frame::PUSH_PROMISE | frame::CONTINUATION => {
                let is_too_long = lane.is_too_long(frame, &tools.options);
                let place = lane.place(side, frame.size());
                if is_too_long {
                    self.too_long(side, frame, place, tools, out);
                } else {
                    self.header_frame(side, frame, place, false, tools, out);
                }
            }
            frame::RST_STREAM => {
                let place = lane.place(side, frame.size());
                if let Some(code) = word(lane.stream.bytes(), frame::HEADER) {
                    self.reset(frame.stream, code, place, tools, out);
                }
            }
            frame::GOAWAY => {
                let place = lane.place(side, frame.size().min(lane.stream.len()));
                let bytes = lane.stream.bytes();
                if let (Some(last), Some(code)) = (word(bytes, frame::HEADER), word(bytes, frame::HEADER + 4)) {
                    self.go_away(last & 0x7fff_ffff, code, place, tools, out);
                }
            }
            _ => {}
        }
        self.lanes[side].pass(frame);
    }

    /// A frame of a header block, whole or (`is_cut`) as far as it was captured.
    fn header_frame(
        &mut self,
        side: usize,
        frame: &Frame,
        place: Place,
        is_cut: bool,
        tools: &mut Tools,
        out: &mut Records,
    ) {
        let lane = &mut self.lanes[side];
        let bytes = lane.stream.bytes();
        let payload = &bytes[frame::HEADER.min(bytes.len())..frame.size().min(bytes.len())];
        // Of a frame that is cut the padding is not there to be taken off, if all goes well.
        let content = if is_cut {
            let from = frame::content(&Frame { flags: frame.flags & !frame::PADDED, ..*frame }, payload);
            from.map(|(from, to)| ((from + usize::from(frame.has(frame::PADDED))).min(to), to))
        } else {
            frame::content(frame, payload)
        };
        let Some((from, to)) = content else {
            return lane.decoder.lose();
        };
        let promised = (frame.kind == frame::PUSH_PROMISE)
            .then(|| word(payload, from.wrapping_sub(4)).map(|id| id & 0x7fff_ffff))
            .flatten();
        let ends = frame.has(frame::END_HEADERS) || is_cut;
        let fragment = &payload[from..to];
        let ends_stream = frame.kind == frame::HEADERS && frame.has(frame::END_STREAM);
        let (mut message, joined);
        let block = if frame.kind == frame::CONTINUATION {
            // The begin of a block that was not captured may have changed the table.
            let Some(mut block) = lane.block.take() else { return lane.decoder.lose() };
            block.bytes.extend_from_slice(fragment);
            block.place.captured = block.place.captured.saturating_add(place.captured);
            block.place.end_time_ns = place.end_time_ns;
            if !ends {
                lane.block = Some(block);
                return;
            }
            let Block { stream, promised, ends_stream, place, .. } = block;
            message = Message { stream, promised, ends_stream, place, extent: Extent::Whole };
            joined = block.bytes;
            &joined[..]
        } else {
            if !ends {
                let bytes = fragment.to_vec();
                lane.block = Some(Block { bytes, stream: frame.stream, promised, ends_stream, place });
                return;
            }
            message = Message { stream: frame.stream, promised, ends_stream, place, extent: Extent::Whole };
            fragment
        };
        tools.head.clear();
        tools.trace.clear();
        let (options, trace) = (&tools.options, &mut tools.trace);
        let mut sink = Collect { head: &mut tools.head, trace, rules: &options.trace, fields: &options.fields };
        let read = lane.decoder.decode(block, &options.fields, &mut tools.scratch, &mut sink);
        if is_cut {
            message.extent = Extent::Cut;
        } else if let Err(wrong) = read {
            lane.decoder.lose();
            message.extent = Extent::Wrong(wrong);
        }
        self.message(side, message, tools, out);
    }

    fn too_long(&mut self, side: usize, frame: &Frame, place: Place, tools: &mut Tools, out: &mut Records) {
        let lane = &mut self.lanes[side];
        lane.decoder.lose();
        let block = lane.block.take();
        let ends_stream = frame.kind == frame::HEADERS && frame.has(frame::END_STREAM);
        let (place, ends_stream) =
            block.as_ref().map_or((place, ends_stream), |block| (block.place, block.ends_stream));
        if block.is_none() && frame.kind == frame::CONTINUATION {
            return;
        }
        tools.head.clear();
        tools.trace.clear();
        let promised = block.and_then(|block| block.promised);
        let place = Place { captured: 0, ..place };
        self.message(
            side,
            Message { stream: frame.stream, promised, ends_stream, place, extent: Extent::TooLong },
            tools,
            out,
        );
    }

    fn data(&mut self, side: usize, frame: &Frame, tools: &mut Tools, out: &mut Records) {
        let lane = &mut self.lanes[side];
        let time_ns = lane.stream.time_ns();
        let is_counted = self
            .streams
            .get(frame.stream)
            .and_then(|stream| stream.counters[side].as_ref())
            .is_some_and(|counter| !counter.is_broken);
        let is_held = self.held.contains_key(&(frame.stream, side));
        let mut data =
            Data { stream: frame.stream, left: 0, padding: 0, ends_stream: frame.has(frame::END_STREAM), time_ns };
        if !is_counted && !is_held {
            lane.pass(frame);
            return self.data_ended(side, data, tools, out);
        }
        let mut used = frame::HEADER;
        data.left = frame.length.into();
        if frame.has(frame::PADDED) && frame.length > 0 {
            let padding = lane.stream.bytes().get(used).copied().unwrap_or(0).into();
            used += 1;
            data.left -= 1;
            // Padding that does not fit is an error of the sender; the frame has its length all the same.
            data.padding = data.left.min(padding);
            data.left -= data.padding;
        }
        lane.stream.consume(used);
        lane.phase = Phase::Data(data);
    }

    /// Count the messages in DATA; `false` when more bytes are needed.
    fn count(&mut self, side: usize, mut data: Data, tools: &mut Tools, out: &mut Records) -> bool {
        let key = (data.stream, side);
        if let Some(held) = self.held.get_mut(&key) {
            let lane = &mut self.lanes[side];
            let taken = held.take(lane.stream.bytes(), data.left);
            lane.stream.consume(taken);
            data.left -= taken as u64;
            if held.is_full() {
                self.release(key, tools, out);
            } else if data.left > 0 {
                lane.phase = Phase::Data(data);
                return false;
            }
        }
        let lane = &mut self.lanes[side];
        let mut counter = self.streams.get(data.stream).and_then(|stream| stream.counters[side].as_mut());
        while data.left > 0 {
            let passed = counter.as_ref().map_or(u64::MAX, |counter| counter.indifferent()).min(data.left);
            if passed > 0 {
                if let Some(counter) = counter.as_mut() {
                    counter.pass(passed);
                }
                lane.stream.skip(passed);
                data.left -= passed;
            } else {
                let Some(octet) = lane.stream.bytes().first().copied() else {
                    lane.phase = Phase::Data(data);
                    return false;
                };
                if let Some(counter) = counter.as_mut() {
                    counter.see(octet);
                }
                lane.stream.consume(1);
                data.left -= 1;
            }
        }
        lane.stream.skip(data.padding);
        lane.phase = Phase::Frames;
        self.data_ended(side, data, tools, out);
        true
    }

    fn data_ended(&mut self, side: usize, data: Data, tools: &mut Tools, out: &mut Records) {
        if data.ends_stream {
            self.stream_ended(side, data.stream, data.time_ns, tools, out);
        }
    }
}

/// How far a hole goes beyond what is being skipped.
fn beyond(stream: &StreamBuffer, segment: &Segment) -> u64 {
    let length = if segment.kind == Kind::Gap { u64::from(segment.wire_len) } else { 0 };
    let known = stream.offset().wrapping_add(stream.skipping());
    segment.stream_offset.wrapping_add(length).wrapping_sub(known)
}

/// A number of four octets.
fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}
