//! Whole conversations: what is reported, the same for every split, whatever is damaged.

mod support;

use metaflow_parser_http2::Http2Parser;
use metaflow_parser_sdk::testing::{Row, Script};
use support::*;

fn h2() -> Script {
    Script::new(8080).client(hello()).server(welcome())
}

/// Run a script, check all its splits and damages, and give its records.
fn proven(script: &Script) -> Vec<Row> {
    script.assert_any_split_is_equal::<Http2Parser>();
    script.assert_survives_damage::<Http2Parser>();
    script.run::<Http2Parser>()
}

/// Kind, stream, code, status.
fn told(rows: &[Row]) -> Vec<(&'static str, i128, i128, &'static str)> {
    let number = |row: &Row, name| row.number(name).unwrap_or(-1);
    rows.iter().map(|row| (row.kind(), number(row, "stream_id"), number(row, "code"), row.status())).collect()
}

#[test]
fn a_request_and_its_response_carry_what_the_catalogue_wants() {
    let fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/api/v1/orders?id=7"),
        (":authority", "shop.example:8080"),
        ("user-agent", "curl/8"),
        ("referer", "http://r/"),
        ("content-length", "5"),
        ("x-request-id", "req-1"),
        ("x-forwarded-for", "192.0.2.7, 10.0.0.1"),
        ("x-tenant", "blue"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ];
    let answer = [(":status", "503"), ("x-request-id", "resp-1"), ("content-length", "4"), ("x-tenant", "red")];
    let rows = proven(
        &h2()
            .client([headers(1, false, &fields), data(1, true, b"hello")].concat())
            .server([headers(1, false, &answer), data(1, true, b"busy")].concat())
            .option("attribute_headers", "X-Tenant"),
    );
    let request = &rows[0];
    for (column, value) in [
        ("request_type", "POST"),
        ("request_domain", "shop.example:8080"),
        ("request_resource", "/api/v1/orders?id=7"),
        ("endpoint", "/api/v1"),
        ("version", "2"),
        ("x_request_id", "req-1"),
        ("http_proxy_client", "192.0.2.7"),
        ("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("span_id", "00f067aa0ba902b7"),
    ] {
        assert_eq!(request.text(column), value, "{column}");
    }
    assert_eq!((request.number("length"), request.number("protocol")), (Some(5), Some(21)));
    assert_eq!((request.number("request_id"), request.number("stream_id")), (Some(1), Some(1)));
    assert_eq!(request.number("stream_offset"), Some(hello().len() as i128));
    assert_eq!(request.attribute("http_user_agent"), Some("curl/8"));
    assert_eq!(request.attribute("http_referer"), Some("http://r/"));
    assert_eq!(request.attribute("x-tenant"), Some("blue"));
    assert_eq!(told(&rows)[1], ("response", 1, 503, "server_error"));
    let response = &rows[1];
    assert_eq!((response.text("exception"), response.text("x_request_id")), ("Service Unavailable", "resp-1"));
    assert_eq!((response.text("version"), response.number("length")), ("2", Some(4)));
    assert_eq!(rows.len(), 2);
}

#[test]
fn streams_overlap_and_the_table_grows() {
    let again = frame(1, 5, 5, &[0xc1, 0xc0, 0xbf, 0xbe]);
    let rows = proven(
        &h2()
            .client([get(1, "/1"), get(3, "/3"), again].concat())
            .server([headers(3, true, &[(":status", "204")]), headers(1, false, &[(":status", "404")])].concat())
            .server([data(1, false, b"no"), frame(1, 5, 5, &[0xbf]), data(1, true, b"")].concat()),
    );
    let paths: Vec<&str> = rows[..3].iter().map(|row| row.text("request_resource")).collect();
    assert_eq!(paths, ["/1", "/3", "/3"]);
    assert_eq!(
        told(&rows)[3..],
        [("response", 3, 204, "ok"), ("response", 1, 404, "client_error"), ("response", 5, 204, "ok")]
    );
}

#[test]
fn continuation_padding_and_priority() {
    let whole = block(&[(":method", "GET"), (":path", "/long"), (":authority", "a")]);
    let (first, rest) = whole.split_at(9);
    let (second, third) = rest.split_at(3);
    let head = [&[3, 0x80, 0, 0, 0, 200][..], first, &[0; 3]].concat();
    let rows = proven(
        &h2()
            .client(
                [frame(1, 0x29, 1, &head), frame(9, 0, 1, second), frame(9, 4, 1, third), frame(2, 0, 1, &[0; 5])]
                    .concat(),
            )
            .server(
                [
                    frame(1, 0xc, 1, &[&[2][..], &added(":status", "200"), &[0, 0]].concat()),
                    frame(0, 9, 1, &[4, b'x', 0, 0, 0, 0]),
                ]
                .concat(),
            )
            .client(get(3, "/next"))
            .server(headers(3, true, &[(":status", "200")])),
    );
    assert_eq!((rows[0].text("request_resource"), rows[2].text("request_resource")), ("/long", "/next"));
    assert_eq!(told(&rows)[1], ("response", 1, 200, "ok"));
    assert_eq!(rows.len(), 4);
}

#[test]
fn a_call_is_complete_with_its_trailers() {
    let reply = [(":status", "200"), ("content-type", "application/grpc")];
    let trailers = [("grpc-status", "5"), ("grpc-message", "no%20such %E2%82%AC")];
    let rows = proven(
        &h2()
            .client([call(1, "/shop.v1.Cart/Get"), data(1, true, &message(b"abc"))].concat())
            .server([headers(1, false, &reply), data(1, false, &[message(b"one"), message(b"")].concat())].concat())
            .server(headers(1, true, &trailers)),
    );
    let request = &rows[0];
    assert_eq!((request.text("request_type"), request.text("request_resource")), ("POST", "shop.v1.Cart"));
    assert_eq!((request.text("endpoint"), request.number("protocol")), ("/shop.v1.Cart/Get", Some(41)));
    assert_eq!(request.attribute("rpc_service"), Some("shop.v1.Cart"));
    assert_eq!(told(&rows)[1], ("response", 1, 5, "client_error"));
    let response = &rows[1];
    assert_eq!((response.text("exception"), response.number("length")), ("no such \u{20ac}", Some(13)));
    assert_eq!(response.attribute("rpc_request_messages"), Some("1"));
    assert_eq!(response.attribute("rpc_response_messages"), Some("2"));
    assert!(response.number("end_time_ns") > response.number("time_ns"));
    assert_eq!(rows.len(), 2);
}

#[test]
fn messages_are_counted_over_frames_and_padding() {
    let first = [message(&[7; 300]), message(b"x")].concat();
    let padded = [&[5][..], &first[4..200], &[0; 5]].concat();
    let rows = proven(
        &h2()
            .client([call(1, "/s.S/Talk"), data(1, false, &message(b"")), data(1, false, &message(b"b"))].concat())
            .server(headers(1, false, &[(":status", "200"), ("content-type", "application/grpc")]))
            .server([data(1, false, &first[..4]), frame(0, 8, 1, &padded), data(1, false, &first[200..])].concat())
            .client(data(1, true, &[]))
            .server(headers(1, true, &[("grpc-status", "0")])),
    );
    assert_eq!(told(&rows)[1], ("response", 1, 0, "ok"));
    assert_eq!(rows[1].attribute("rpc_request_messages"), Some("2"));
    assert_eq!(rows[1].attribute("rpc_response_messages"), Some("2"));
    assert_eq!(rows[1].number("length"), Some(first.len() as i128));
}

#[test]
fn outcomes_of_calls() {
    let grpc = ("content-type", "application/grpc");
    let rows = proven(
        &h2()
            .client([call(1, "/s.S/A"), call(3, "/s.S/B"), call(5, "/s.S/C"), call(7, "/s.S/D")].concat())
            // Trailers only; a proxy's answer; an answer without status; one that says nothing of itself.
            .server(headers(1, true, &[(":status", "200"), grpc, ("grpc-status", "14")]))
            .server(headers(3, true, &[(":status", "503"), ("content-type", "text/html")]))
            .server([headers(5, false, &[(":status", "200"), grpc]), data(5, true, &message(b"x"))].concat())
            .server(headers(7, true, &[(":status", "200"), grpc, ("grpc-status", "abc")])),
    );
    assert_eq!(
        told(&rows)[4..],
        [
            ("response", 1, 14, "server_error"),
            ("response", 3, 503, "server_error"),
            ("response", 5, 200, "unknown"),
            ("response", 7, -1, "unknown"),
        ]
    );
    assert_eq!(rows[4].text("exception"), "UNAVAILABLE");
    assert_eq!(rows[6].text("exception"), "The call ended without a grpc-status.");
    assert!(rows[4..].iter().all(|row| row.number("protocol") == Some(41)));
}

#[test]
fn every_client_error_of_grpc() {
    for code in 0..=17_u32 {
        let rows = h2()
            .client(call(1, "/s.S/A"))
            .server(headers(
                1,
                true,
                &[(":status", "200"), ("content-type", "application/grpc"), ("grpc-status", &code.to_string())],
            ))
            .run::<Http2Parser>();
        let expected = match code {
            0 => "ok",
            1 | 3 | 5 | 6 | 7 | 9 | 11 | 16 => "client_error",
            _ => "server_error",
        };
        assert_eq!(told(&rows)[1], ("response", 1, code.into(), expected));
    }
}

#[test]
fn what_a_method_of_triple_threw_is_an_answer() {
    let fields = [
        (":method", "POST"),
        (":path", "/Shop/fail"),
        ("content-type", "application/grpc+proto"),
        ("tri-service-version", "1.0.0"),
    ];
    let head = [(":status", "200"), ("content-type", "application/grpc+proto"), ("tri-exception-code", "3")];
    let rows = proven(&h2().client(headers(1, true, &fields)).server(headers(1, false, &head)).server(headers(
        1,
        true,
        &[("grpc-status", "0")],
    )));
    assert_eq!((rows[1].status(), rows[1].number("code")), ("ok", Some(0)));
    assert_eq!(rows[1].text("exception"), "BIZ_EXCEPTION");
}

#[test]
fn triple_is_a_protocol_of_its_own() {
    let fields = [
        (":method", "POST"),
        (":path", "/org.apache.Greet/hi"),
        ("content-type", "application/grpc+proto"),
        ("tri-service-version", "1.2.0"),
    ];
    let rows = proven(
        &h2()
            .client(headers(1, true, &fields))
            .server(headers(1, false, &[(":status", "200"), ("content-type", "application/grpc+proto")]))
            .server(headers(1, true, &[("grpc-status", "0")])),
    );
    assert_eq!((rows[0].number("protocol"), rows[0].text("version")), (Some(49), "1.2.0"));
    assert_eq!((rows[0].text("request_resource"), rows[1].number("protocol")), ("org.apache.Greet", Some(49)));
}

#[test]
fn resets_answer_what_has_no_answer() {
    let reset = |stream, code: u8| frame(3, 0, stream, &[0, 0, 0, code]);
    let rows = proven(
        &h2()
            .client([get(1, "/1"), get(3, "/3"), get(5, "/5"), call(7, "/s.S/A"), get(9, "/9")].concat())
            .server([reset(1, 7), reset(3, 1), headers(5, false, &[(":status", "200")])].concat())
            .server(
                [
                    headers(7, false, &[(":status", "200"), ("content-type", "application/grpc")]),
                    data(7, false, &message(b"x")),
                ]
                .concat(),
            )
            .client([reset(5, 8), reset(7, 8), reset(9, 8), reset(99, 8)].concat())
            .server(headers(9, true, &[(":status", "200")]))
            .server([frame(0, 1, 7, &[0; 9]), get(2, "x")[..0].to_vec()].concat()),
    );
    assert_eq!(
        told(&rows)[5..],
        [
            ("response", 1, -1, "server_error"),
            ("response", 3, -1, "client_error"),
            ("response", 5, 200, "ok"),
            ("response", 7, -1, "client_error"),
            ("response", 9, -1, "client_error"),
        ]
    );
    let names: Vec<_> = rows[5..].iter().map(|row| row.text("exception")).collect();
    assert_eq!(names, ["REFUSED_STREAM", "PROTOCOL_ERROR", "", "CANCEL", "CANCEL"]);
    assert_eq!(rows[5].attribute("http2_error_code"), Some("7"));
    assert_eq!(rows[8].attribute("rpc_response_messages"), Some("1"));
}

#[test]
fn goaway_answers_what_will_not_be_answered() {
    let away = frame(7, 0, 0, &[&[0, 0, 0, 1, 0, 0, 0, 0xb][..], b"too_many_pings"].concat());
    let rows = proven(
        &h2()
            .client([get(1, "/1"), get(3, "/3")].concat())
            .server([away, headers(1, true, &[(":status", "200")])].concat()),
    );
    assert_eq!(told(&rows)[2..], [("response", 3, -1, "client_error"), ("response", 1, 200, "ok")]);
    assert_eq!(rows[2].text("exception"), "GOAWAY ENHANCE_YOUR_CALM");
    let graceful = frame(7, 0, 0, &[0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    let rows = proven(&h2().client(get(1, "/1")).server([graceful, headers(1, true, &[(":status", "200")])].concat()));
    assert_eq!(told(&rows)[1..], [("response", 1, 200, "ok")]);
}

#[test]
fn interim_responses_trailers_and_unknown_frames_are_passed_over() {
    let rows = proven(
        &h2()
            .client([headers(1, false, &[(":method", "PUT"), (":path", "/a")]), data(1, false, b"x")].concat())
            .client(
                [headers(1, true, &[("x-checksum", "1")]), frame(0x10, 0, 0, b"priority"), frame(6, 0, 0, &[0; 8])]
                    .concat(),
            )
            .server(
                [headers(1, false, &[(":status", "103"), ("link", "x")]), headers(1, false, &[(":status", "100")])]
                    .concat(),
            )
            .server(
                [headers(1, false, &[(":status", "201")]), data(1, false, b"y"), headers(1, true, &[("x-sum", "2")])]
                    .concat(),
            ),
    );
    assert_eq!(told(&rows), [("request", 1, -1, ""), ("response", 1, 201, "ok")]);
}

#[test]
fn a_push_is_a_request_of_its_own() {
    let promise =
        [&[0, 0, 0, 2][..], &block(&[(":method", "GET"), (":path", "/style.css"), (":authority", "a")])].concat();
    let rows = proven(
        &h2()
            .client(get(1, "/"))
            .server([frame(5, 4, 1, &promise), headers(1, true, &[(":status", "200")])].concat())
            .server([headers(2, false, &[(":status", "200")]), data(2, true, b"css")].concat()),
    );
    assert_eq!((rows[1].text("request_resource"), rows[1].attribute("http2_push")), ("/style.css", Some("true")));
    assert_eq!(told(&rows)[1..], [("request", 2, -1, ""), ("response", 1, 200, "ok"), ("response", 2, 200, "ok")]);
}

#[test]
fn an_upgraded_connection_starts_behind_the_101() {
    let head = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    let answer = frame(1, 4, 1, &[added(":status", "200"), added("server", "x")].concat());
    let rows = proven(
        &Script::new(80)
            .mid_stream()
            .server([&head[..], &frame(4, 0, 0, &[]), &answer, &data(1, true, b"hi")].concat())
            .client([hello(), get(3, "/3")].concat())
            .server(frame(1, 5, 3, &[0xbf])),
    );
    assert_eq!(told(&rows), [("response", 1, 200, "ok"), ("request", 3, -1, ""), ("response", 3, 200, "ok")]);
    assert_eq!(rows[2].attribute("hpack_unknown_fields"), None);
}

#[test]
fn a_reversed_flow_is_told() {
    let rows = proven(&Script::new(80).client(welcome()).server([hello(), get(1, "/")].concat()).client(headers(
        1,
        true,
        &[(":status", "200")],
    )));
    assert_eq!(told(&rows), [("request", 1, -1, ""), ("response", 1, 200, "ok")]);
    assert!(rows.iter().all(|row| row.number("flags") == Some(4)));
}

#[test]
fn a_connect_has_an_authority_and_no_path() {
    let rows = proven(&h2().client(headers(1, false, &[(":method", "CONNECT"), (":authority", "db.example:443")])));
    assert_eq!((rows[0].text("request_resource"), rows[0].text("endpoint")), ("db.example:443", "db.example:443"));
}

#[test]
fn wrong_options_are_refused_in_a_sentence() {
    use metaflow_parser_sdk::Parser;
    let mut parser = Http2Parser::new();
    for (key, value) in [
        ("max_head_bytes", "12"),
        ("endpoint_rules", "api"),
        ("trace_headers", "a=b"),
        ("attribute_headers", "a b"),
        ("color", "red"),
    ] {
        let sentence = parser.configure(key, value).expect_err(key);
        assert!(sentence.contains("expected") && sentence.ends_with('.'), "{sentence}");
    }
}
