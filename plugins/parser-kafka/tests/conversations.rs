//! Whole conversations: what is reported, the same for every split, whatever is damaged.

mod support;

use metaflow_parser_kafka::KafkaParser;
use metaflow_parser_sdk::testing::{Row, Script};
use support::*;

/// Run a script, check all its splits and damages, and give its records.
fn proven(script: &Script) -> Vec<Row> {
    script.assert_any_split_is_equal::<KafkaParser>();
    script.assert_survives_damage::<KafkaParser>();
    script.run::<KafkaParser>()
}

/// Kind, API, id, code, status or resource.
fn told(rows: &[Row]) -> Vec<(&str, &str, i128, i128, &str)> {
    let number = |row: &Row, name| row.number(name).unwrap_or(-1);
    rows.iter()
        .map(|row| {
            let last = if row.kind() == "response" { row.status() } else { row.text("request_resource") };
            (row.kind(), row.text("request_type"), number(row, "request_id"), number(row, "code"), last)
        })
        .collect()
}

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const OTHER: &str = "00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-00f067aa0ba902b7-01";

#[test]
fn a_produce_carries_what_the_catalogue_wants() {
    let records =
        batch(0, &[&[("x", "y")], &[("traceparent", TRACE)], &[("traceparent", TRACE)], &[("traceparent", OTHER)]]);
    let rows = proven(&talk().client(produce(9, -1, "orders", 3, &records)).server(produced(9, "orders", 3, 0)));
    let request = &rows[0];
    for (column, value) in [
        ("request_type", "Produce"),
        ("request_domain", "orders"),
        ("request_resource", "orders"),
        ("endpoint", "orders-3"),
        ("version", "3"),
        ("x_request_id", "9"),
        ("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("span_id", "00f067aa0ba902b7"),
        ("trace_id_2", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    ] {
        assert_eq!(request.text(column), value, "{column}");
    }
    for (name, value) in [("client_id", "shop"), ("acks", "-1"), ("records", "4")] {
        assert_eq!(request.attribute(name), Some(value), "{name}");
    }
    assert_eq!((request.number("request_id"), request.number("stream_id")), (Some(9), Some(9)));
    assert_eq!(request.number("length"), Some(records.len() as i128 + 46));
    assert_eq!(told(&rows)[1], ("response", "Produce", 9, 0, "ok"));
    assert_eq!((rows[1].text("endpoint"), rows[1].text("x_request_id")), ("orders-3", "9"));
}

#[test]
fn a_produce_without_acknowledgement_is_one_way() {
    let rows = proven(
        &talk()
            .client([produce(1, 0, "log", 0, &batch(0, &[&[]])), heartbeat(2)].concat())
            .server(response(2, bytes().i16(27))),
    );
    assert_eq!(
        told(&rows),
        [
            ("session", "Produce", 1, -1, "log"),
            ("request", "Heartbeat", 2, -1, "billing"),
            ("response", "Heartbeat", 2, 27, "server_error"),
        ]
    );
    assert_eq!((rows[1].text("endpoint"), rows[1].attribute("group_id")), ("billing", Some("billing")));
    assert_eq!(rows[2].text("exception"), "REBALANCE_IN_PROGRESS");
}

#[test]
fn requests_are_sent_ahead_and_answered_by_their_ids() {
    let rows = proven(
        &talk()
            .client([versions(1), heartbeat(2), produce(3, 1, "orders", 0, &[])].concat())
            .server([versions_answer(1, 0), response(2, bytes().i16(0)), produced(3, "orders", 0, 3)].concat()),
    );
    assert_eq!(
        told(&rows)[3..],
        [
            ("response", "ApiVersions", 1, 0, "ok"),
            ("response", "Heartbeat", 2, 0, "ok"),
            ("response", "Produce", 3, 3, "server_error"),
        ]
    );
    assert_eq!(rows[5].text("exception"), "UNKNOWN_TOPIC_OR_PARTITION");
}

#[test]
fn a_version_that_the_broker_does_not_know_is_answered_with_version_0() {
    let ask = flexible(18, 4, 1, bytes().compact("lib").compact("1.2").uvarint(0));
    let rows = proven(&talk().client(ask).server(versions_answer(1, 35)));
    assert_eq!(rows[0].attribute("client_software_name"), Some("lib"));
    assert_eq!(rows[0].attribute("client_software_version"), Some("1.2"));
    assert_eq!(told(&rows)[1], ("response", "ApiVersions", 1, 35, "server_error"));
    assert_eq!(rows[1].text("exception"), "UNSUPPORTED_VERSION");
}

#[test]
fn ids_of_topics_get_the_names_that_metadata_tells() {
    const ID: [u8; 16] =
        [0xbd, 0x5b, 0x47, 0x5d, 0x16, 0x5f, 0x47, 0x3f, 0x91, 0x0c, 0xb4, 0xa2, 0xd1, 0xdb, 0x0e, 0xff];
    let fetch = |id| {
        // Wait, bytes, isolation, session, epoch; one topic with one partition; nothing forgotten, no rack.
        let partition = bytes().i32(4).i32(-1).i64(0).i32(-1).i64(-1).i32(1000).uvarint(0);
        let topic = bytes().raw(&ID).uvarint(2).raw(&partition.0).uvarint(0);
        let body = bytes().i32(-1).i32(100).i32(1).i32(1000).i8(0).i32(0).i32(0).uvarint(2).raw(&topic.0);
        flexible(1, 13, id, body.uvarint(1).compact("").uvarint(0))
    };
    let fetched = |id, error, records: &[u8]| {
        let partition = bytes().i32(4).i16(error).i64(9).i64(9).i64(0).uvarint(0).i32(-1);
        let partition = partition.uvarint(records.len() as u32 + 1).raw(records).uvarint(0);
        let topic = bytes().raw(&ID).uvarint(2).raw(&partition.0).uvarint(0);
        response(id, bytes().uvarint(0).i32(5).i16(0).i32(0).uvarint(2).raw(&topic.0).uvarint(0))
    };
    let ask = flexible(3, 12, 2, bytes().uvarint(0).i8(1).i8(0).uvarint(0));
    let broker = bytes().i32(1).compact("b").i32(9092).uvarint(0).uvarint(0);
    let topic = bytes().i16(0).compact("orders").raw(&ID).i8(0).uvarint(1).i32(0).uvarint(0);
    let answer = bytes()
        .uvarint(0)
        .i32(0)
        .uvarint(2)
        .raw(&broker.0)
        .compact("cluster")
        .i32(1)
        .uvarint(2)
        .raw(&topic.0)
        .uvarint(0);
    let records = batch(0, &[&[("b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1")]]);
    let rows = proven(
        &talk()
            .client(fetch(1))
            .server(fetched(1, 0, &records))
            .client(ask)
            .server(response(2, answer))
            .client(fetch(3))
            .server(fetched(3, 100, &[])),
    );
    assert_eq!(rows[0].text("request_domain"), "bd5b475d-165f-473f-910c-b4a2d1db0eff");
    assert_eq!(rows[0].attribute("topic_id"), Some("vVtHXRZfRz-RDLSi0dsO_w"));
    assert_eq!(
        (rows[1].text("trace_id"), rows[1].attribute("records")),
        ("80f198ee56343ba864fe8b2a57d3eff7", Some("1"))
    );
    assert_eq!(rows[1].attribute("throttle_time_ms"), Some("5"));
    assert_eq!((rows[3].status(), rows[3].text("request_domain")), ("ok", ""));
    assert_eq!((rows[4].text("request_resource"), rows[4].text("endpoint")), ("orders", "orders-4"));
    assert_eq!((rows[5].number("code"), rows[5].text("exception")), (Some(100), "UNKNOWN_TOPIC_ID"));
    assert_eq!(rows[5].text("endpoint"), "orders-4");
}

#[test]
fn members_of_a_group_tell_their_topics() {
    let wants = bytes().i16(0).i32(2).text("orders").text("payments").i32(-1);
    let join = bytes().text("billing").i32(1).text("").text("consumer").i32(1).text("range").bytes(&wants.0);
    let gets = bytes().i16(0).i32(1).text("orders").i32(2).i32(5).i32(6).i32(-1);
    let sync = bytes().text("billing").i32(1).text("m").i32(1).text("m").bytes(&gets.0);
    let joined = bytes().i16(0).i32(1).text("range").text("m").text("m").i32(1).text("m").bytes(&wants.0);
    let rows = proven(
        &talk()
            .client(request(11, 0, 1, join))
            .server(response(1, joined))
            .client(request(14, 0, 2, sync))
            .server(response(2, bytes().i16(0).bytes(&gets.0)))
            .client(request(13, 0, 3, bytes().text("billing").text("m")))
            .server(response(3, bytes().i16(0))),
    );
    assert_eq!(
        told(&rows),
        [
            ("request", "JoinGroup", 1, -1, "billing"),
            ("response", "JoinGroup", 1, 0, "ok"),
            ("request", "SyncGroup", 2, -1, "billing"),
            ("response", "SyncGroup", 2, 0, "ok"),
            ("request", "LeaveGroup", 3, -1, "billing"),
            ("response", "LeaveGroup", 3, 0, "ok"),
        ]
    );
    assert_eq!((rows[0].text("request_domain"), rows[2].text("request_domain")), ("orders", "orders"));
}

#[test]
fn secrets_of_a_login_are_never_kept() {
    let ask = |version| request(17, version, 1, bytes().text("PLAIN"));
    let answer = || response(1, bytes().i16(0).i32(1).text("PLAIN"));
    let secret = b"\0alice\0s3cret";
    let script = talk()
        .client(ask(1))
        .server(answer())
        .client(request(36, 0, 2, bytes().bytes(secret)))
        .server(response(2, bytes().i16(58).text("Authentication failed").bytes(b"")));
    let rows = proven(&script);
    assert_eq!(
        told(&rows)[2..],
        [("request", "SaslAuthenticate", 2, -1, ""), ("response", "SaslAuthenticate", 2, 58, "server_error"),]
    );
    assert_eq!(rows[3].text("exception"), "SASL_AUTHENTICATION_FAILED");
    assert_eq!(rows[3].text("result"), "Authentication failed");
    // Before version 1 the tokens travel bare.
    let bare = talk()
        .client(ask(0))
        .server(answer())
        .client(bytes().bytes(secret).0)
        .server(bytes().bytes(b"").0)
        .client(heartbeat(2))
        .server(response(2, bytes().i16(0)));
    let bare_rows = proven(&bare);
    let kinds: Vec<_> = bare_rows.iter().map(|row| (row.kind(), row.text("request_type"))).collect();
    assert_eq!(kinds[2..], [("session", "SaslToken"), ("request", "Heartbeat"), ("response", "Heartbeat")]);
    assert!(!format!("{rows:?}{bare_rows:?}").contains("s3cret"));
}

#[test]
fn compressed_records_are_opened_as_far_as_allowed() {
    let plain = batch(0, &[&[("traceparent", TRACE)]]);
    // A stored block of deflate behind a header of gzip, and a snappy block of one literal.
    let records = &plain[61..];
    let gzip = bytes()
        .raw(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0, 1])
        .raw(&(records.len() as u16).to_le_bytes())
        .raw(&(!(records.len() as u16)).to_le_bytes())
        .raw(records);
    let snappy = bytes().uvarint(records.len() as u32).raw(&[60 << 2, records.len() as u8 - 1]).raw(records);
    for (flags, body, name) in [(1, gzip.0, "gzip"), (2, snappy.0, "snappy")] {
        let script = talk().client(produce(1, 1, "orders", 0, &packed(flags, 1, &body)));
        let rows = proven(&script);
        assert_eq!(rows[0].text("trace_id"), "4bf92f3577b34da6a3ce929d0e0e4736", "{name}");
        assert_eq!(rows[0].attribute("compression"), Some(name));
        let rows = script.option("max_decompressed_bytes", "0").run::<KafkaParser>();
        assert_eq!((rows[0].text("trace_id"), rows[0].attribute("records")), ("", Some("1")));
    }
    // Old messages have no headers; their number is told.
    let old = bytes().i64(0).bytes(&bytes().i32(0).i8(0).i8(0).i32(-1).bytes(b"v").0);
    let rows = proven(&talk().client(produce(1, 1, "orders", 0, &[old.clone().0, old.0].concat())));
    assert_eq!(rows[0].attribute("records"), Some("2"));
}

#[test]
fn a_bomb_is_opened_to_its_limit_only() {
    // Snappy: a literal, then copies of it that claim a gigabyte.
    let mut body = bytes().uvarint(1 << 30).raw(&[0, 0]);
    for _ in 0..400 {
        body = body.raw(&[0xfe, 1, 0]);
    }
    let rows = proven(
        &talk().client(produce(1, 1, "orders", 0, &packed(2, 1000, &body.0))).option("max_decompressed_bytes", "1000"),
    );
    assert_eq!(rows[0].attribute("records"), Some("1000"));
}

#[test]
fn many_topics_are_named_and_counted() {
    let mut body = bytes().i32(12);
    for number in 0..12 {
        body = body.text(&format!("t{number}")).i32(1).i32(0).i64(-1);
    }
    let rows = proven(&talk().client(request(2, 1, 5, bytes().i32(-1).raw(&body.0))));
    assert_eq!(rows[0].text("endpoint"), "t0-0");
    assert_eq!(rows[0].attribute("topics"), Some("t0,t1,t2,t3,t4,t5,t6,t7,... (12)"));
    assert_eq!(rows[0].attribute("partitions"), Some("12"));
}

#[test]
fn apis_and_versions_from_later_days_are_still_paired() {
    let later = |key, version, id| request(key, version, id, bytes().raw(b"whatever it says"));
    let rows = proven(
        &talk()
            .client([versions(1), later(120, 0, 2), flexible(12, 50, 3, bytes().raw(b"?"))].concat())
            .server([versions_answer(1, 0), response(2, bytes().raw(b"?")), response(3, bytes().raw(b"?"))].concat()),
    );
    assert_eq!(
        told(&rows)[1..],
        [
            ("request", "Api120", 2, -1, ""),
            ("request", "Heartbeat", 3, -1, ""),
            ("response", "ApiVersions", 1, 0, "ok"),
            ("response", "", 2, -1, "unknown"),
            ("response", "Heartbeat", 3, -1, "unknown"),
        ]
    );
}

#[test]
fn a_response_that_cannot_be_read_is_said_so() {
    let rows = proven(&talk().client(heartbeat(1)).server(response(1, bytes().i8(1))));
    assert_eq!((rows[1].status(), rows[1].text("exception")), ("parse_failed", "a field is longer than its message"));
}

#[test]
fn nested_and_giant_lengths_are_refused_by_their_message() {
    for count in [i32::MAX, 1 << 20, -2] {
        let body = bytes().i16(-1).i16(1).i32(1000).i32(count).text("orders").i32(count);
        let rows = proven(&talk().client([versions(1), request(0, 3, 2, body)].concat()));
        assert_eq!(told(&rows)[1].1, "Produce");
    }
}

#[test]
fn wrong_options_are_refused_in_a_sentence() {
    use metaflow_parser_sdk::Parser;
    let mut parser = KafkaParser::new();
    for (key, value) in
        [("max_message_bytes", "12"), ("max_decompressed_bytes", "-1"), ("trace_headers", "a=b"), ("x", "1")]
    {
        let sentence = parser.configure(key, value).unwrap_err();
        assert!(sentence.contains("expected"), "{sentence}");
    }
    parser.configure("trace_headers", "my-trace").unwrap();
}
