//! Requests and responses through the whole engine, with the line protocol's parser.

mod common;

use common::line::LineParser;
use common::{flow_info, Rows, Talk, Told, MS};
use mf_l7::{Count, L7Engine, L7Options, L7Table, Pairing, ParserDescription, Runtime};

fn engine_with(pairing: Pairing, change: impl FnOnce(&mut L7Options)) -> L7Engine {
    let mut options = L7Options::default();
    change(&mut options);
    let mut engine = L7Engine::new(options);
    let mut description = ParserDescription::new("line", 127, "Line");
    description.pairing = pairing;
    description.session_timeout_ns = 1000 * MS;
    description.transports = 3;
    engine.add_parser(description, Runtime::Native(Box::<LineParser>::default())).unwrap();
    engine
}

fn engine(pairing: Pairing) -> L7Engine {
    engine_with(pairing, |_| ())
}

/// `(type, status, request_resource, duration)` of every flow log row.
fn log(engine: &mut L7Engine) -> Vec<(u64, u64, String, Option<u64>)> {
    let rows = Rows::take(engine, L7Table::FlowLog);
    (0..rows.len())
        .map(|row| {
            (
                rows.u64(row, "type").unwrap(),
                rows.u64(row, "response_status").unwrap(),
                rows.str(row, "request_resource"),
                rows.u64(row, "response_duration"),
            )
        })
        .collect()
}

fn row(kind: u64, status: u64, text: &str, duration: Option<u64>) -> (u64, u64, String, Option<u64>) {
    (kind, status, text.to_string(), duration)
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let mut engine = engine(Pairing::Fifo);
    let mut told = Told::default();
    let mut talk = Talk::open(&mut engine, &flow_info(1, 80));
    talk.handshake(&mut engine, &mut told);
    talk.say(&mut engine, &mut told, 0, b"?1 one\n?2 two\n?3 th");
    talk.say(&mut engine, &mut told, 0, b"ree\n");
    talk.say(&mut engine, &mut told, 1, b"!1\n-2\n");
    talk.say(&mut engine, &mut told, 1, b"!3\n");
    engine.flush_block(talk.now, &mut told);
    let expected = [row(2, 0, "one", Some(2000)), row(2, 3, "two", Some(2000)), row(2, 0, "three", Some(3000))];
    assert_eq!(log(&mut engine), expected);
    assert_eq!((told.requests, told.responses, told.server_errors), (3, 3, 1));
    assert_eq!(told.rrts, [2000, 2000, 3000]);
    assert_eq!(told.endpoints, ["one", "two", "three"]);
    let messages = Rows::take(&mut engine, L7Table::Message);
    assert_eq!(messages.len(), 6);
    assert_eq!(messages.u64(2, "stream_offset"), Some(14));
    assert_eq!(messages.u64(2, "tcp_seq"), Some(1001 + 14));
    let stats = engine.take_stats(talk.flow).unwrap();
    assert_eq!((stats.requests, stats.responses, stats.rrt_count, stats.rrt_max), (3, 3, 3, 3000));
    assert_eq!(engine.take_stats(talk.flow).unwrap().requests, 0);
}

#[test]
fn what_answers_nobody_knows_which_request_stands_alone_and_leaves_them_unknown() {
    for pairing in [Pairing::Fifo, Pairing::Keyed] {
        let mut engine = engine(pairing);
        let mut told = Told::default();
        let mut talk = Talk::open(&mut engine, &flow_info(1, 80));
        talk.handshake(&mut engine, &mut told);
        talk.say(&mut engine, &mut told, 0, b"?1 one\n?2 two\n");
        talk.say(&mut engine, &mut told, 1, b"%2 what\n");
        talk.say(&mut engine, &mut told, 0, b"?3 three\n");
        talk.say(&mut engine, &mut told, 1, b"!3\n");
        engine.finish(&mut told);
        let expected =
            [row(0, 5, "one", None), row(0, 5, "two", None), row(1, 0, "what", None), row(2, 0, "three", Some(1000))];
        assert_eq!(log(&mut engine), expected);
        assert_eq!((told.requests, told.responses, told.timeouts), (3, 2, 0));
    }
}

#[test]
fn an_answer_that_the_asking_side_completes_is_the_other_sides() {
    for (pairing, direction) in [(Pairing::Fifo, 1), (Pairing::Keyed, 0)] {
        let mut engine = engine(pairing);
        let mut told = Told::default();
        let mut talk = Talk::open(&mut engine, &flow_info(1, 80));
        talk.handshake(&mut engine, &mut told);
        talk.say(&mut engine, &mut told, 0, b"?1 one\n");
        talk.say(&mut engine, &mut told, 1, b"!9\n");
        talk.say(&mut engine, &mut told, 0, b"!1\n");
        engine.finish(&mut told);
        let messages = Rows::take(&mut engine, L7Table::Message);
        assert_eq!((messages.u64(2, "type"), messages.u64(2, "direction")), (Some(1), Some(direction)));
        // Its first byte is byte 7 of the side that said it.
        assert_eq!(messages.u64(2, "tcp_seq"), messages.u64(direction as usize, "tcp_seq").map(|first| first + 7));
    }
}

#[test]
fn keyed_responses_come_in_any_order_even_before_their_request() {
    let mut engine = engine(Pairing::Keyed);
    let mut told = Told::default();
    let mut talk = Talk::open(&mut engine, &flow_info(1, 80));
    talk.say(&mut engine, &mut told, 0, b"?1 one\n?2 two\n");
    talk.say(&mut engine, &mut told, 1, b"!2\n!1\n!9\n");
    engine.tick(talk.now, &mut told);
    assert_eq!(log(&mut engine), [row(2, 0, "two", Some(1000)), row(2, 0, "one", Some(1000))]);
    assert_eq!(engine.waiting_messages(), 1);
    talk.now += 2000 * MS;
    engine.tick(talk.now, &mut told);
    assert_eq!(log(&mut engine), [row(1, 0, "", None)]);
    assert_eq!(engine.waiting_messages(), 0);
}

#[test]
fn a_request_that_the_capture_delivers_late_finds_its_response() {
    let mut engine = engine(Pairing::Fifo);
    let mut told = Told::default();
    let mut talk = Talk::open(&mut engine, &flow_info(1, 80));
    talk.handshake(&mut engine, &mut told);
    talk.say(&mut engine, &mut told, 0, b"?1 one\n");
    talk.say(&mut engine, &mut told, 1, b"!1\n");
    engine.flush_block(talk.now, &mut told);
    // The second request's packet comes after its answer's, with the earlier time of its capture.
    let seq = talk.seq;
    let late = talk.now + MS;
    talk.lose(0, 7);
    talk.say(&mut engine, &mut told, 1, b"!2\n");
    let segment = mf_l7::Segment {
        time_ns: late,
        direction: 0,
        seq: seq[0],
        ack: seq[1],
        flags: 0x18,
        payload: b"?2 two\n",
        wire_len: 7,
    };
    engine.payload(talk.flow, &segment, &mut told);
    engine.flush_block(talk.now, &mut told);
    assert_eq!(log(&mut engine), [row(2, 0, "one", Some(1000)), row(2, 0, "two", Some(1000))]);
    assert_eq!(told.rrts, [1000, 1000]);
}

#[test]
fn no_answer_in_time_is_a_timeout_and_no_answer_at_the_end_is_unknown() {
    let mut engine = engine(Pairing::Fifo);
    let mut told = Told::default();
    let mut talk = Talk::open(&mut engine, &flow_info(1, 80));
    talk.say(&mut engine, &mut told, 0, b"?1 one\n");
    engine.flush_block(talk.now, &mut told);
    talk.now += 999 * MS;
    engine.tick(talk.now, &mut told);
    assert!(log(&mut engine).is_empty());
    talk.now += MS;
    engine.tick(talk.now, &mut told);
    assert_eq!(log(&mut engine), [row(0, 2, "one", None)]);
    assert_eq!(told.timeouts, 1);
    talk.say(&mut engine, &mut told, 0, b"?2 two\n");
    engine.finish(&mut told);
    assert_eq!(log(&mut engine), [row(0, 5, "two", None)]);
    assert_eq!(told.timeouts, 1);
    assert_eq!(engine.sessions(), 0);
    assert_eq!(told.ended.len(), 1);
    assert_eq!(told.ended[0].1.timeouts, 1);
}

#[test]
fn an_answer_after_the_timeout_stands_alone_whatever_the_blocks_are() {
    for flush in [false, true] {
        let mut engine = engine(Pairing::Fifo);
        let mut told = Told::default();
        let mut talk = Talk::open(&mut engine, &flow_info(1, 80));
        talk.say(&mut engine, &mut told, 0, b"?1 one\n");
        if flush {
            engine.flush_block(talk.now, &mut told);
        }
        talk.now += 5000 * MS;
        talk.say(&mut engine, &mut told, 1, b"!1\n");
        engine.finish(&mut told);
        assert_eq!(log(&mut engine), [row(0, 2, "one", None), row(1, 0, "", None)]);
        assert_eq!((told.requests, told.responses, told.timeouts), (1, 1, 1));
    }
}

#[test]
fn one_way_messages_and_several_answers_to_one_request() {
    let mut engine = engine(Pairing::Fifo);
    let mut told = Told::default();
    let mut talk = Talk::open(&mut engine, &flow_info(1, 80));
    talk.say(&mut engine, &mut told, 0, b"?1 one\n*0 note\n?2 two\n");
    talk.say(&mut engine, &mut told, 1, b"+1\n");
    talk.say(&mut engine, &mut told, 1, b"+1\n");
    talk.say(&mut engine, &mut told, 1, b"!1\n!2\n");
    engine.flush_block(talk.now, &mut told);
    let expected = [row(2, 0, "note", None), row(2, 0, "one", Some(1000)), row(2, 0, "two", Some(3000))];
    assert_eq!(log(&mut engine), expected);
    assert_eq!(told.rrts, [1000, 3000]);
}

#[test]
fn without_pairing_every_message_stands_alone() {
    let mut engine = engine(Pairing::None);
    let mut told = Told::default();
    let mut talk = Talk::open(&mut engine, &flow_info(1, 80));
    talk.say(&mut engine, &mut told, 0, b"?1 one\n");
    talk.say(&mut engine, &mut told, 1, b"!1\n");
    engine.finish(&mut told);
    let rows = log(&mut engine);
    assert_eq!(rows.iter().map(|row| row.0).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn a_lost_answer_does_not_shift_all_later_ones() {
    let mut engine = engine(Pairing::Fifo);
    let mut told = Told::default();
    let mut talk = Talk::open(&mut engine, &flow_info(1, 80));
    talk.handshake(&mut engine, &mut told);
    talk.say(&mut engine, &mut told, 0, b"?1 one\n");
    talk.lose(1, 3);
    for (question, answer) in [(b"?2 two\n", b"!2\n"), (b"?3 tre\n", b"!3\n"), (b"?4 fou\n", b"!4\n")] {
        talk.now += 20 * MS;
        talk.say(&mut engine, &mut told, 0, question);
        talk.say(&mut engine, &mut told, 1, answer);
    }
    engine.finish(&mut told);
    let rows = log(&mut engine);
    let paired: Vec<_> = rows.iter().filter(|row| row.0 == 2).map(|row| row.2.as_str()).collect();
    assert!(paired.ends_with(&["tre", "fou"]), "{rows:?}");
    assert_eq!(rows.iter().filter(|row| row.0 == 2 && row.3 != Some(1000)).count(), 0, "{rows:?}");
}

#[test]
fn limits_push_the_oldest_out() {
    let mut engine = engine_with(Pairing::Fifo, |options| {
        options.pending_per_flow = 4;
        options.pending_total = 6;
    });
    let mut told = Told::default();
    let mut talks: Vec<_> = (0..3).map(|id| Talk::open(&mut engine, &flow_info(id, 80))).collect();
    for talk in &mut talks {
        talk.say(&mut engine, &mut told, 0, b"?1 a\n?2 b\n?3 c\n?4 d\n?5 e\n");
    }
    engine.flush_block(talks[0].now, &mut told);
    assert_eq!(engine.waiting_messages(), 6);
    assert_eq!(engine.count(Count::PendingFull), 9);
    engine.finish(&mut told);
    assert_eq!(log(&mut engine).len(), 15);
}

#[test]
fn the_text_of_open_requests_is_bounded() {
    let mut engine = engine_with(Pairing::Fifo, |options| options.pending_bytes = 10_000);
    let mut told = Told::default();
    let mut talk = Talk::open(&mut engine, &flow_info(1, 80));
    let question = format!("?1 {}\n", "x".repeat(1000));
    for _ in 0..50 {
        talk.say(&mut engine, &mut told, 0, question.as_bytes());
    }
    engine.flush_block(talk.now, &mut told);
    // The text is in two columns of each request.
    assert_eq!(engine.waiting_messages(), 6);
    engine.finish(&mut told);
    assert_eq!(log(&mut engine).len(), 50);
}

#[test]
fn the_same_packets_give_the_same_rows_whatever_the_batches_are() {
    let run = |batch_segments: usize, every: usize| {
        let mut engine = engine_with(Pairing::Fifo, |options| options.batch_segments = batch_segments);
        let mut told = Told::default();
        let mut talk = Talk::open(&mut engine, &flow_info(1, 80));
        for i in 0..200usize {
            let question = format!("?{i} question number {i}\n");
            let (a, b) = question.as_bytes().split_at(i % question.len());
            talk.say(&mut engine, &mut told, 0, a);
            talk.say(&mut engine, &mut told, 0, b);
            talk.say(&mut engine, &mut told, 1, format!("!{i}\n").as_bytes());
            if i % every == 0 {
                engine.flush_block(talk.now, &mut told);
            }
        }
        engine.finish(&mut told);
        let dump = Rows::take(&mut engine, L7Table::FlowLog).dump();
        (dump, Rows::take(&mut engine, L7Table::Message).dump(), told)
    };
    let expected = run(4096, 1000);
    assert_eq!(expected.2.rrts.len(), 200);
    for (segments, every) in [(1, 1000), (7, 3), (4096, 1), (64, 50)] {
        assert!(run(segments, every) == expected, "batches of {segments}, flush every {every}");
    }
}
