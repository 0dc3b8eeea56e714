//! Any bytes as a parser's answer: decoding never panics, the engine goes on, and every session ends.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mf_l7::abi::{Checks, Records, Texts};
use mf_l7::{FlowInfo, L7Engine, L7Options, NoSink, Op, Pairing, ParserDescription, Runtime, Segment, TCP};

/// One verdict "request" for each of `count` segments.
fn verdicts(count: u32) -> Vec<u8> {
    let size = (count as usize).next_multiple_of(8);
    let mut out = b"MFC1".to_vec();
    for word in [count, 1, 0, 1 | 1 << 16, size as u32] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.resize(out.len() + count as usize, 2);
    out.resize(24 + size, 0);
    out
}

fuzz_target!(|input: &[u8]| {
    if let Ok(records) = Records::read(input) {
        for row in (0..records.rows().min(1000)).chain([usize::MAX]) {
            let mut texts = Texts::NONE;
            records.texts(row, &mut texts);
            assert!(texts.0.iter().all(|text| text.len() <= input.len()));
            for id in 0..40 {
                let _ = (records.u8(id, row), records.u32(id, row), records.u64(id, row), records.i32(id, row));
            }
        }
    }
    if let Ok(checks) = Checks::read(input, 3) {
        let _ = (0..4).map(|row| checks.row(row)).count();
    }
    for pairing in [Pairing::Fifo, Pairing::Keyed] {
        let mut engine = L7Engine::new(L7Options { pending_per_flow: 8, pending_total: 16, ..L7Options::default() });
        let mut description = ParserDescription::new("fuzz", 127, "Fuzz");
        description.pairing = pairing;
        if engine.add_parser(description, Runtime::External).is_err() {
            return;
        }
        let mut sink = NoSink;
        let flows = [1u64, 2, 3].map(|id| engine.open(&FlowInfo::new(id, TCP)));
        for round in 0..3u32 {
            for (at, &flow) in flows.iter().enumerate() {
                for direction in 0..2u8 {
                    let payload = b"0123456789";
                    let segment = Segment {
                        time_ns: u64::from(round) * 1_000_000_000 + at as u64,
                        direction,
                        seq: round * 10,
                        ack: 0,
                        flags: 0x18,
                        payload,
                        wire_len: 10,
                    };
                    engine.payload(flow, &segment, &mut sink);
                }
            }
            for _ in 0..4 {
                let Some(work) = engine.next_work() else { break };
                let count = u32::from_le_bytes([work.bytes[4], work.bytes[5], work.bytes[6], work.bytes[7]]);
                let answer = if work.op == Op::Check { verdicts(count) } else { input.to_vec() };
                assert!(engine.complete(&answer, &mut sink).is_ok());
            }
            assert!(engine.waiting_messages() <= 16);
        }
        engine.finish(&mut sink);
        for _ in 0..100 {
            if engine.next_work().is_none() {
                break;
            }
            let _ = engine.complete(input, &mut sink);
        }
        assert_eq!((engine.sessions(), engine.waiting_messages(), engine.waiting_bytes()), (0, 0, 0));
    }
});
