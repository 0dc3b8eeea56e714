//! A session: two directions cut into packets, and what is done after a loss.

use crate::dialogue::{Dialogue, Packet, Tools};
use crate::frame::{header, Framed, Header, LONGEST};
use crate::packet;
use metaflow_parser_sdk::lane::{behind_cut, Lane};
use metaflow_parser_sdk::{Direction, Records, Segment};

const NO_PACKET: &str = "bytes that are no packet of MQTT";
/// Longest packet whose shape is checked after a loss.
const LONGEST_SHAPE: u64 = 8 << 10;

/// A session.
#[derive(Default)]
pub(crate) struct Session {
    lanes: [Lane; 2],
    dialogue: Dialogue,
    is_over: bool,
}

impl Session {
    /// Takes a data or gap segment.
    pub fn take(&mut self, segment: &Segment, tools: &mut Tools, out: &mut Records) {
        if self.is_over {
            return;
        }
        let direction = segment.direction;
        if self.lanes[direction.index()].stream.is_broken_by(segment) {
            self.cut(direction, tools, out);
        }
        if self.lanes[direction.index()].append(segment, LONGEST + 5) {
            self.dialogue.lost(direction);
        }
        while !self.is_over && self.step(direction, tools, out) {}
        if let Some(gap) = behind_cut(segment) {
            self.take(&gap, tools, out);
        } else {
            out.pass_over(self.lanes[direction.index()].stream.skipping());
        }
    }

    /// The session is over.
    pub fn close(&mut self, out: &mut Records) {
        if !self.is_over {
            self.lanes.iter_mut().for_each(|lane| lane.close(out));
        }
    }

    /// Bytes will be missing behind those that are there: a packet whose head is there is taken as it is.
    fn cut(&mut self, direction: Direction, tools: &mut Tools, out: &mut Records) {
        let lane = &self.lanes[direction.index()];
        if let (false, Framed::Header(found)) = (lane.is_lost(), header(direction, lane.stream.bytes())) {
            self.packet(direction, found, false, tools, out);
        }
    }

    fn step(&mut self, direction: Direction, tools: &mut Tools, out: &mut Records) -> bool {
        let lane = &mut self.lanes[direction.index()];
        let bytes = lane.stream.bytes();
        if bytes.is_empty() {
            return false;
        }
        if lane.is_lost() {
            return self.search(direction, out);
        }
        match header(direction, bytes) {
            Framed::More => false,
            Framed::Header(found) if bytes.len() < found.wanted => false,
            Framed::Header(found) => {
                self.packet(direction, found, true, tools, out);
                true
            }
            Framed::No(reason, _) if direction == Direction::ClientToServer && lane.is_proven() => {
                let text = format!("{reason} (byte {} of the client's stream)", lane.stream.offset());
                out.violation(lane.stream.offset(), lane.stream.time_ns(), &text);
                self.lanes = Default::default();
                self.is_over = true;
                false
            }
            Framed::No(..) => {
                lane.lose(NO_PACKET);
                lane.stream.consume(1);
                true
            }
        }
    }

    fn packet(&mut self, direction: Direction, found: Header, is_whole: bool, tools: &mut Tools, out: &mut Records) {
        let lane = &mut self.lanes[direction.index()];
        let bytes = lane.stream.bytes();
        let end = bytes.len().min(found.wanted);
        let is_whole = is_whole && found.wanted as u64 == found.total;
        let packet = Packet {
            header: found,
            body: bytes.get(found.size..end).unwrap_or_default(),
            offset: lane.stream.offset(),
            time_ns: lane.stream.time_ns(),
            end_ns: is_whole.then(|| lane.stream.time_at(end.saturating_sub(1))),
        };
        self.dialogue.take(direction, &packet, tools, out);
        lane.stream.skip(found.total);
        lane.prove();
    }

    /// Looks for the next packet after a loss.
    fn search(&mut self, direction: Direction, out: &mut Records) -> bool {
        let version = self.dialogue.version;
        let lane = &mut self.lanes[direction.index()];
        let bytes = lane.stream.bytes();
        for at in 0..bytes.len() {
            match is_packet(direction, &bytes[at..], version) {
                Some(false) => {}
                Some(true) => {
                    lane.stream.consume(at);
                    lane.found(out);
                    return true;
                }
                None => {
                    lane.stream.consume(at);
                    return false;
                }
            }
        }
        let all = bytes.len();
        lane.stream.consume(all);
        false
    }
}

/// Whether a packet that can be trusted begins here; `None` when more bytes are needed. What has little shape of its own
/// must be followed by the head of another packet.
fn is_packet(direction: Direction, bytes: &[u8], version: Option<u8>) -> Option<bool> {
    let found = match header(direction, bytes) {
        Framed::No(..) => return Some(false),
        Framed::More => return None,
        Framed::Header(found) => found,
    };
    if found.total > LONGEST_SHAPE {
        return Some(false);
    }
    let total = found.wanted;
    if bytes.len() < total {
        return None;
    }
    let shape = packet::has_shape(&found, &bytes[found.size..total], version);
    if shape.is_some() {
        return shape;
    }
    match header(direction, &bytes[total..]) {
        Framed::No(..) => Some(false),
        Framed::More => None,
        Framed::Header(_) => Some(true),
    }
}
