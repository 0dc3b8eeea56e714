//! Frames with any bytes, links, interfaces and times through the decoder and a small flow table: no panic, nothing lost
//! between packets and reports (fragments that never came together and copies included), and the short way of usual frames
//! says what the walk through the layers says.
//!
//! Input: `u8 flags{1 copies at one place are known too, 2 interfaces have flows of their own, 4 no tunnels}`, then frames of
//! `u8 what{0..15 link, 16 second interface, 32.. bytes that the capture cut} · u8 time step · u16 length` and the bytes. The
//! seeds are made by `crates/mf-packet/tests/seeds.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mf_flow::{Config, FlowReport, FlowSink, FlowTable, FlowView, Hints, ReportKind, Segment};
use mf_packet::ip::fragment::Limits;
use mf_packet::tunnel::TunnelSet;
use mf_packet::{Decoder, DecoderConfig, Direction, Frame};

const NO_TUNNELS: TunnelSet = TunnelSet { vxlan: false, geneve: false, gre: false, ipip: false };

const LINKS: [u16; 16] = [1, 1, 101, 0, 108, 113, 276, 12, 9, 50, 1, 1, 1, 1, 1, 1];

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

/// Whether the frame is IPv4 in Ethernet without tags.
fn is_plain(frame: &Frame<'_>) -> bool {
    frame.link_type == 1 && frame.data.get(12..14) == Some(&[8, 0])
}

fuzz_target!(|input: &[u8]| {
    let Some((&flags, mut rest)) = input.split_first() else { return };
    let fragments = Limits { bytes: 4096, datagrams: 4, pieces: 8, timeout_ns: 1_000_000_000 };
    let tunnels = if flags & 4 == 0 { TunnelSet::default() } else { NO_TUNNELS };
    let config = DecoderConfig { fragments, tunnels, ..DecoderConfig::default() };
    let (mut decoder, mut walker) = (Decoder::new(config), Decoder::new(config));
    let mut table = FlowTable::new(Config {
        max_flows: 8,
        hash_seed: Some(1),
        key_interface: flags & 2 != 0,
        duplicate_ns: u64::from(flags & 1) * 100_000_000,
        ..Config::default()
    });
    let (mut sink, mut now, mut frames, mut taken) = (Count::default(), 1_000_000_000_000u64, 0, 0);
    while let Some((&[what, step, low, high], tail)) = rest.split_first_chunk::<4>() {
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
            wire_len: len as u32 + u32::from(what >> 5),
            link_type: LINKS[usize::from(what & 15)],
            interface: u16::from(what >> 4 & 1),
            direction: Direction::Unknown,
            vlan_tci: None,
            data,
        };
        frames += 1;
        // A tag that the card took off sends the frame through the layers; VLAN 0 is none.
        let is_plain = is_plain(&frame);
        let walked = walker.decode(&Frame { vlan_tci: is_plain.then_some(0), ..frame });
        let found = decoder.decode(&frame);
        if is_plain {
            assert_eq!(format!("{found:?}"), format!("{walked:?}"), "two ways, two packets");
        }
        if let Some(packet) = found {
            assert!(packet.payload.len() as u32 <= packet.payload_wire);
            taken += u64::from(packet.frames);
            table.push(&packet, &mut sink);
            assert!(table.len() <= 8);
        } else {
            taken += give_up(&mut decoder, &mut table, &mut sink);
        }
    }
    decoder.finish();
    taken += give_up(&mut decoder, &mut table, &mut sink);
    assert!(taken <= frames, "{taken} packets of {frames} frames");
    table.finish(&mut sink);
    let left_out = table.counters().get("flow", "duplicate_packet") + table.counters().get("flow", "refused_table_full");
    assert_eq!((sink.seconds + left_out, sink.minutes + left_out), (taken, taken));
    assert!(table.is_empty());
});

/// Frames of datagrams that never came together; how many they were.
fn give_up(decoder: &mut Decoder, table: &mut FlowTable<u8>, sink: &mut Count) -> u64 {
    let mut frames = 0;
    while let Some(packet) = decoder.given_up() {
        assert!(packet.payload.is_empty());
        frames += u64::from(packet.frames);
        table.push(&packet, sink);
    }
    frames
}
