//! Gaps, cut packets, connections seen from the middle on, bytes that are not Kafka; and what inference says.

mod support;

use metaflow_parser_kafka::KafkaParser;
use metaflow_parser_sdk::testing::{Row, Script};
use metaflow_parser_sdk::Direction::{ClientToServer, ServerToClient};
use support::*;

fn proven(script: &Script) -> Vec<String> {
    script.assert_any_split_is_equal::<KafkaParser>();
    script.run::<KafkaParser>().iter().map(line).collect()
}

fn line(row: &Row) -> String {
    let number = |name| row.number(name).unwrap_or(-1);
    match row.kind() {
        "skipped" => format!("skipped {} {}", number("length"), row.text("exception")),
        "violation" => format!("violation at {}: {}", number("stream_offset"), row.text("exception")),
        kind => format!("{kind} {} {}", row.text("request_type"), number("request_id")),
    }
}

#[test]
fn a_gap_inside_a_message_is_no_loss() {
    let big = produce(1, 1, "orders", 0, &[7; 1200]);
    let script = talk()
        .client(&big[..200])
        .gap(ClientToServer, 1000)
        .client([&big[1200..], &heartbeat(2)].concat())
        .server([produced(1, "orders", 0, 0), response(2, bytes().i16(0))].concat());
    assert_eq!(
        proven(&script),
        ["request Produce 1", "request Heartbeat 2", "response Produce 1", "response Heartbeat 2"]
    );
    let cut = talk().cut(ClientToServer, &big, 100).client(heartbeat(2));
    assert_eq!(proven(&cut), ["request Produce 1", "request Heartbeat 2"]);
}

#[test]
fn long_messages_are_passed_over() {
    let big = produce(1, 1, "orders", 0, &[7; 100_000]);
    let script = talk().option("max_message_bytes", "1024").client([&big[..], &heartbeat(2)].concat());
    let rows = script.run_cut::<KafkaParser>(|bytes| {
        (0..bytes.len()).step_by(1000).map(|at| (bytes.len() - at).min(1000)).collect()
    });
    assert_eq!(rows, script.run::<KafkaParser>());
    assert_eq!(rows[0].text("endpoint"), "orders-0");
    assert_eq!((rows[0].number("length"), rows[0].number("end_time_ns")), (Some(big.len() as i128 - 4), None));
    assert_eq!(line(&rows[1]), "request Heartbeat 2");
}

#[test]
fn behind_a_gap_the_next_message_is_found() {
    let three = [heartbeat(2), heartbeat(3), heartbeat(4)].concat();
    let script = talk()
        .client(heartbeat(1))
        .server(response(1, bytes().i16(0)))
        .gap(ClientToServer, 10)
        .client(&three[10..])
        .server([response(2, bytes().i16(0)), response(3, bytes().i16(0))].concat())
        .gap(ServerToClient, 3)
        .server([&response(4, bytes().i16(0))[3..], &response(3, bytes().i16(0))].concat())
        .client(heartbeat(5))
        .server(response(5, bytes().i16(0)));
    assert_eq!(
        proven(&script),
        [
            "request Heartbeat 1",
            "response Heartbeat 1",
            "skipped 29 bytes lost in the capture, before the next message could be told",
            "request Heartbeat 3",
            "request Heartbeat 4",
            // Its request fell into the gap.
            "response  2",
            "response Heartbeat 3",
            "request Heartbeat 5",
            "skipped 17 bytes lost in the capture, before the next message could be told",
            "response Heartbeat 5",
        ]
    );
}

#[test]
fn a_connection_is_joined_in_the_middle() {
    let mut script = Script::new(9092)
        .mid_stream()
        .server(&produced(7, "orders", 0, 0)[5..])
        .client(&produce(8, 1, "x", 0, &[])[9..]);
    for id in 9..30 {
        script = script.client(heartbeat(id)).server(response(id, bytes().i16(0)));
    }
    let lines = proven(&script);
    let told: Vec<_> = lines.iter().filter(|line| !line.starts_with("skipped")).collect();
    // Bytes that may be the head of a longer message are waited for, so a few requests are told late.
    assert!(told.len() >= 30 && told.contains(&&"request Heartbeat 9".to_owned()), "{lines:?}");
    assert_eq!(told.last().map(|line| line.as_str()), Some("response Heartbeat 29"));
}

#[test]
fn of_a_server_alone_responses_are_told_with_what_is_known() {
    let answers = |ids: std::ops::Range<i32>| ids.map(|id| response(id, bytes().i16(0))).collect::<Vec<_>>().concat();
    let script = talk().server(answers(1..4)).server(answers(6..8));
    assert_eq!(proven(&script), [1, 2, 3, 6, 7].map(|id| format!("response  {id}")));
    let rows = script.run::<KafkaParser>();
    assert_eq!((rows[0].status(), rows[0].number("length"), rows[0].number("code")), ("unknown", Some(6), None));
    assert_eq!(rows[0].text("x_request_id"), "1");
    // From its middle on, and behind a gap.
    let joined = Script::new(9092).mid_stream().server([&answers(1..2)[5..], &answers(2..6)].concat());
    let lines = proven(&joined);
    assert_eq!(lines[1..], [2, 3, 4, 5].map(|id| format!("response  {id}")));
    let lost = talk().server(answers(1..4)).gap(ServerToClient, 3).server([&[9; 4][..], &answers(5..8)].concat());
    assert_eq!(proven(&lost)[4..], [5, 6, 7].map(|id| format!("response  {id}")));
    assert_eq!(proven(&lost)[3], "skipped 4 bytes lost in the capture, before the next message could be told");
    // They are recognised as soon as three follow each other; on the port of brokers they are waited for.
    let check = |port: u16, bytes: &[u8]| Script::new(port).server(bytes).check::<KafkaParser>().0;
    for length in 0..answers(1..4).len() {
        let expected = if length < 28 { "more" } else { "response" };
        assert_eq!(check(9092, &answers(1..4)[..length]), expected, "{length}");
    }
    assert_eq!((check(5000, &answers(1..4)), check(5000, &answers(1..3))), ("response", "no"));
    assert_eq!(check(9092, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), "no");
}

#[test]
fn bytes_that_are_no_kafka_end_the_session() {
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x16\x03\x01\x02\x00\x01", &[0; 40]] {
        let lines = proven(&talk().client(bytes));
        assert!(lines[0].starts_with("violation at 0: "), "{lines:?}");
        assert_eq!(lines.len(), 1);
    }
    let lines = proven(&talk().client(heartbeat(1)).server(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    assert_eq!(lines[1..], ["violation at 0: no length of a response of Kafka"]);
    let lines = proven(&talk().client(heartbeat(1)).server(response(5, bytes().i16(0))));
    assert_eq!(lines[1..], ["violation at 0: a response that answers no request"]);
    let long = [&heartbeat(1)[..], &[0xff; 300_000]].concat();
    let rows = talk().client(long).option("max_message_bytes", "1024").run::<KafkaParser>();
    let lines: Vec<String> = rows.iter().map(line).collect();
    assert_eq!(lines.last().map(String::as_str), Some("violation at 262183: no message of Kafka for a long time"));
}

fn client(bytes: &[u8]) -> (&'static str, String, i128) {
    talk().client(bytes).check::<KafkaParser>()
}

#[test]
fn requests_are_confirmed_when_they_are_whole() {
    for message in [versions(1), heartbeat(1), produce(1, -1, "orders", 0, &batch(0, &[&[]]))] {
        for length in 0..message.len() {
            assert_eq!(client(&message[..length]).0, "more", "{length}");
        }
        assert_eq!(client(&message).0, "request");
        assert_eq!(talk().server(&message).check::<KafkaParser>().0, "request");
        assert_eq!(client(&[&message[..], b"\0\0"].concat()).0, "request");
    }
    assert_eq!(client(&produce(1, 1, "orders", 0, &[0; 5000])[..1024]).0, "request");
    // The newest client asks in a version that is not known here.
    assert_eq!(client(&flexible(18, 9, 1, bytes().compact("lib").compact("1").uvarint(0))).0, "request");
}

#[test]
fn look_alikes_are_refused_with_a_reason_and_the_byte() {
    let zookeeper = bytes().i32(45).i32(0).i64(0).i32(30000).i64(0).bytes(&[0; 16]).i8(0).0;
    for (bytes, reason, offset) in [
        (&b"GET / HTTP/1.1\r\n"[..], "no length of a Kafka message", 0),
        (b"\x16\x03\x01\x02\x00\x01\x00", "no length of a Kafka message", 0),
        (&[0; 16], "too short for a request of Kafka", 0),
        (&[0, 0, 0, 20, 1, 0, 0, 0], "no API of Kafka", 4),
        (&[0, 0, 0, 20, 0, 12, 0, 9], "no version of this API of Kafka", 6),
        (&[0, 0, 0, 20, 0, 12, 0, 0, 0, 0, 0, 1, 0, 40], "no client's id of a request of Kafka", 12),
        (&[0, 0, 0, 20, 0, 12, 0, 0, 0, 0, 0, 1, 0, 4, b'a', 1], "a client's id that is no text", 15),
        (&request(12, 0, 1, bytes().text("g").i32(1).text("m").i8(1)), "bytes behind the last field", 28),
        (&request(12, 0, 1, bytes().i16(900)), "a field is longer than its message", 20),
        (&produce(1, 9, "t", 0, &[]), "no number of acknowledgements", 18),
        (&request(12, 0, 1, bytes().text("\u{1}").i32(1).text("m")), "a name that is no text", 18),
        (&zookeeper, "too short for a Fetch", 0),
    ] {
        let found = client(bytes);
        if bytes == zookeeper {
            assert_eq!(found.0, "no", "{found:?}");
        } else {
            assert_eq!((found.0, found.1.as_str(), found.2), ("no", reason, offset), "{bytes:?}");
        }
    }
    assert_eq!(Script::new(9092).udp().client(versions(1)).check::<KafkaParser>().1, "Kafka runs over TCP");
}
