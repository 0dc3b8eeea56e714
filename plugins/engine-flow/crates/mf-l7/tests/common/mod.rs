//! Fakes shared by the tests: a small random generator, a writer of results, a line protocol's parser, a sink.
#![allow(dead_code)]

pub mod line;
pub mod result;

use mf_l7::{ExchangeEvent, FlowInfo, L7Engine, L7Flow, L7Sink, L7Stats, Segment, TCP};

/// xorshift64*: enough randomness for tests, the same in every run.
pub struct Prng(pub u64);

impl Prng {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() >> 33) as usize % n.max(1)
    }
}

/// What a sink was told, as plain values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub requests: u32,
    pub responses: u32,
    pub client_errors: u32,
    pub server_errors: u32,
    pub timeouts: u32,
    pub rrts: Vec<u64>,
    pub endpoints: Vec<String>,
    pub identified: Vec<(u64, u8, bool)>,
    pub ended: Vec<(u64, L7Stats, String)>,
}

impl L7Sink for Told {
    fn exchange(&mut self, event: &ExchangeEvent<'_>) {
        self.requests += u32::from(event.request);
        self.responses += u32::from(event.response);
        self.client_errors += u32::from(event.client_error);
        self.server_errors += u32::from(event.server_error);
        self.timeouts += u32::from(event.timeout);
        self.rrts.extend(event.rrt_us);
        if event.response == 1 {
            self.endpoints.push(event.endpoint.to_string());
        }
    }

    fn identified(&mut self, info: &FlowInfo, protocol: u8, reversed: bool) {
        self.identified.push((info.flow_id, protocol, reversed));
    }

    fn ended(&mut self, info: &FlowInfo, stats: &L7Stats, last_domain: &str) {
        self.ended.push((info.flow_id, *stats, last_domain.to_string()));
    }
}

pub const MS: u64 = 1_000_000;
pub const START: u64 = 1_700_000_000_000_000_000;

/// A TCP flow 10.0.0.1:40000 -> 10.0.0.2:`port`.
pub fn flow_info(id: u64, port: u16) -> FlowInfo {
    let mut info = FlowInfo::new(id, TCP);
    info.ip[0][..4].copy_from_slice(&[10, 0, 0, 1]);
    info.ip[1][..4].copy_from_slice(&[10, 0, 0, 2]);
    info.port = [40000u16.wrapping_add(id as u16), port];
    info
}

/// A TCP conversation: keeps sequence numbers and time.
pub struct Talk {
    pub flow: L7Flow,
    pub seq: [u32; 2],
    pub now: u64,
}

impl Talk {
    pub fn open(engine: &mut L7Engine, info: &FlowInfo) -> Self {
        Talk { flow: engine.open(info), seq: [1000, 0xffff_fff0], now: START }
    }

    /// SYN and SYN-ACK.
    pub fn handshake(&mut self, engine: &mut L7Engine, sink: &mut dyn L7Sink) {
        for (direction, flags) in [(0u8, 0x02u8), (1, 0x12)] {
            let side = usize::from(direction);
            let segment = Segment {
                time_ns: self.now,
                direction,
                seq: self.seq[side],
                ack: self.seq[side ^ 1],
                flags,
                payload: &[],
                wire_len: 0,
            };
            engine.payload(self.flow, &segment, sink);
            self.seq[side] = self.seq[side].wrapping_add(1);
            self.now += MS;
        }
    }

    /// One segment of payload, 1 ms after the last.
    pub fn say(&mut self, engine: &mut L7Engine, sink: &mut dyn L7Sink, direction: u8, payload: &[u8]) {
        self.lose(direction, payload.len() as u32);
        let side = usize::from(direction);
        let segment = Segment {
            time_ns: self.now,
            direction,
            seq: self.seq[side].wrapping_sub(payload.len() as u32),
            ack: self.seq[side ^ 1],
            flags: 0x18,
            payload,
            wire_len: payload.len() as u32,
        };
        engine.payload(self.flow, &segment, sink);
    }

    /// Bytes that the capture does not bring.
    pub fn lose(&mut self, direction: u8, len: u32) {
        let side = usize::from(direction);
        self.seq[side] = self.seq[side].wrapping_add(len);
        self.now += MS;
    }

    /// FIN or RST.
    pub fn flags(&mut self, engine: &mut L7Engine, sink: &mut dyn L7Sink, direction: u8, flags: u8) {
        let side = usize::from(direction);
        self.now += MS;
        let segment = Segment {
            time_ns: self.now,
            direction,
            seq: self.seq[side],
            ack: self.seq[side ^ 1],
            flags,
            payload: &[],
            wire_len: 0,
        };
        engine.payload(self.flow, &segment, sink);
    }
}

/// Rows of a table as `name=value` lookups.
pub struct Rows(mf_column::Batch);

impl Rows {
    pub fn take(engine: &mut L7Engine, table: mf_l7::L7Table) -> Self {
        Rows(engine.table(table).take())
    }

    pub fn len(&self) -> usize {
        self.0.rows()
    }

    pub fn text(&self, row: usize, name: &str) -> String {
        format!("{:?}", self.value(row, name))
    }

    pub fn value(&self, row: usize, name: &str) -> mf_column::Value<'_> {
        let column = self.0.schema().find(name).unwrap_or_else(|| panic!("no column {name}"));
        self.0.value(row, column)
    }

    pub fn u64(&self, row: usize, name: &str) -> Option<u64> {
        match self.value(row, name) {
            mf_column::Value::U64(value) => Some(value),
            _ => None,
        }
    }

    pub fn str(&self, row: usize, name: &str) -> String {
        match self.value(row, name) {
            mf_column::Value::Str(value) => value.to_string(),
            other => panic!("{name} is {other:?}"),
        }
    }

    /// All rows in words, for comparing runs.
    pub fn dump(&self) -> String {
        let mut out = String::new();
        for row in 0..self.len() {
            for (column, field) in self.0.schema().fields.iter().enumerate() {
                out += &format!("{}={:?} ", field.name, self.0.value(row, column));
            }
            out.push('\n');
        }
        out
    }
}
