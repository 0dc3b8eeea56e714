//! Gaps, cut packets, connections seen from the middle on, blocks without an end, bytes that are not HTTP/2.

mod support;

use metaflow_parser_http2::Http2Parser;
use metaflow_parser_sdk::testing::{Row, Script};
use metaflow_parser_sdk::Direction::{ClientToServer, ServerToClient};
use support::*;

fn proven(script: &Script) -> Vec<Row> {
    script.assert_any_split_is_equal::<Http2Parser>();
    script.run::<Http2Parser>()
}

fn told(rows: &[Row]) -> Vec<(&str, i128, &str)> {
    let number = |row: &Row| row.number("code").or(row.number("length")).unwrap_or(-1);
    rows.iter()
        .map(|row| {
            (
                row.kind(),
                number(row),
                if row.kind() == "request" { row.text("request_resource") } else { row.text("exception") },
            )
        })
        .collect()
}

fn h2() -> Script {
    Script::new(8080).client(hello()).server(welcome())
}

const LOST: &str = "bytes lost in the capture";

#[test]
fn a_gap_inside_data_is_no_loss() {
    let body = data(1, true, &[b'x'; 1000]);
    let rows = proven(
        &h2()
            .server([headers(1, false, &[(":status", "200")]), body[..109].to_vec()].concat())
            .gap(ServerToClient, 800)
            .server([&body[909..], &frame(1, 5, 3, &[0xbe])].concat()),
    );
    assert_eq!(told(&rows), [("response", 200, ""), ("response", 200, "")]);
}

#[test]
fn a_window_update_that_is_missing_behind_data_is_no_loss() {
    let fields = [(":method", "POST"), (":scheme", "http"), (":authority", "a.example"), (":path", "/a")];
    let first = [headers(1, false, &fields), data(1, true, &[b'x'; 1000])].concat();
    let cut = first.len() - 900;
    let script = |missing: u32| {
        let rows = proven(
            &h2()
                .client(&first[..cut])
                .gap(ClientToServer, 900 + missing)
                // What the table held before.
                .client([3, 5].map(|stream| frame(1, 5, stream, &[0xc1, 0xc0, 0xbf, 0xbe])).concat()),
        );
        rows.iter().filter(|row| row.kind() == "request").map(|row| row.text("request_resource").to_owned()).collect()
    };
    let told: [Vec<String>; 2] = [13, 14].map(script);
    assert_eq!(told[0], ["/a", "/a", "/a"]);
    assert!(told[1][1..].iter().all(String::is_empty), "{told:?}");
}

#[test]
fn a_gap_inside_a_calls_data_breaks_its_counts_and_nothing_else() {
    let body = data(1, false, &[message(&[0; 400]), message(&[0; 400])].concat());
    let script = |from: usize, to: usize| {
        h2().client(call(1, "/s.S/A"))
            .server(
                [headers(1, false, &[(":status", "200"), ("content-type", "application/grpc")]), body[..from].to_vec()]
                    .concat(),
            )
            .gap(ServerToClient, (to - from) as u32)
            .server([&body[to..], &headers(1, true, &[("grpc-status", "0")])].concat())
    };
    // Inside the first message: nothing that counts is missing. Over the second one's begin: the number is not known.
    for (from, to, expected) in [(100, 300, Some("2")), (100, 500, None), (100, body.len(), None), (12, 20, None)] {
        let rows = proven(&script(from, to));
        assert_eq!(rows[1].number("code"), Some(0), "{from} {to}");
        assert_eq!(rows[1].attribute("rpc_response_messages"), expected, "{from} {to}");
        assert_eq!(rows.len(), 2);
    }
}

#[test]
fn behind_a_gap_frames_are_found_again_and_lost_fields_are_unknown() {
    let rows = proven(
        &h2().client([get(1, "/1"), get(3, "/3")[..4].to_vec()].concat()).gap(ClientToServer, 200).client(
            [
                &b"rest of something"[..],
                &frame(8, 0, 0, &[0, 1, 0, 0]),
                &frame(1, 5, 7, &[0x82, 0xbe, 0xbf]),
                &get(9, "/9"),
                &frame(1, 5, 11, &[0x82, 0x84, 0xbe]),
            ]
            .concat(),
        ),
    );
    assert_eq!(
        told(&rows),
        [
            ("request", -1, "/1"),
            ("skipped", 4 + 200 + 17, LOST),
            ("request", -1, ""),
            ("request", -1, "/9"),
            ("request", -1, "/")
        ]
    );
    assert_eq!((rows[2].text("request_type"), rows[2].attribute("hpack_unknown_fields")), ("GET", Some("2")));
    assert_eq!((rows[2].text("request_domain"), rows[3].attribute("hpack_unknown_fields")), ("", None));
    // Index 62 is the newest field since the loss: the path of stream 9.
    assert_eq!((rows[4].text("request_resource"), rows[4].text("request_domain")), ("/", ""));
}

#[test]
fn a_head_that_the_capture_cut_is_reported_as_far_as_it_goes() {
    let head =
        headers(1, true, &[(":method", "GET"), (":path", "/cut"), (":authority", "a.example"), ("user-agent", "curl")]);
    let rows = proven(&h2().cut(ClientToServer, &head, head.len() - 10).client(get(3, "/next")));
    assert_eq!((rows[0].text("request_resource"), rows[0].text("request_domain")), ("/cut", "a.example"));
    assert_eq!((rows[0].attribute("http2_head"), rows[1].text("request_resource")), (Some("cut"), "/next"));
    assert_eq!(rows.len(), 2);
}

#[test]
fn a_connection_joined_in_the_middle() {
    let joined = || Script::new(50051).mid_stream();
    // All that was said before is unknown: path and authority are in the table.
    let known = frame(1, 5, 101, &[0x83, 0x86, 0xc0, 0xbf, 0xbe]);
    let rows = proven(
        &joined()
            .client([&b"tail of a frame"[..], &frame(8, 0, 0, &[0, 1, 0, 0]), &known, &get(103, "/103")].concat())
            .server(
                [frame(8, 0, 0, &[0, 1, 0, 0]), frame(1, 4, 101, &[0x88, 0xc3]), frame(0, 0, 101, &message(b"abc"))]
                    .concat(),
            )
            .server([frame(1, 5, 101, &[0xbf, 0xbe]), headers(103, true, &[(":status", "404")])].concat()),
    );
    assert_eq!(rows[0].kind(), "skipped");
    assert_eq!((rows[1].text("request_type"), rows[1].attribute("hpack_unknown_fields")), ("POST", Some("3")));
    assert_eq!((rows[1].text("request_resource"), rows[1].text("endpoint")), ("", ""));
    assert_eq!((rows[2].text("request_resource"), rows[2].attribute("hpack_unknown_fields")), ("/103", None));
    // Whether it was a call, and whether it failed, is not known: what was seen of HTTP is no outcome.
    assert_eq!((rows[3].number("code"), rows[3].status()), (None, "unknown"));
    assert_eq!((rows[3].attribute("http_status"), rows[3].attribute("hpack_unknown_fields")), (Some("200"), Some("3")));
    assert_eq!(rows[4].number("code"), Some(404));
    // The trailers say that it is a call.
    let rows =
        proven(
            &joined()
                .server([frame(1, 4, 1, &[0x88, 0xc3]), frame(0, 0, 1, &message(b"abc"))].concat())
                .server(headers(1, true, &[("grpc-status", "13"), ("grpc-message", "oops")])),
        );
    assert_eq!(
        (rows[0].number("protocol"), rows[0].number("code"), rows[0].text("exception")),
        (Some(41), Some(13), "oops")
    );
    assert_eq!(rows[0].attribute("rpc_response_messages"), Some("1"));
    // Trailers of a stream whose begin was not seen.
    let rows =
        proven(&joined().server([frame(0, 0, 9, &message(b"x")), headers(9, true, &[("grpc-status", "0")])].concat()));
    assert_eq!(told(&rows), [("response", 0, "")]);
    // A call whose outcome is in a table that nobody saw, without a message in answer: no outcome is made up.
    let rows = proven(
        &joined().client(call(5, "/s.S/A")).server([frame(1, 4, 5, &[0x88, 0xc3]), frame(1, 5, 5, &[0xbe])].concat()),
    );
    assert_eq!((rows[1].number("code"), rows[1].status()), (Some(200), "unknown"));
    assert_eq!(rows[1].attribute("hpack_unknown_fields"), Some("2"));
    // Whoever answered with a message did not refuse the call: HTTP's status stands for what was not captured.
    let answer = [frame(1, 4, 5, &[0x88, 0xc3]), frame(0, 0, 5, &message(b"x")), frame(1, 5, 5, &[0xbe])].concat();
    let rows = proven(&joined().client(call(5, "/s.S/A")).server(answer));
    assert_eq!((rows[1].number("code"), rows[1].status()), (Some(200), "ok"));
    assert_eq!(rows[1].attribute("grpc_status"), Some("not captured"));
}

#[test]
fn joined_answers_of_http_keep_their_codes() {
    // Fields are unknown, but what ends with DATA, answers a GET or failed is no call.
    let rows = proven(
        &Script::new(80)
            .mid_stream()
            .client(
                [frame(1, 5, 1, &[0x83, 0xbe]), frame(1, 5, 3, &[0x82, 0xbe]), frame(1, 5, 5, &[0x83, 0xbe])].concat(),
            )
            .server([frame(1, 4, 1, &[0x88, 0xbe]), data(1, true, b"<html>")].concat())
            .server([frame(1, 5, 3, &[0x88, 0xbe]), frame(1, 5, 5, &[0x8d, 0xbe])].concat()),
    );
    assert_eq!(rows[3..].iter().map(|row| row.number("code")).collect::<Vec<_>>(), [Some(200), Some(200), Some(404)]);
}

#[test]
fn a_block_that_is_too_long_is_told_and_the_connection_goes_on() {
    let fields = [(":method", "GET"), (":path", "/long"), ("cookie", &"c".repeat(2000))];
    let long = block(&fields);
    let split = [frame(1, 1, 3, &long[..1000]), frame(9, 4, 3, &long[1000..])].concat();
    let rows =
        proven(&h2().client([frame(1, 5, 1, &long), split, get(5, "/5")].concat()).option("max_head_bytes", "1024"));
    let found: Vec<_> = rows.iter().map(|row| (row.number("stream_id"), row.status(), row.text("exception"))).collect();
    let failed = "Header block longer than 1024 bytes.";
    assert_eq!(found, [(Some(1), "parse_failed", failed), (Some(3), "parse_failed", failed), (Some(5), "", "")]);
}

#[test]
fn a_wrong_block_is_told_and_nothing_is_made_up() {
    let rows = proven(
        &h2()
            .client([frame(1, 5, 1, &[0x82, 0x84, 0xff, 0xff, 0xff, 0xff, 0x7f]), get(3, "/3")].concat())
            .server([frame(1, 5, 1, &[0x88, 0xff, 0x01]), headers(3, true, &[(":status", "200")])].concat()),
    );
    assert_eq!(
        (rows[0].status(), rows[0].text("exception")),
        ("parse_failed", "Header block wrong at byte 2: a number that is too large.")
    );
    assert_eq!((rows[1].text("request_resource"), rows[3].number("code")), ("/3", Some(200)));
    assert_eq!(
        (rows[2].status(), rows[2].text("exception")),
        ("parse_failed", "Header block wrong at byte 1: an index behind the table's end.")
    );
}

#[test]
fn a_block_without_its_end_is_skipped() {
    let rows = proven(&h2().client([frame(1, 1, 1, &added(":method", "GET")), get(3, "/3")].concat()));
    assert_eq!(told(&rows), [("skipped", 22, "a header block without its end"), ("request", -1, "/3")]);
}

#[test]
fn what_is_no_http2_gives_the_flow_back() {
    let rows = proven(&Script::new(80).client("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_eq!(told(&rows), [("violation", -1, "a long frame of no known type")]);
    let junk = [0xff_u8; 70_000];
    let rows = h2().client(get(1, "/1")).client(junk).client(get(3, "/3")).run::<Http2Parser>();
    assert_eq!(told(&rows), [("request", -1, "/1"), ("violation", -1, "no HTTP/2 frame for a long time")]);
}

#[test]
fn streams_without_an_end_are_bounded() {
    let mut script = h2();
    for stream in 0..5000_u32 {
        script = script.client(call(stream * 2 + 1, "/s.S/A"));
        script =
            script.server(headers(stream * 2 + 1, false, &[(":status", "200"), ("content-type", "application/grpc")]));
    }
    let rows = script.run::<Http2Parser>();
    let given_up = rows.iter().filter(|row| row.status() == "unknown").count();
    assert_eq!((rows.len(), given_up), (10_000, 5000));
}
