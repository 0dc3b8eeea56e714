//! What a parser is shown: data, gaps, cuts, starts in the middle, and the close, with absolute offsets.

mod common;

use common::line::LineParser;
use common::result::{read_batch, Seg};
use common::{flow_info, Talk, Told, MS};
use mf_l7::{Count, FlowInfo, L7Engine, L7Options, Op, ParserDescription, Runtime, Segment, UDP};

fn engine() -> L7Engine {
    let mut engine = L7Engine::new(L7Options::default());
    let mut description = ParserDescription::new("line", 127, "Line");
    description.transports = 7;
    engine.add_parser(description, Runtime::External).unwrap();
    engine
}

/// Runs the external parser; returns the segments of all parse batches.
fn shown(engine: &mut L7Engine, told: &mut Told) -> Vec<Seg> {
    let mut parser = LineParser::default();
    let mut out = Vec::new();
    while let Some(work) = engine.next_work() {
        let bytes = work.bytes.to_vec();
        let answer = match work.op {
            Op::Check => parser.check_bytes(&bytes),
            Op::Parse => {
                out.extend(read_batch(&bytes));
                parser.parse_bytes(&bytes).unwrap()
            }
        };
        engine.complete(&answer, told).unwrap();
    }
    out
}

fn brief(segments: &[Seg]) -> Vec<(u8, u8, u8, u64, u32)> {
    segments.iter().map(|s| (s.kind, s.direction, s.flags, s.offset, s.wire_len)).collect()
}

#[test]
fn a_loss_is_a_gap_with_its_length_and_the_close_comes_last() {
    let (mut engine, mut told) = (engine(), Told::default());
    let mut talk = Talk::open(&mut engine, &flow_info(1, 80));
    talk.handshake(&mut engine, &mut told);
    talk.say(&mut engine, &mut told, 0, b"?1 one\n");
    talk.lose(1, 100);
    talk.say(&mut engine, &mut told, 1, b"!2\n");
    talk.now += 20 * MS;
    // The client's next segment acknowledges what was lost: the receiver had it, so it is given up soon.
    talk.say(&mut engine, &mut told, 0, b"?2 two\n");
    talk.now += 20 * MS;
    talk.say(&mut engine, &mut told, 0, b"?3 tre\n");
    engine.close(talk.flow, &mut told);
    let expected =
        [(0, 0, 0, 0, 7), (1, 1, 0, 0, 100), (0, 1, 0, 100, 3), (0, 0, 0, 7, 7), (0, 0, 0, 14, 7), (2, 0, 0, 0, 0)];
    let mut got = brief(&shown(&mut engine, &mut told));
    assert_eq!(got.pop(), Some(expected[5]));
    // The hole and the answer behind it stand before what the client asked when it had them.
    assert_eq!(got, expected[..5]);
    assert_eq!((engine.count(Count::Gaps), engine.count(Count::GapBytes)), (1, 100));
}

#[test]
fn a_cut_packet_is_truncated_data_and_a_truncated_gap() {
    let (mut engine, mut told) = (engine(), Told::default());
    let mut talk = Talk::open(&mut engine, &flow_info(1, 80));
    talk.handshake(&mut engine, &mut told);
    let segment = Segment {
        time_ns: talk.now,
        direction: 0,
        seq: talk.seq[0],
        ack: talk.seq[1],
        flags: 0x18,
        payload: b"?1 on",
        wire_len: 1460,
    };
    engine.payload(talk.flow, &segment, &mut told);
    talk.lose(0, 1460);
    talk.say(&mut engine, &mut told, 0, b"e\n?2 two\n");
    let got = brief(&shown(&mut engine, &mut told));
    assert_eq!(got, [(0, 0, 1, 0, 5), (1, 0, 1, 5, 1455), (0, 0, 0, 1460, 9)]);
    assert_eq!(told.requests, 1, "the parser found its way after the gap");
    assert_eq!(engine.count(Count::CutBytes), 1455);
}

#[test]
fn a_start_in_the_middle_is_marked() {
    let (mut engine, mut told) = (engine(), Told::default());
    let mut talk = Talk::open(&mut engine, &flow_info(1, 80));
    talk.say(&mut engine, &mut told, 0, b"?1 one\n");
    talk.say(&mut engine, &mut told, 1, b"!1\n");
    assert_eq!(brief(&shown(&mut engine, &mut told)), [(0, 0, 4, 0, 7), (0, 1, 4, 0, 3)]);
}

#[test]
fn datagrams_keep_their_borders_and_icmp6_is_shown_as_icmp() {
    for (transport, number) in [(UDP, 17u8), (58, 1)] {
        let (mut engine, mut told) = (engine(), Told::default());
        let flow = engine.open(&FlowInfo { transport, ..flow_info(1, 53) });
        for (i, payload) in [b"?1 one\n".as_slice(), b"?2 two\n"].into_iter().enumerate() {
            let time_ns = common::START + i as u64 * MS;
            let segment =
                Segment { time_ns, direction: 0, seq: 0, ack: 0, flags: 0, payload, wire_len: 7 + i as u32 * 10 };
            engine.payload(flow, &segment, &mut told);
        }
        let work = engine.next_work().unwrap();
        assert_eq!(work.bytes[16 + 6], number);
        let got = brief(&shown(&mut engine, &mut told));
        assert_eq!(got, [(0, 0, 0, 0, 7), (0, 0, 1, 7, 17)]);
    }
}

#[test]
fn a_reset_ends_the_session_and_what_was_held_is_delivered_first() {
    let (mut engine, mut told) = (engine(), Told::default());
    let mut talk = Talk::open(&mut engine, &flow_info(1, 80));
    talk.handshake(&mut engine, &mut told);
    talk.say(&mut engine, &mut told, 0, b"?1 one\n");
    talk.lose(0, 5);
    talk.say(&mut engine, &mut told, 0, b"\n?3 tre\n");
    talk.flags(&mut engine, &mut told, 1, 0x14);
    let got = brief(&shown(&mut engine, &mut told));
    assert_eq!(got, [(0, 0, 0, 0, 7), (1, 0, 0, 7, 5), (0, 0, 0, 12, 8), (2, 0, 0, 0, 0)]);
    assert_eq!(told.requests, 2);
    assert!(told.ended.is_empty(), "the caller still holds the flow");
    engine.close(talk.flow, &mut told);
    assert_eq!(told.ended.len(), 1);
}

#[test]
fn a_parser_restarted_by_the_host_is_told_that_it_starts_in_the_middle() {
    let (mut engine, mut told) = (engine(), Told::default());
    let mut talk = Talk::open(&mut engine, &flow_info(1, 80));
    talk.handshake(&mut engine, &mut told);
    talk.say(&mut engine, &mut told, 0, b"?1 one\n");
    assert_eq!(brief(&shown(&mut engine, &mut told)), [(0, 0, 0, 0, 7)]);
    talk.say(&mut engine, &mut told, 0, b"?2 two\n");
    engine.next_work().unwrap();
    engine.complete(b"", &mut told).unwrap();
    talk.say(&mut engine, &mut told, 0, b"?3 tre\n");
    assert_eq!(brief(&shown(&mut engine, &mut told)), [(0, 0, 4, 14, 7)]);
}

#[test]
fn what_a_slow_host_makes_the_engine_drop_is_a_gap() {
    let mut engine = L7Engine::new(L7Options { external_bytes: 100, batch_segments: 1, ..L7Options::default() });
    engine.add_parser(ParserDescription::new("line", 127, "Line"), Runtime::External).unwrap();
    let mut told = Told::default();
    let mut talk = Talk::open(&mut engine, &flow_info(1, 80));
    talk.handshake(&mut engine, &mut told);
    talk.say(&mut engine, &mut told, 0, b"?1 one\n");
    assert_eq!(shown(&mut engine, &mut told).len(), 1);
    for _ in 0..10 {
        talk.say(&mut engine, &mut told, 0, b"?1 one\n");
    }
    let first = shown(&mut engine, &mut told);
    let dropped = engine.count(Count::ParserSlow);
    assert_eq!(first.len() as u64 + dropped, 10);
    assert!(dropped > 0);
    talk.say(&mut engine, &mut told, 0, b"?9 end\n");
    let end = 7 * 11;
    let lost = dropped as u32 * 7;
    let got = brief(&shown(&mut engine, &mut told));
    assert_eq!(got, [(1, 0, 0, u64::from(end - lost), lost), (0, 0, 0, 77, 7)]);
}

#[test]
fn time_alone_gives_a_hole_up() {
    let (mut engine, mut told) = (engine(), Told::default());
    let mut talk = Talk::open(&mut engine, &flow_info(1, 80));
    talk.handshake(&mut engine, &mut told);
    talk.say(&mut engine, &mut told, 0, b"?1 one\n");
    talk.lose(0, 9);
    talk.say(&mut engine, &mut told, 0, b"\n?2 two\n");
    assert_eq!(shown(&mut engine, &mut told).len(), 1);
    assert_eq!(engine.waiting_bytes(), 8);
    engine.tick(talk.now + 2999 * MS, &mut told);
    assert!(shown(&mut engine, &mut told).is_empty());
    engine.tick(talk.now + 3000 * MS, &mut told);
    assert_eq!(brief(&shown(&mut engine, &mut told)), [(1, 0, 0, 7, 9), (0, 0, 0, 16, 8)]);
    assert_eq!(engine.waiting_bytes(), 0);
}
