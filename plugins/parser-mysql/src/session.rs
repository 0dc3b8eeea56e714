//! One connection: its two directions, from bytes of the wire to packets, and the way back after a loss.

use crate::core::{Core, Phase, OUT_OF_TURN};
use crate::entry::{entry_at, Entry};
use crate::lane::Lane;
use crate::message::{At, Kind, Message, Side, Sink};
use crate::options::Options;
use crate::proto::ErrPacket;
use crate::wire::{Codec, Framer, Inflow, Piece};

/// Bytes held back while it is judged whether a command begins there.
const MAX_HOLD: usize = 8192;
/// Bytes kept of a server packet: an error, an OK packet.
const SERVER_KEEP: usize = 1024;

const AFTER_GAP: &str = "bytes after a gap, before the next command could be told";
const NO_PACKET: &str = "bytes that are no packet here, before the next command could be told";

/// One direction.
#[derive(Debug)]
struct Flow {
    side: Side,
    lane: Lane,
    framer: Framer,
    inflow: Option<Box<Inflow>>,
    /// The place of the next compressed packet is not known.
    wire_lost: bool,
    /// Bytes that may be the beginning of a command, and where they begin.
    hold: Vec<u8>,
    hold_at: At,
    /// While lost: the next byte may begin a message.
    may_begin: bool,
    /// While lost: the other side spoke since, so that a message does begin with the next byte.
    resumes: bool,
}

impl Flow {
    fn new(side: Side, keep: usize) -> Self {
        Self {
            side,
            lane: Lane { is_trusted: true, ..Lane::default() },
            framer: Framer::new(keep),
            inflow: None,
            wire_lost: false,
            hold: Vec::new(),
            hold_at: At::default(),
            may_begin: false,
            resumes: false,
        }
    }

    fn lose(&mut self, from: At, reason: &'static str) {
        self.lane.lose(from, reason);
        self.framer.reset();
        self.hold.clear();
        self.may_begin = true;
        self.resumes = false;
    }

    /// The place is known again; what was given up is told.
    fn found<S: Sink>(&mut self, time_ns: u64, sink: &mut S) {
        self.hold.clear();
        self.wire_lost = false;
        self.may_begin = false;
        self.resumes = false;
        if let Some(lost) = self.lane.lost.take().filter(|lost| lost.bytes > 0) {
            sink.emit(&Message {
                kind: Kind::Skipped,
                start: lost.from,
                end_time_ns: time_ns,
                length: lost.bytes,
                exception: lost.reason.as_bytes(),
                ..Message::default()
            });
        }
    }
}

/// The state of one session.
#[derive(Debug)]
pub struct Session {
    core: Core,
    client: Flow,
    server: Flow,
    /// The bytes at hand were inside TLS and captured in the clear.
    is_plaintext: bool,
    /// Bytes of the server are missing: what it asked the client for may be among them (a file, a part of a login).
    has_missed: bool,
    withdrawn: bool,
}

impl Session {
    /// A new session; `mid_stream`: its beginning was not seen.
    pub fn new(options: Options, mid_stream: bool) -> Self {
        let mut session = Self {
            core: Core::new(options),
            client: Flow::new(Side::Client, options.max_statement_bytes + 256),
            server: Flow::new(Side::Server, SERVER_KEEP),
            is_plaintext: false,
            has_missed: false,
            withdrawn: false,
        };
        if mid_stream {
            for flow in [&mut session.client, &mut session.server] {
                flow.lose(At::default(), "bytes before the first command that was seen");
                flow.resumes = flow.side == Side::Client;
            }
        }
        session
    }

    /// Takes the next bytes of one direction; `is_plaintext`: they were inside TLS and captured in the clear.
    pub fn data<S: Sink>(&mut self, side: Side, at: At, data: &[u8], is_plaintext: bool, sink: &mut S) {
        let flow = self.flow(side);
        let (missing, known) = flow.lane.advance(at, data.len());
        if missing > 0 {
            self.missing(side, At { offset: at.offset - missing, ..at }, missing, sink);
        }
        let at = At { offset: at.offset + known as u64, ..at };
        let data = &data[known..];
        if data.is_empty() || self.withdrawn {
            return;
        }
        self.is_plaintext = is_plaintext;
        self.bytes(side, at, data, sink);
    }

    /// Takes the news that `missing` bytes of one direction will never come.
    pub fn gap<S: Sink>(&mut self, side: Side, at: At, missing: u64, sink: &mut S) {
        if self.withdrawn {
            return;
        }
        let flow = self.flow(side);
        let next = *flow.lane.next.get_or_insert(at.offset);
        let end = at.offset.saturating_add(missing);
        if end > next {
            flow.lane.next = Some(end);
            self.missing(side, At { offset: next, ..at }, end - next, sink);
        }
    }

    /// Ends the session; what was given up so far is told.
    pub fn close<S: Sink>(&mut self, time_ns: u64, sink: &mut S) {
        if self.withdrawn {
            return;
        }
        self.core.close(sink);
        for flow in [&mut self.client, &mut self.server] {
            let held = flow.hold.len();
            flow.lane.skip(held);
            flow.found(time_ns, sink);
        }
    }

    fn flow(&mut self, side: Side) -> &mut Flow {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    fn missing<S: Sink>(&mut self, side: Side, at: At, missing: u64, sink: &mut S) {
        self.has_missed |= side == Side::Server;
        let after = At { offset: at.offset.saturating_add(missing), ..at };
        let flow = self.flow(side);
        if flow.wire_lost || (flow.lane.lost.is_some() && flow.inflow.is_none()) {
            let held = flow.hold.len();
            flow.lane.skip(held);
            flow.lose(after, AFTER_GAP);
            return;
        }
        let Some(mut inflow) = flow.inflow.take() else {
            if flow.framer.gap(missing) {
                self.packets(side, after, after.time_ns, 1, &[], sink);
            } else {
                flow.lose(after, AFTER_GAP);
            }
            return;
        };
        let mut reached = Vec::new();
        let kept = inflow.gap(missing, &mut |piece| {
            if let Piece::Missing(at, missing, reason) = piece {
                reached.push((at, missing, reason));
            }
        });
        if !kept {
            inflow.reset();
            flow.wire_lost = true;
            flow.lose(after, AFTER_GAP);
        }
        flow.inflow = Some(inflow);
        for (at, missing, reason) in reached {
            self.plain_missing(side, at, missing, reason, sink);
        }
    }

    /// TLS begins here: a record of a handshake, behind an SSLRequest.
    fn is_ciphertext(&self, data: &[u8]) -> bool {
        self.core.phase == Phase::Tls && !self.is_plaintext && data.first() == Some(&0x16)
    }

    /// The answer to the login was lost, and the client goes on with a command: its packets are in compression where both agreed on it.
    fn logs_in_unseen(&self, data: &[u8]) -> bool {
        let begins = self.client.framer.is_idle() && self.client.inflow.is_none() && data.get(3) == Some(&0);
        begins && self.core.phase == Phase::Auth && self.server.lane.lost.is_some()
    }

    /// Bytes of the wire, in order.
    fn bytes<S: Sink>(&mut self, side: Side, at: At, data: &[u8], sink: &mut S) {
        if self.is_ciphertext(data) {
            let reason = "after SSLRequest the session is TLS, which cannot be read";
            self.withdraw(at, reason, side, sink);
            return;
        }
        if side == Side::Client {
            self.core.is_alone = false;
        } else if self.core.is_alone && self.server.lane.lost.is_some() {
            self.server.may_begin = true;
        }
        if side == Side::Server && self.client.lane.lost.is_some() {
            // The client has been answered: what it sends next begins a command.
            let held = self.client.hold.len();
            self.client.lane.skip(held);
            self.client.hold.clear();
            self.client.may_begin = true;
            self.client.resumes = true;
            if self.server.lane.lost.is_none() {
                self.core.guess();
            }
        }
        if side == Side::Client && self.logs_in_unseen(data) {
            self.core.flush(at, sink);
            if let Some(codec) = self.core.compression.take() {
                self.compress(codec);
            }
        }
        let flow = self.flow(side);
        if flow.wire_lost || (flow.lane.lost.is_some() && flow.inflow.is_none()) {
            self.search(side, at, data, sink);
        } else {
            self.pump(side, at, data, sink);
        }
    }

    /// Looks whether a message begins with these bytes, after the place was lost.
    fn search<S: Sink>(&mut self, side: Side, at: At, data: &[u8], sink: &mut S) {
        let (phase, is_alone) = (self.core.phase, self.core.is_alone);
        let flow = self.flow(side);
        if !flow.may_begin {
            flow.lane.skip(data.len());
            return;
        }
        if flow.hold.is_empty() {
            flow.hold_at = at;
            if let Some(lost) = flow.lane.lost.as_mut().filter(|lost| lost.bytes == 0) {
                lost.from = at;
            }
        }
        let take = data.len().min(MAX_HOLD - flow.hold.len());
        flow.hold.extend_from_slice(&data[..take]);
        let verdict = match side {
            Side::Client => client_entry(&flow.hold, flow.resumes, flow.inflow.is_some()),
            Side::Server => server_entry(&flow.hold, flow.resumes, is_alone, phase),
        };
        match verdict {
            Entry::More if flow.hold.len() < MAX_HOLD => {}
            Entry::More | Entry::No(..) => {
                flow.may_begin = false;
                let held = flow.hold.len();
                flow.lane.skip(held + data.len() - take);
                flow.hold.clear();
            }
            Entry::Command { codec, .. } => {
                if let Some(codec) = codec {
                    self.compress(codec);
                }
                self.resume(side, at, &data[take..], sink);
            }
            Entry::Login => self.resume(side, at, &data[take..], sink),
        }
    }

    fn resume<S: Sink>(&mut self, side: Side, at: At, rest: &[u8], sink: &mut S) {
        let flow = self.flow(side);
        let hold = std::mem::take(&mut flow.hold);
        let hold_at = flow.hold_at;
        flow.found(at.time_ns, sink);
        self.pump(side, hold_at, &hold, sink);
        if !rest.is_empty() {
            let offset = hold_at.offset + hold.len() as u64;
            self.bytes(side, At { offset, ..at }, rest, sink);
        }
    }

    fn compress(&mut self, codec: Codec) {
        for flow in [&mut self.client, &mut self.server] {
            if flow.inflow.is_none() {
                flow.inflow = Some(Box::new(Inflow::new(codec)));
                flow.wire_lost = flow.lane.lost.is_some();
            }
        }
    }

    /// Bytes of the wire whose place is known.
    fn pump<S: Sink>(&mut self, side: Side, at: At, data: &[u8], sink: &mut S) {
        let flow = self.flow(side);
        let Some(mut inflow) = flow.inflow.take() else {
            let used = self.packets(side, at, at.time_ns, 1, data, sink);
            if used < data.len() && !self.withdrawn {
                let at = At { offset: at.offset + used as u64, ..at };
                self.bytes(side, at, &data[used..], sink);
            }
            return;
        };
        inflow.feed(at, data, &mut |piece| match piece {
            Piece::Plain(from, bytes, seq) => self.plain(side, from, at.time_ns, bytes, seq, sink),
            Piece::Missing(from, missing, reason) => self.plain_missing(side, from, missing, reason, sink),
        });
        self.flow(side).inflow = Some(inflow);
    }

    /// Bytes of the plain stream inside compression.
    fn plain<S: Sink>(&mut self, side: Side, at: At, now_ns: u64, data: &[u8], seq: Option<u8>, sink: &mut S) {
        let flow = self.flow(side);
        if flow.lane.lost.is_some() {
            let begins = match side {
                Side::Client => seq == Some(0),
                Side::Server => seq.is_some() && flow.resumes,
            };
            if !begins {
                flow.lane.skip(data.len());
                return;
            }
            flow.found(now_ns, sink);
        }
        let used = self.packets(side, at, now_ns, 0, data, sink);
        self.flow(side).lane.skip(data.len() - used);
    }

    fn plain_missing<S: Sink>(&mut self, side: Side, at: At, missing: u64, reason: &'static str, sink: &mut S) {
        if reason != crate::wire::CUT {
            sink.emit(&Message {
                kind: Kind::Skipped,
                start: at,
                end_time_ns: at.time_ns,
                length: missing,
                exception: reason.as_bytes(),
                ..Message::default()
            });
        }
        let flow = self.flow(side);
        if flow.lane.lost.is_some() {
            return;
        }
        if flow.framer.gap(missing) {
            self.packets(side, at, at.time_ns, 0, &[], sink);
        } else {
            flow.lose(at, AFTER_GAP);
        }
    }

    /// Cuts bytes into packets and hands them on; the number of bytes used, fewer than all when the place is lost.
    fn packets<S: Sink>(&mut self, side: Side, at: At, now_ns: u64, step: u64, data: &[u8], sink: &mut S) -> usize {
        let mut from = 0;
        loop {
            let core = &mut self.core;
            let (flow, server) = match side {
                Side::Client => (&mut self.client, Some(&mut self.server)),
                Side::Server => (&mut self.server, None),
            };
            let here = At { offset: at.offset + step * from as u64, ..at };
            let (used, packet) = flow.framer.feed(here, now_ns, step, &data[from..]);
            from += used;
            let Some(packet) = packet else {
                // A wrong header may announce 16 MiB: it is not waited for.
                let wrong =
                    side == Side::Client && core.expects_command() && flow.framer.opening().is_some_and(|seq| seq != 0);
                if wrong {
                    let start = flow.framer.start();
                    self.wrong(side, start, OUT_OF_TURN, data.len() as u64, sink);
                    return data.len();
                }
                return from;
            };
            let (start, wire) = (packet.start, packet.wire);
            let taken = match server {
                Some(server) => {
                    if server.lane.lost.is_some() && !server.resumes && packet.first_seq == 0 {
                        core.flush(start, sink);
                        let held = server.hold.len();
                        server.lane.skip(held);
                        server.hold.clear();
                        server.resumes = true;
                        server.may_begin = true;
                    }
                    core.client_packet(&packet, sink)
                }
                None => core.server_packet(&packet, sink),
            };
            let codec = core.compression.take();
            if let Err(reason) = taken {
                self.wrong(side, start, reason, wire, sink);
                return from;
            }
            flow.lane.is_trusted = true;
            if let Some(codec) = codec {
                self.compress(codec);
                return from;
            }
            // What comes behind an SSLRequest in the same segment may be no packet any more.
            if from >= data.len() || self.is_ciphertext(&data[from..]) {
                return from;
            }
        }
    }

    /// A packet that fits nothing: the end of the session where the client's place is sure, otherwise a loss.
    fn wrong<S: Sink>(&mut self, side: Side, start: At, reason: &str, bytes: u64, sink: &mut S) {
        if side == Side::Client && self.client.lane.is_trusted && !self.has_missed {
            self.withdraw(start, reason, side, sink);
            return;
        }
        let flow = self.flow(side);
        flow.lose(start, NO_PACKET);
        flow.may_begin = false;
        if let Some(lost) = &mut flow.lane.lost {
            lost.bytes += bytes;
        }
    }

    fn withdraw<S: Sink>(&mut self, at: At, reason: &str, side: Side, sink: &mut S) {
        let who = if side == Side::Client { "client" } else { "server" };
        let text = format!("{reason} (byte {} of the {who}'s stream)", at.offset);
        sink.emit(&Message {
            kind: Kind::Violation,
            start: at,
            end_time_ns: at.time_ns,
            exception: text.as_bytes(),
            ..Message::default()
        });
        self.withdrawn = true;
    }
}

/// Whether the client goes on here. Right after a gap only SQL is proof; after an answer any command is.
fn client_entry(data: &[u8], resumes: bool, is_compressed: bool) -> Entry {
    match entry_at(data) {
        Entry::Command { codec: None, .. } if is_compressed => Entry::No(AFTER_GAP, 0),
        Entry::Command { sure: false, .. } if !resumes => Entry::No(AFTER_GAP, 0),
        entry => entry,
    }
}

/// Whether the server goes on here: a greeting or an error in its place, or the first packet of a response. Of a server whose client
/// is not seen nothing tells where one begins but its number.
fn server_entry(data: &[u8], resumes: bool, is_alone: bool, phase: Phase) -> Entry {
    let Some(&[a, b, _, seq, first]) = data.first_chunk::<5>() else { return Entry::More };
    if (resumes && seq != 0) || (is_alone && seq == 1) || (phase == Phase::Start && seq == 0 && first == 10) {
        return Entry::Login;
    }
    if phase == Phase::Start && seq == 0 && first == 0xff {
        let length = usize::from(u16::from_le_bytes([a, b]));
        return match ErrPacket::read(&data[4..data.len().min(4 + length)]) {
            None if data.len() < 7 => Entry::More,
            Some(err) if (1000..5000).contains(&err.code) && err.message.is_ascii() => Entry::Login,
            _ => Entry::No(AFTER_GAP, 5),
        };
    }
    Entry::No(AFTER_GAP, 3)
}
