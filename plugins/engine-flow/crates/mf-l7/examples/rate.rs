//! How long the L7 side takes for a segment and an exchange: `cargo run --release -p mf-l7 --example rate`.
//!
//! Ping-pong exchanges of a small text protocol over many flows, with a parser that does as little as one can (finds
//! the length, writes a record), so that the time is the engine's. Prints nanoseconds and exchanges per second.

use std::time::Instant;

use mf_l7::{
    Fault, FlowInfo, L7Engine, L7Options, L7Table, NoSink, ParserDescription, ParserRuntime, Runtime, Segment, TCP,
};

/// One message a segment; `G...` is a request.
#[derive(Default)]
struct Quick {
    arena: Vec<u8>,
    out: Vec<u8>,
    /// Only every so many segments is a message (0 and 1: each).
    every: u32,
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

impl Quick {
    fn column(&mut self, id: u16, ty: u8, data: impl Fn(&mut Vec<u8>)) {
        self.out.extend_from_slice(&id.to_le_bytes());
        self.out.extend_from_slice(&[ty, 0, 0, 0, 0, 0]);
        let start = self.out.len();
        data(&mut self.out);
        let padded = (self.out.len() - start).next_multiple_of(8);
        self.out.resize(start + padded, 0);
        self.out[start - 4..start].copy_from_slice(&(padded as u32).to_le_bytes());
    }

    fn header(&mut self, magic: &[u8; 4], rows: u32, columns: u32) {
        self.out.clear();
        self.out.extend_from_slice(magic);
        for value in [rows, columns, 0] {
            self.out.extend_from_slice(&value.to_le_bytes());
        }
    }
}

impl ParserRuntime for Quick {
    fn input(&mut self, cap: usize) -> Option<&mut [u8]> {
        if self.arena.len() < cap {
            self.arena.resize(cap, 0);
        }
        Some(&mut self.arena)
    }

    fn check(&mut self, _len: usize) -> Result<&[u8], Fault> {
        let count = word(&self.arena, 4);
        self.header(b"MFC1", count, 1);
        self.column(1, 1, |out| out.resize(out.len() + count as usize, 2));
        Ok(&self.out)
    }

    fn parse(&mut self, _len: usize) -> Result<&[u8], Fault> {
        let mut rows: Vec<(u32, u8, u64, u64)> = Vec::new();
        let count = word(&self.arena, 4);
        let mut at = 16;
        for index in 0..count {
            let kind = if self.arena[at + 5] == 0 { 1 } else { 2 };
            if self.arena[at + 4] == 0 && (index / 2) % self.every.max(1) == 0 {
                let time = u64::from_le_bytes(self.arena[at + 16..at + 24].try_into().unwrap());
                let offset = u64::from_le_bytes(self.arena[at + 24..at + 32].try_into().unwrap());
                rows.push((index, kind, time, offset));
            }
            at += word(&self.arena, at) as usize;
        }
        self.header(b"MFR1", rows.len() as u32, 11);
        let rows = &rows;
        self.column(1, 3, |out| rows.iter().for_each(|row| out.extend_from_slice(&row.0.to_le_bytes())));
        self.column(2, 1, |out| out.extend(rows.iter().map(|row| row.1)));
        self.column(3, 1, |out| out.extend(rows.iter().map(|_| 0)));
        self.column(4, 2, |out| rows.iter().for_each(|_| out.extend_from_slice(&200u32.to_le_bytes())));
        self.column(7, 4, |out| rows.iter().for_each(|row| out.extend_from_slice(&row.3.to_le_bytes())));
        self.column(8, 4, |out| rows.iter().for_each(|row| out.extend_from_slice(&row.2.to_le_bytes())));
        self.column(10, 4, |out| rows.iter().for_each(|_| out.extend_from_slice(&160u64.to_le_bytes())));
        let requests: [(u16, &str); 4] =
            [(16, "GET"), (17, "shop.example.com"), (18, "/api/v1/items/4711?page=2"), (19, "/api/v1")];
        for (id, text) in requests {
            self.column(id, 5, |out| {
                let mut end = 0u32;
                out.extend_from_slice(&end.to_le_bytes());
                for row in rows {
                    end += if row.1 == 1 { text.len() as u32 } else { 0 };
                    out.extend_from_slice(&end.to_le_bytes());
                }
                rows.iter().filter(|row| row.1 == 1).for_each(|_| out.extend_from_slice(text.as_bytes()));
            });
        }
        Ok(&self.out)
    }
}

fn main() {
    let arg =
        |at: usize, default: usize| std::env::args().nth(at).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (flows, rounds) = (arg(1, 40), arg(2, 25_000));
    let mut options = L7Options { batch_bytes: arg(3, 1 << 20), ..L7Options::default() };
    options.messages = arg(4, 0) == 1;
    let mut engine = L7Engine::new(options);
    let mut description = ParserDescription::new("quick", 20, "HTTP");
    description.ports = vec![(80, 80)];
    engine
        .add_parser(description, Runtime::Native(Box::new(Quick { every: arg(5, 1) as u32, ..Quick::default() })))
        .unwrap();
    let mut handles: Vec<_> = (0..flows)
        .map(|id| {
            let mut info = FlowInfo::new(id as u64, TCP);
            info.port = [1024 + id as u16, 80];
            engine.open(&info)
        })
        .collect();
    let payload = [b'G'; 160];
    let mut sink = NoSink;
    let (mut now, mut rows) = (1_700_000_000_000_000_000u64, 0);
    let churn = arg(6, 0) == 1;
    let mut parsing = 0u128;
    let begin = Instant::now();
    for round in 0..rounds {
        for (id, handle) in handles.iter_mut().enumerate() {
            if churn && round > 0 {
                engine.close(*handle, &mut sink);
                let mut info = FlowInfo::new((round * flows + id) as u64, TCP);
                info.port = [1024 + round as u16, 80];
                *handle = engine.open(&info);
            }
            let flow = *handle;
            for direction in 0..2u8 {
                now += 500;
                let seq = (round * payload.len()) as u32;
                let segment =
                    Segment { time_ns: now, direction, seq, ack: seq, flags: 0x18, payload: &payload, wire_len: 160 };
                engine.payload(flow, &segment, &mut sink);
            }
        }
        if (round * flows) % 4096 < flows {
            engine.flush_block(now, &mut sink);
            rows += engine.table(L7Table::FlowLog).take().rows();
            rows += engine.table(L7Table::Message).take().rows();
        }
    }
    engine.finish(&mut sink);
    rows += engine.table(L7Table::FlowLog).take().rows();
    let total = begin.elapsed().as_nanos();
    // The parser alone, on the same number of segments, to subtract.
    let mut quick = Quick { every: arg(5, 1) as u32, ..Quick::default() };
    let mut batch = mf_l7::abi::Batch::default();
    while batch.len() < 4096 {
        batch.push(mf_l7::abi::SegmentHead { direction: batch.len() as u8 & 1, ..Default::default() }, &payload);
    }
    let segments = flows * rounds * 2;
    for _ in 0..segments / 4096 {
        let len = batch.bytes().len();
        let arena = quick.input(len).unwrap();
        arena[..len].copy_from_slice(batch.bytes());
        let start = Instant::now();
        let bytes = quick.parse(len).unwrap().len();
        parsing += start.elapsed().as_nanos() + u128::from(bytes == 0);
    }
    let engine_ns = total.saturating_sub(parsing) as f64 / segments as f64;
    println!(
        "{flows} flows, {segments} segments, {rows} rows: {:.0} ns a segment with parser and rows, {engine_ns:.0} without the parser; {:.2} M exchanges/s",
        total as f64 / segments as f64,
        segments as f64 / 2.0 / (total as f64 / 1e9) / 1e6,
    );
}
