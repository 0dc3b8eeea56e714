//! Frames with any bytes, links and times through the decoder and a small flow table: no panic, nothing lost between
//! packets and reports. Input: frames of `u8 link · u8 time step · u16 length`, then the bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mf_flow::{Config, FlowReport, FlowSink, FlowTable, FlowView, Hints, ReportKind, Segment};
use mf_packet::ip::fragment::Limits;
use mf_packet::{Decoder, DecoderConfig, Direction, Frame};

const LINKS: [u16; 8] = [1, 1, 101, 0, 108, 113, 276, 12];

#[derive(Default)]
struct Count {
    segments: u64,
    seconds: u64,
    minutes: u64,
}

impl FlowSink for Count {
    type Ext = u8;

    fn on_payload(&mut self, _: &FlowView, _: &mut u8, segment: Segment<'_>) -> Hints {
        self.segments += 1;
        Hints { reversed: segment.payload.first() == Some(&0xee), ..Hints::default() }
    }

    fn on_report(&mut self, report: &FlowReport, _: &mut u8) {
        let packets = report.counts.tx.packets + report.counts.rx.packets;
        match report.kind {
            ReportKind::Second => self.seconds += packets,
            _ => self.minutes += packets,
        }
    }

    fn on_close(&mut self, report: &FlowReport, _: u8) {
        self.minutes += report.counts.tx.packets + report.counts.rx.packets;
    }
}

fuzz_target!(|input: &[u8]| {
    let fragments = Limits { bytes: 4096, datagrams: 4, pieces: 8, timeout_ns: 1_000_000_000 };
    let mut decoder = Decoder::new(DecoderConfig { fragments, ..DecoderConfig::default() });
    let mut table = FlowTable::new(Config { max_flows: 8, hash_seed: Some(1), ..Config::default() });
    let (mut sink, mut rest, mut now, mut taken) = (Count::default(), input, 1_000_000_000_000u64, 0);
    while let Some((&[link, step, low, high], tail)) = rest.split_first_chunk::<4>() {
        let len = usize::from(u16::from_le_bytes([low, high])).min(tail.len());
        let (data, tail) = tail.split_at(len);
        rest = tail;
        // Steps above 250 jump far, also back.
        now = match step {
            251 => now.saturating_sub(100_000_000_000),
            252..=255 => now + (u64::from(step) - 251) * 100_000_000_000,
            _ => now + u64::from(step) * 20_000_000,
        };
        let frame = Frame {
            time_ns: now,
            wire_len: len as u32 + u32::from(link >> 4),
            link_type: LINKS[usize::from(link & 7)],
            interface: 0,
            direction: Direction::Unknown,
            vlan_tci: None,
            data,
        };
        if let Some(packet) = decoder.decode(&frame) {
            assert!(packet.payload.len() as u32 <= packet.payload_wire);
            taken += u64::from(packet.frames);
            table.push(&packet, &mut sink);
            assert!(table.len() <= 8);
        }
    }
    table.finish(&mut sink);
    assert_eq!((sink.seconds, sink.minutes), (taken, taken));
    assert!(table.is_empty());
});
