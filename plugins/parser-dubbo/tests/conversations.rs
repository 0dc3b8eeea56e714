//! Whole conversations: what is reported, the same for every split, whatever is damaged; gaps; and what inference says.

mod support;

use metaflow_parser_dubbo::DubboParser;
use metaflow_parser_sdk::testing::{Row, Script, Step};
use metaflow_parser_sdk::Direction::ClientToServer;
use support::*;

/// Run a script, check all its splits and damages, and give its records.
fn proven(script: &Script) -> Vec<Row> {
    script.assert_any_split_is_equal::<DubboParser>();
    // Each byte of a conversation is damaged in several ways: long ones would take a minute and show nothing else.
    let size: usize =
        script.steps.iter().map(|step| if let Step::Data(_, bytes) = step { bytes.len() } else { 0 }).sum();
    if size < 450 {
        script.assert_survives_damage::<DubboParser>();
    }
    script.run::<DubboParser>()
}

fn line(row: &Row) -> String {
    let number = |name| row.number(name).unwrap_or(-1);
    match row.kind() {
        "skipped" => format!("skipped {} {}", number("length"), row.text("exception")),
        "violation" => format!("violation at {}: {}", number("stream_offset"), row.text("exception")),
        "response" => format!("response {} {} {}", number("request_id"), number("code"), row.status()),
        kind => format!("{kind} {} {}", number("request_id"), row.text("request_type")),
    }
}

fn told(script: &Script) -> Vec<String> {
    proven(script).iter().map(line).collect()
}

#[test]
fn a_call_carries_what_the_catalogue_wants() {
    let rows = proven(&talk().client(call(7, "add")).server(answer(7)));
    for (column, value) in [
        ("request_type", "add"),
        ("request_domain", "shop.Cart"),
        ("request_resource", "shop.Cart"),
        ("endpoint", "shop.Cart/add"),
        ("version", "2.0.2"),
        ("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("span_id", "00f067aa0ba902b7"),
    ] {
        assert_eq!(rows[0].text(column), value, "{column}");
    }
    for (name, value) in [
        ("serialization_id", "2"),
        ("service_version", "1.0.0"),
        ("service_group", "blue"),
        ("parameter_types", "Ljava/lang/String;"),
    ] {
        assert_eq!(rows[0].attribute(name), Some(value), "{name}");
    }
    assert_eq!((rows[0].number("request_id"), rows[0].number("stream_id")), (Some(7), Some(7)));
    assert_eq!(line(&rows[1]), "response 7 20 ok");
    assert_eq!(rows.len(), 2);
}

#[test]
fn calls_overlap_and_some_want_no_answer() {
    let script = talk()
        .client([call(1, "a"), frame(0x82, 0, 2, &body("log", "", &[], &[])), call(3, "b")].concat())
        .server([answer(3), answer(1)].concat());
    assert_eq!(told(&script), ["request 1 a", "session 2 log", "request 3 b", "response 3 20 ok", "response 1 20 ok"]);
}

#[test]
fn every_status_has_its_name_and_its_fault() {
    for (code, status, name) in [
        (20, "ok", ""),
        (25, "server_error", "SERIALIZATION_ERROR"),
        (30, "client_error", "CLIENT_TIMEOUT"),
        (31, "server_error", "SERVER_TIMEOUT"),
        (40, "client_error", "BAD_REQUEST"),
        (50, "server_error", "BAD_RESPONSE"),
        (60, "server_error", "SERVICE_NOT_FOUND"),
        (70, "server_error", "SERVICE_ERROR"),
        (80, "server_error", "SERVER_ERROR"),
        (90, "client_error", "CLIENT_ERROR"),
        (100, "server_error", "SERVER_THREADPOOL_EXHAUSTED_ERROR"),
        (77, "unknown", ""),
    ] {
        let body = if code == 20 { vec![0x92] } else { text("because\n\tat Somewhere.java") };
        let rows = talk().client(call(1, "a")).server(frame(2, code, 1, &body)).run::<DubboParser>();
        assert_eq!((rows[1].status(), rows[1].text("exception")), (status, name), "{code}");
        assert_eq!(rows[1].text("result"), if code == 20 { "" } else { "because" });
    }
}

#[test]
fn an_exception_of_the_service_is_named() {
    let class =
        [&b"C"[..], &text("java.lang.IllegalStateException"), &[0x92], &text("cause"), &text("detailMessage")].concat();
    let thrown = [&[0x93][..], &class, &[0x60, b'N'], &text("no stock"), &map(&[("dubbo", "2.0.2")])].concat();
    let script = talk().client(call(1, "buy")).server(frame(2, 20, 1, &thrown));
    let rows = proven(&script);
    assert_eq!((rows[1].text("exception"), rows[1].text("result")), ("java.lang.IllegalStateException", "no stock"));
    assert_eq!((rows[1].status(), rows[1].number("code")), ("ok", Some(20)));
    let rows = script.option("exceptions_are_errors", "true").run::<DubboParser>();
    assert_eq!((rows[1].status(), rows[1].number("code")), ("server_error", Some(20)));
}

#[test]
fn attachments_are_found_behind_any_arguments() {
    let arguments = [
        // Every kind of value of Hessian 2, as one list.
        &[b'X', 0x90 + 35][..],
        &[b'N', b'T', b'F', 0x90, 0xc8, 1, 0xd4, 1, 1, b'I', 0, 0, 0, 9],
        &[0xe0, 0xf8, 1, 0x3c, 1, 1, b'Y', 0, 0, 0, 1, b'L', 0, 0, 0, 0, 0, 0, 0, 1],
        &[0x5b, 0x5c, 0x5d, 1, 0x5e, 1, 1, 0x5f, 0, 0, 0, 1, b'D', 0, 0, 0, 0, 0, 0, 0, 0],
        &[b'J', 0, 0, 0, 0, 0, 0, 0, 1, b'K', 0, 0, 0, 1],
        &[0x21, 7, 0x34, 2, 7, 7, b'B', 0, 1, 7],
        &[b'A', 0, 1, 7, 0x20],
        &[b'R', 0, 1, b'a', 1, b'b'],
        &[b'H', 1, b'k', 0x91, b'Z'],
        &[b'M', 1, b'T', 1, b'k', 0x91, b'Z'],
        &[0x71, 1, b'T', 0x91, 0x79, 0x91, b'U', 0x90, 0x91, b'Z', b'V', 0x90, 0x91, 0x91, b'W', 0x91, b'Z'],
        &[b'C', 1, b'P', 0x92, 1, b'x', 1, b'y', 0x60, 0x91, 0x92, b'O', 0x90, 0x91, 0x92],
        &[b'Q', 0x90],
    ]
    .concat();
    let body = body("all", "Ljava/util/List;", &arguments, &[("sw8", "1-YQ==-Yg==-3-x-y-z-w"), ("group", "g")]);
    let rows = proven(&talk().client(frame(0xc2, 0, 1, &body)));
    assert_eq!((rows[0].text("trace_id"), rows[0].text("span_id")), ("a", "b-3"));
    assert_eq!(rows[0].attribute("service_group"), Some("g"));
}

#[test]
fn behind_arguments_that_cannot_be_read_a_trace_is_searched() {
    let pairs = [("EagleEye-TraceID", "0a5f"), ("EagleEye-RpcID", "0.1")];
    let rows = proven(&talk().client(frame(0xc2, 0, 1, &body("x", "I", &[0x91], &pairs))));
    assert_eq!((rows[0].text("trace_id"), rows[0].text("span_id")), ("0a5f", "0.1"));
    let rows = proven(&talk().client(frame(0xc2, 0, 1, &body("x", "I", &[b'E', 1, 2], &pairs))));
    assert_eq!(rows[0].text("trace_id"), "0a5f");
    // A value inside of values, deeper than any sane one.
    let nested = [vec![0x79; 3000], vec![0x90]].concat();
    let rows = talk().client(frame(0xc2, 0, 1, &body("x", "I", &nested, &pairs))).run::<DubboParser>();
    assert_eq!(rows[0].text("trace_id"), "0a5f");
}

#[test]
fn generic_calls_name_what_they_call() {
    let types = "Ljava/lang/String;[Ljava/lang/String;[Ljava/lang/Object;";
    let arguments = [&text("pay")[..], b"NN"].concat();
    let rows = proven(&talk().client(frame(0xc2, 0, 1, &body("$invoke", types, &arguments, &[("a", "b")]))));
    assert_eq!((rows[0].text("request_type"), rows[0].attribute("generic_method")), ("$invoke", Some("pay")));
}

#[test]
fn heartbeats_of_both_sides_do_not_meet_each_others_answers() {
    let (ask, reply) = (|id| frame(0xe2, 0, id, b"N"), |id| frame(0x22, 20, id, b"N"));
    let rows = proven(&talk().client(ask(1)).server([ask(1), reply(1)].concat()).client(reply(1)));
    let keys: Vec<_> = rows.iter().map(|row| (row.kind(), row.number("stream_id").unwrap())).collect();
    let by_server = 1 | 1 << 63;
    assert_eq!(keys, [("request", 1), ("request", by_server), ("response", 1), ("response", by_server)]);
    assert!(rows.iter().all(|row| row.text("request_type") == "heartbeat" && row.attribute("event") == Some("1")));
    let rows = proven(&talk().server(frame(0xa2, 0, 5, b"\x01R")));
    assert_eq!((rows[0].kind(), rows[0].text("request_type")), ("session", "readonly"));
}

#[test]
fn other_serializations_tell_the_same() {
    let json = format!(
        "\"2.0.2\"\n\"shop.Cart\"\n\"1.0.0\"\n\"add\"\n\"Ljava/lang/String;\"\n\"a \\\"book\\\"\"\n{{\"n\":{{\"x\":\"y\"}},\"traceparent\":\"{TRACE}\"}}\n"
    );
    let item = |value: &[u8]| [&(value.len() as u32).to_be_bytes()[..], value].concat();
    let short = |text: &str| [&[0x49 + text.len() as u8][..], text.as_bytes()].concat();
    let long = |text: &str| [&[0x79, 0x38, text.len() as u8][..], text.as_bytes()].concat();
    let mut jsonb: Vec<u8> =
        ["2.0.2", "shop.Cart", "1.0.0", "add", "Ljava/lang/String;"].map(|each| item(&short(each))).concat();
    jsonb.extend(item(&short("book")));
    jsonb.extend(item(&[&[0xa6][..], &short("traceparent"), &long(TRACE), &[0xa5]].concat()));
    let kryo = |text: &str| {
        let mut bytes = text.as_bytes().to_vec();
        *bytes.last_mut().unwrap() |= 0x80;
        bytes
    };
    let mut packed: Vec<u8> = ["2.0.2", "shop.Cart", "1.0.0", "add", "Ljava/lang/String;"].map(kryo).concat();
    packed.extend([&[3, 1, 1][..], &kryo("traceparent"), &[3, 1], &kryo(TRACE)].concat());
    for (number, body) in [(6, json.into_bytes()), (23, jsonb), (8, packed)] {
        let rows = proven(&talk().client(frame(0xc0 | number, 0, 1, &body)));
        assert_eq!((rows[0].text("endpoint"), rows[0].attribute("service_version")), ("shop.Cart/add", Some("1.0.0")));
        assert_eq!(rows[0].text("trace_id"), "4bf92f3577b34da6a3ce929d0e0e4736", "{number}");
    }
    let rows = proven(&talk().client(frame(0xc3, 0, 1, b"java")));
    assert_eq!((rows[0].text("endpoint"), rows[0].attribute("serialization_id")), ("", Some("3")));
}

#[test]
fn giant_lengths_and_long_messages_are_passed_over() {
    let body = body("list", "[B", &[&[b'B', 0x20, 0][..], &[7; 8192]].concat(), &[("traceparent", TRACE)]);
    let script =
        talk().client([frame(0xc2, 0, 1, &body), call(2, "next")].concat()).option("max_message_bytes", "1024");
    let rows = script.run::<DubboParser>();
    assert_eq!(rows.iter().map(line).collect::<Vec<_>>(), ["request 1 list", "request 2 next"]);
    assert_eq!((rows[0].number("end_time_ns"), rows[0].text("trace_id")), (None, ""));
    let huge = [&[b'S', 0xff, 0xff][..], b"x"].concat();
    assert_eq!(told(&talk().client(frame(0xc2, 0, 1, &huge)).client(call(2, "b"))), ["request 1 ", "request 2 b"]);
}

#[test]
fn holes_and_joins() {
    let long = frame(0xc2, 0, 1, &body("put", "[B", &[&[b'B', 4, 0][..], &[7; 1024]].concat(), &[]));
    let inside = talk().client(&long[..100]).gap(ClientToServer, 500).client([&long[600..], &call(2, "b")].concat());
    assert_eq!(told(&inside), ["request 1 put", "request 2 b"]);
    let cut = talk().cut(ClientToServer, &long, 80).client(call(2, "b"));
    assert_eq!(told(&cut), ["request 1 put", "request 2 b"]);
    let lost = "bytes lost in the capture, before the next message could be told";
    let between =
        talk().client(call(1, "a")).gap(ClientToServer, 9).client([&call(2, "b")[9..], &call(3, "c")].concat());
    assert_eq!(told(&between)[1..], [format!("skipped {} {lost}", call(2, "b").len() - 9), "request 3 c".into()]);
    let joined = Script::new(20880).mid_stream().server([&answer(1)[5..], &answer(2)].concat());
    assert_eq!(told(&joined)[1..], ["response 2 20 ok"]);
    let wrong = talk().server([&answer(1)[..], b"oops", &answer(2)].concat());
    assert_eq!(told(&wrong)[1..], ["skipped 4 no magic of Dubbo", "response 2 20 ok"]);
}

#[test]
fn bytes_that_are_no_dubbo_end_the_session() {
    assert_eq!(told(&talk().client("GET / HTTP/1.1\r\n\r\n")), ["violation at 0: no magic of Dubbo"]);
    let long = [&call(1, "a")[..], &[0xff; 300_000]].concat();
    let rows = talk().client(&long).run::<DubboParser>();
    let end = call(1, "a").len() + (256 << 10) + 1;
    assert_eq!(line(rows.last().unwrap()), format!("violation at {end}: no message of Dubbo for a long time"));
    let pieces =
        talk().client(&long).run_cut::<DubboParser>(|bytes| vec![bytes.len() / 2, bytes.len() - bytes.len() / 2]);
    assert_eq!(pieces, rows);
}

fn check(script: &Script) -> (&'static str, String, i128) {
    script.check::<DubboParser>()
}

#[test]
fn inference() {
    assert_eq!(check(&talk().client(call(1, "a"))).0, "request");
    assert_eq!(check(&talk().server(answer(1))).0, "response");
    assert_eq!(check(&talk().client(answer(1))).0, "response");
    for length in 0..16 {
        assert_eq!(check(&talk().client(&call(1, "a")[..length])).0, "more", "{length}");
    }
    // A heartbeat does not tell who is the client; what follows does.
    assert_eq!(check(&talk().server(frame(0xe2, 0, 1, b"N"))).0, "more");
    assert_eq!(check(&talk().server([frame(0xe2, 0, 1, b"N"), answer(1)].concat())).0, "response");
    for (bytes, reason, at) in [
        (&b"GET / HTTP/1.1"[..], "no magic of Dubbo", 0),
        (&[0xda, 0xbc], "no magic of Dubbo", 1),
        (&[0xda, 0xbb, 0xc0, 0], "no serialization of Dubbo", 2),
        (&[0xda, 0xbb, 0x42, 20], "a response that wants a response", 2),
        (&[0xda, 0xbb, 0xc2, 1], "a request with a status", 3),
        (&[0xda, 0xbb, 0x02, 0], "a response without a status", 3),
        (&[0xda, 0xbb, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 0, 0, 0], "a body of more than 256 MiB", 12),
    ] {
        assert_eq!(check(&talk().client(bytes)), ("no", reason.to_owned(), at));
    }
    assert_eq!(check(&talk().udp().client(call(1, "a"))).1, "Dubbo runs over TCP");
}

#[test]
fn wrong_options_are_refused_in_a_sentence() {
    use metaflow_parser_sdk::Parser;
    let mut parser = DubboParser::new();
    for (key, value) in
        [("max_message_bytes", "1"), ("exceptions_are_errors", "x"), ("trace_headers", "a=b"), ("x", "")]
    {
        let sentence = parser.configure(key, value).unwrap_err();
        assert!(sentence.contains("expected"), "{sentence}");
    }
    parser.configure("trace_headers", "my-trace=raw").unwrap();
}
