//! How flows find their parser.

mod common;

use common::line::LineParser;
use common::{flow_info, Rows, Talk, Told, MS};
use mf_l7::{Count, L7Engine, L7Flow, L7Options, L7Table, ParserDescription, Runtime, Segment, UDP};

fn parser(name: &str, protocol: u8, port: u16, prefix: &[u8]) -> (ParserDescription, Runtime) {
    let mut description = ParserDescription::new(name, protocol, name);
    description.ports = vec![(port, port)];
    description.transports = 3;
    let mut parser = LineParser::default();
    parser.prefix = prefix.to_vec();
    (description, Runtime::Native(Box::new(parser)))
}

fn engine(parsers: Vec<(ParserDescription, Runtime)>) -> L7Engine {
    let mut engine = L7Engine::new(L7Options { explain: true, ..L7Options::default() });
    for (description, runtime) in parsers {
        engine.add_parser(description, runtime).unwrap();
    }
    engine
}

/// `op parser verdict reason` of every step.
fn history(engine: &mut L7Engine) -> Vec<String> {
    let rows = Rows::take(engine, L7Table::Explain);
    (0..rows.len())
        .map(|row| ["op", "parser", "verdict", "reason"].map(|name| rows.str(row, name)).join(" ").trim().to_string())
        .collect()
}

#[test]
fn port_then_magic_then_order() {
    let mut last = parser("last", 3, 1, b"~");
    last.0.magics = vec![b"?m".to_vec()];
    let mut engine = engine(vec![parser("a", 1, 1, b"~"), parser("b", 2, 80, b"~"), last]);
    let mut told = Told::default();
    let mut talk = Talk::open(&mut engine, &flow_info(1, 80));
    talk.say(&mut engine, &mut told, 0, b"?m magic\n");
    engine.flush_block(talk.now, &mut told);
    let steps = history(&mut engine);
    let candidates: Vec<_> = steps.iter().filter(|step| step.starts_with("candidate")).collect();
    assert_eq!(candidates, ["candidate b  port", "candidate last  magic", "candidate a  order"]);
    assert!(steps.contains(&"refuse b no no mark of a line".to_string()));
    assert!(engine.explain_text(1).lines().count() >= 6);
    assert_eq!(engine.explain_text(2), "");
}

#[test]
fn a_refused_start_is_dropped_and_the_next_message_is_looked_at() {
    let mut engine = engine(vec![parser("line", 9, 80, b"")]);
    let mut told = Told::default();
    // Mid-stream: the rest of a response comes first.
    let mut talk = Talk::open(&mut engine, &flow_info(1, 80));
    talk.say(&mut engine, &mut told, 1, b"rest of something\n");
    talk.say(&mut engine, &mut told, 1, b"and more\n");
    talk.say(&mut engine, &mut told, 0, b"?1 one\n");
    talk.say(&mut engine, &mut told, 1, b"!1\n");
    engine.finish(&mut told);
    assert_eq!(told.rrts, [1000]);
    assert_eq!(told.identified, [(1, 9, false)]);
    assert_eq!(told.ended[0].1.unparsed_bytes, 27);
}

#[test]
fn a_response_first_turns_the_flow_round() {
    let mut engine = engine(vec![parser("line", 9, 80, b"")]);
    let mut told = Told::default();
    let mut info = flow_info(1, 50000);
    info.port = [80, 50000];
    let mut talk = Talk::open(&mut engine, &info);
    talk.say(&mut engine, &mut told, 0, b"!0\n");
    talk.say(&mut engine, &mut told, 1, b"?1 one\n");
    talk.say(&mut engine, &mut told, 0, b"!1\n");
    engine.finish(&mut told);
    assert_eq!(told.identified, [(1, 9, true)]);
    let rows = Rows::take(&mut engine, L7Table::FlowLog);
    let session = (0..rows.len()).find(|&row| rows.u64(row, "type") == Some(2)).unwrap();
    assert_eq!((rows.u64(session, "client_port"), rows.u64(session, "server_port")), (Some(50000), Some(80)));
    assert_eq!(rows.u64(session, "ip4_1"), Some(0x0a00_0001));
    let messages = Rows::take(&mut engine, L7Table::Message);
    let directions: Vec<_> = (0..3).map(|row| messages.u64(row, "direction")).collect();
    assert_eq!(directions, [Some(1), Some(0), Some(1)]);
}

#[test]
fn a_handshake_is_believed_more_than_a_parser() {
    let mut engine = engine(vec![parser("line", 9, 80, b"")]);
    let mut told = Told::default();
    let mut info = flow_info(1, 80);
    info.direction_certain = true;
    let mut talk = Talk::open(&mut engine, &info);
    talk.say(&mut engine, &mut told, 0, b"!0\n");
    engine.finish(&mut told);
    assert_eq!(told.identified, [(1, 9, false)]);
}

#[test]
fn more_waits_and_ends() {
    let mut engine = engine(vec![parser("line", 9, 80, b"")]);
    let mut told = Told::default();
    let mut talk = Talk::open(&mut engine, &flow_info(1, 80));
    for byte in [b"~", b"~", b"~", b"~"] {
        talk.say(&mut engine, &mut told, 0, byte);
        engine.flush_block(talk.now, &mut told);
    }
    assert_eq!(told.identified.len(), 1);
    // A flow that ends while its parser waits ends cleanly.
    let mut talk = Talk::open(&mut engine, &flow_info(2, 80));
    talk.say(&mut engine, &mut told, 0, b"~~");
    engine.flush_block(talk.now, &mut told);
    engine.close(talk.flow, &mut told);
    engine.flush_block(talk.now, &mut told);
    assert_eq!(told.ended.len(), 1);
    assert_eq!(told.ended[0].1.unparsed_bytes, 2);
    assert!(history(&mut engine).iter().any(|step| step.contains("the flow ended before")));
}

#[test]
fn nobody_wants_it() {
    let mut engine = engine(vec![parser("a", 1, 80, b""), parser("b", 2, 81, b"")]);
    let mut told = Told::default();
    let mut talk = Talk::open(&mut engine, &flow_info(1, 80));
    for _ in 0..40 {
        talk.say(&mut engine, &mut told, 0, b"zzzz");
        talk.say(&mut engine, &mut told, 1, b"yyyy");
        engine.flush_block(talk.now, &mut told);
    }
    engine.finish(&mut told);
    assert_eq!(engine.count(Count::GivenUp), 1);
    assert_eq!(engine.count(Count::UnparsedBytes), 320);
    assert_eq!(told.ended[0].1.unparsed_bytes, 320);
    assert!(engine.counters().any(|(stage, reason, _)| stage == "infer" && reason == "a refused: no mark of a line"));
    assert!(engine.counters().any(|line| line == ("unparsed", "a refused: no mark of a line", 320)));
    assert_eq!(engine.waiting_bytes(), 0);
}

#[test]
fn an_endpoint_known_to_be_unknown_is_looked_at_again_after_its_time() {
    let mut engine = engine(vec![parser("a", 1, 80, b"")]);
    let mut told = Told::default();
    let mut now = common::START;
    let mut flow = |engine: &mut L7Engine, told: &mut Told, id: u64, text: &[u8], wait: u64| {
        let mut talk = Talk::open(engine, &flow_info(id, 80));
        now += wait;
        talk.now = now;
        for _ in 0..10 {
            talk.say(engine, told, 0, text);
            talk.say(engine, told, 1, text);
        }
        engine.close(talk.flow, told);
        engine.flush_block(now, told);
    };
    for id in 0..128 {
        flow(&mut engine, &mut told, id, b"zz", MS);
    }
    assert_eq!(engine.count(Count::KnownUnknown), 0);
    // What flows teach counts a second later.
    flow(&mut engine, &mut told, 200, b"?1 hello\n", 1100 * MS);
    assert_eq!(engine.count(Count::KnownUnknown), 1);
    flow(&mut engine, &mut told, 201, b"?1 hello\n", 61_000 * MS);
    assert_eq!(told.identified.len(), 1);
}

#[test]
fn short_flows_that_nobody_wants_teach_their_endpoint_too() {
    let mut told = Told::default();
    let mut known = |from_start: bool| {
        let mut engine = engine(vec![parser("a", 1, 80, b"")]);
        let mut now = common::START;
        for id in 0..130 {
            let info = flow_info(id, 80);
            let mut talk = Talk::open(&mut engine, &info);
            now += if id < 128 { MS } else { 1100 * MS };
            talk.now = now;
            if from_start {
                talk.handshake(&mut engine, &mut told);
            }
            talk.say(&mut engine, &mut told, 0, b"zz");
            talk.say(&mut engine, &mut told, 1, b"zz");
            engine.close(talk.flow, &mut told);
            engine.flush_block(now, &mut told);
        }
        engine.count(Count::KnownUnknown)
    };
    assert_eq!(known(true), 2);
    // The tails of connections that a capture begins in the middle of say nothing about the others.
    assert_eq!(known(false), 0);
}

#[test]
fn a_known_endpoint_is_asked_for_its_parser_first() {
    let mut engine = engine(vec![parser("a", 1, 80, b"@"), parser("b", 2, 81, b"")]);
    let mut told = Told::default();
    for id in 0..2 {
        let mut talk = Talk::open(&mut engine, &flow_info(id, 80));
        talk.now += id * 1001 * MS;
        talk.say(&mut engine, &mut told, 0, b"?1 one\n");
        engine.flush_block(talk.now, &mut told);
    }
    let steps = history(&mut engine);
    let candidates: Vec<_> = steps.iter().filter(|step| step.starts_with("candidate")).collect();
    assert_eq!(candidates, ["candidate a  port", "candidate b  order", "candidate b  known endpoint"]);
}

#[test]
fn a_violation_offers_the_flow_to_the_others() {
    let mut engine = engine(vec![parser("a", 1, 80, b"X"), parser("b", 2, 81, b"X")]);
    let mut told = Told::default();
    let mut talk = Talk::open(&mut engine, &flow_info(1, 80));
    talk.say(&mut engine, &mut told, 0, b"X1 one\n");
    talk.say(&mut engine, &mut told, 1, b"!1 two\n");
    engine.close(talk.flow, &mut told);
    engine.flush_block(talk.now, &mut told);
    // Both confirm and both withdraw.
    assert_eq!(engine.count(Count::Violations), 2);
    assert_eq!(told.identified.iter().map(|told| told.1).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(told.ended.len(), 1);
    assert_eq!(engine.sessions(), 0);
    let ops: Vec<_> = history(&mut engine).iter().map(|step| step.split(' ').next().unwrap().to_string()).collect();
    assert_eq!(ops.iter().filter(|op| *op == "violate").count(), 2);
}

#[test]
fn what_a_withdrawn_parser_had_reaches_the_next_one() {
    // `a` withdraws at X; `b` refuses that line too, and takes what comes behind it.
    let mut engine = engine(vec![parser("a", 1, 80, b"?"), parser("b", 2, 81, b"?")]);
    let mut told = Told::default();
    let mut talk = Talk::open(&mut engine, &flow_info(1, 80));
    talk.say(&mut engine, &mut told, 0, b"?1 fine\n");
    talk.say(&mut engine, &mut told, 0, b"X\n");
    talk.say(&mut engine, &mut told, 0, b"?2 after\n");
    engine.flush_block(talk.now, &mut told);
    engine.finish(&mut told);
    assert_eq!(told.requests, 2, "the request behind the violation is not lost");
    assert_eq!(told.identified.iter().map(|told| told.1).collect::<Vec<_>>()[..2], [1, 2]);
}

#[test]
fn the_next_parser_begins_at_the_violation_and_not_at_its_segment() {
    let mut engine = engine(vec![parser("a", 1, 80, b"?"), parser("b", 2, 81, b"?")]);
    let mut told = Told::default();
    let mut talk = Talk::open(&mut engine, &flow_info(1, 80));
    talk.say(&mut engine, &mut told, 0, b"?1 upgrade\nV\n?2 new\n");
    talk.say(&mut engine, &mut told, 1, b"!2 yes\n");
    engine.flush_block(talk.now, &mut told);
    engine.finish(&mut told);
    assert_eq!(told.requests, 2, "the request before the violation is told once");
    let rows = Rows::take(&mut engine, L7Table::Message);
    let resources: Vec<_> = (0..rows.len()).map(|row| rows.str(row, "request_resource")).collect();
    assert_eq!(resources, ["upgrade", "new", "yes"]);
}

#[test]
fn datagrams_are_messages_of_their_own() {
    let mut engine = engine(vec![parser("line", 9, 53, b"")]);
    let mut told = Told::default();
    let mut info = flow_info(1, 53);
    info.transport = UDP;
    let flow: L7Flow = engine.open(&info);
    let mut now = common::START;
    for (direction, payload) in [(0u8, b"?1 one\n".as_slice()), (1, b"!1\n"), (0, b"?2 two\n"), (1, b"!2\n")] {
        now += MS;
        let wire_len = payload.len() as u32;
        engine.payload(
            flow,
            &Segment { time_ns: now, direction, seq: 0, ack: 0, flags: 0, payload, wire_len },
            &mut told,
        );
    }
    engine.finish(&mut told);
    assert_eq!(told.rrts, [1000, 1000]);
}

#[test]
fn both_fins_end_the_flow_before_the_caller_does() {
    let mut engine = engine(vec![parser("line", 9, 80, b"")]);
    let mut told = Told::default();
    let mut talk = Talk::open(&mut engine, &flow_info(1, 80));
    talk.handshake(&mut engine, &mut told);
    talk.say(&mut engine, &mut told, 0, b"?1 one\n");
    talk.flags(&mut engine, &mut told, 1, 0x11);
    talk.flags(&mut engine, &mut told, 0, 0x11);
    engine.flush_block(talk.now, &mut told);
    assert_eq!(Rows::take(&mut engine, L7Table::FlowLog).len(), 1, "the open request is told");
    assert!(told.ended.is_empty());
    talk.say(&mut engine, &mut told, 0, b"?2 late\n");
    assert_eq!(engine.count(Count::AfterClose), 1);
    engine.close(talk.flow, &mut told);
    assert_eq!(told.ended.len(), 1);
    assert_eq!(engine.sessions(), 0);
    assert_eq!(engine.take_stats(talk.flow), None);
}

#[test]
fn what_one_side_said_while_a_parser_waited_is_parsed_when_the_other_side_confirms() {
    let mut engine = engine(vec![parser("other", 8, 81, b"~"), parser("line", 9, 80, b"")]);
    let mut told = Told::default();
    let mut talk = Talk::open(&mut engine, &flow_info(1, 9999));
    talk.handshake(&mut engine, &mut told);
    // `~` asks both parsers for patience; `!` is a response of the line protocol, and nothing of the other one.
    talk.say(&mut engine, &mut told, 0, b"~\n");
    engine.flush_block(talk.now, &mut told);
    talk.say(&mut engine, &mut told, 1, b"!0 hello\n");
    engine.flush_block(talk.now, &mut told);
    talk.say(&mut engine, &mut told, 0, b"?1 one\n");
    talk.say(&mut engine, &mut told, 1, b"!1 yes\n");
    engine.finish(&mut told);
    assert_eq!(told.identified, [(1, 9, false)]);
    assert_eq!(told.rrts, [1000]);
    // The parser saw the first line: it says itself that it cannot use it.
    assert_eq!((engine.count(Count::SkippedBytes), engine.count(Count::UnparsedBytes)), (2, 0));
    let steps = history(&mut engine);
    assert!(steps.contains(&"refuse other no no mark of a line".to_string()), "{steps:?}");
}

#[test]
fn a_first_message_that_comes_byte_by_byte_is_waited_for() {
    let mut slow = parser("line", 9, 80, b"~");
    slow.0.max_check_segments = 2;
    let mut engine = engine(vec![slow]);
    let mut told = Told::default();
    let mut talk = Talk::open(&mut engine, &flow_info(1, 80));
    for byte in b"~typed\n" {
        talk.say(&mut engine, &mut told, 0, &[*byte]);
    }
    engine.flush_block(talk.now, &mut told);
    let steps = history(&mut engine);
    assert!(steps.contains(&"confirm line request".to_string()), "{steps:?}");
}
