//! A conversation for tests: packets by hand into a flow table, everything it says noted.
#![allow(dead_code)]

#[path = "../../../mf-packet/tests/build/mod.rs"]
pub mod build;

use build::{eth, frame_at, ip4, tcp, udp, Seg};
use mf_flow::{Config, FlowReport, FlowSink, FlowTable, FlowView, Hints, ReportKind, Segment, Way};
use mf_packet::Decoder;

pub const MS: u64 = 1_000_000;
pub const SECOND: u64 = 1_000 * MS;
/// A natural minute, so that tests can count from it.
pub const START: u64 = 1_700_000_040 * SECOND;

pub const FIN: u8 = 1;
pub const SYN: u8 = 2;
pub const RST: u8 = 4;
pub const PSH: u8 = 8;
pub const ACK: u8 = 16;

/// What a sink noted of a segment.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    pub way: Way,
    pub seq: u32,
    pub flags: u8,
    pub payload: Vec<u8>,
    pub retransmission: bool,
}

/// Notes everything; `answer` is the hint given for every segment, `later` the one given before the next report.
#[derive(Default)]
pub struct Log {
    pub segments: Vec<Heard>,
    pub seconds: Vec<FlowReport>,
    pub minutes: Vec<FlowReport>,
    pub closed: Vec<FlowReport>,
    pub reversed: usize,
    pub answer: Hints,
    pub later: Hints,
}

impl FlowSink for Log {
    type Ext = u32;

    fn on_payload(&mut self, _: &FlowView, ext: &mut u32, segment: Segment<'_>) -> Hints {
        *ext += 1;
        self.segments.push(Heard {
            way: segment.way,
            seq: segment.seq,
            flags: segment.flags,
            payload: segment.payload.to_vec(),
            retransmission: segment.retransmission,
        });
        self.answer
    }

    fn on_report(&mut self, report: &FlowReport, _: &mut u32) {
        match report.kind {
            ReportKind::Second => self.seconds.push(report.clone()),
            _ => self.minutes.push(report.clone()),
        }
    }

    fn on_close(&mut self, report: &FlowReport, _: u32) {
        self.closed.push(report.clone());
    }

    fn hints(&mut self, _: &FlowView, _: &mut u32) -> Hints {
        std::mem::take(&mut self.later)
    }

    fn on_reverse(&mut self, _: &FlowView, _: &mut u32) {
        self.reversed += 1;
    }
}

/// A table, its sink and a clock in milliseconds since [`START`].
pub struct Talk {
    pub table: FlowTable<u32>,
    pub log: Log,
    decoder: Decoder,
    /// Port of the client and of the server.
    pub ports: (u16, u16),
    /// Window that packets advertise.
    pub window: u16,
}

impl Talk {
    pub fn new() -> Self {
        Self::with(Config::default())
    }

    pub fn with(config: Config) -> Self {
        Self {
            table: FlowTable::new(config),
            log: Log::default(),
            decoder: Decoder::default(),
            ports: (40000, 80),
            window: 1000,
        }
    }

    /// Any frame at a time.
    pub fn frame(&mut self, at_ns: u64, data: &[u8]) {
        let packet = self
            .decoder
            .decode(&frame_at(START + at_ns, data))
            .expect("a packet");
        self.table.push(&packet, &mut self.log);
    }

    fn segment(
        &mut self,
        ms: u64,
        from_client: bool,
        flags: u8,
        seq: u32,
        ack: u32,
        payload: &[u8],
    ) {
        let (client, server) = ([10, 0, 0, 1], [10, 0, 0, 2]);
        let (src, dst, ports) = if from_client {
            (client, server, self.ports)
        } else {
            (server, client, (self.ports.1, self.ports.0))
        };
        let seg = tcp(Seg {
            src: ports.0,
            dst: ports.1,
            seq,
            ack,
            flags,
            window: self.window,
            payload,
        });
        self.frame(ms * MS, &eth(0x0800, &ip4(src, dst, 6, &seg)));
    }

    /// A TCP packet of the client.
    pub fn c(&mut self, ms: u64, flags: u8, seq: u32, ack: u32, payload: &[u8]) {
        self.segment(ms, true, flags, seq, ack, payload);
    }

    /// A TCP packet of the server.
    pub fn s(&mut self, ms: u64, flags: u8, seq: u32, ack: u32, payload: &[u8]) {
        self.segment(ms, false, flags, seq, ack, payload);
    }

    /// SYN at `ms`, SYN-ACK 20 ms and ACK 30 ms later; the client's next byte is 101, the server's 501.
    pub fn handshake(&mut self, ms: u64) {
        self.c(ms, SYN, 100, 0, b"");
        self.s(ms + 20, SYN | ACK, 500, 101, b"");
        self.c(ms + 30, ACK, 101, 501, b"");
    }

    /// FIN of the client, FIN of the server, last ACK.
    pub fn goodbye(&mut self, ms: u64, c: u32, s: u32) {
        self.c(ms, FIN | ACK, c, s, b"");
        self.s(ms + 1, FIN | ACK, s, c + 1, b"");
        self.c(ms + 2, ACK, c + 1, s + 1, b"");
    }

    pub fn udp(&mut self, ms: u64, from_client: bool, payload: &[u8]) {
        let (client, server) = ([10, 0, 0, 1], [10, 0, 0, 2]);
        let data = if from_client {
            ip4(
                client,
                server,
                17,
                &udp(self.ports.0, self.ports.1, payload),
            )
        } else {
            ip4(
                server,
                client,
                17,
                &udp(self.ports.1, self.ports.0, payload),
            )
        };
        self.frame(ms * MS, &eth(0x0800, &data));
    }

    /// Lets time pass without packets.
    pub fn wait(&mut self, ms: u64) {
        self.table.tick(START + ms * MS, &mut self.log);
    }

    pub fn finish(&mut self) {
        self.table.finish(&mut self.log);
    }

    /// The only closed flow.
    pub fn only(&self) -> &FlowReport {
        assert_eq!(self.log.closed.len(), 1);
        &self.log.closed[0]
    }
}
