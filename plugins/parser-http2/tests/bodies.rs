//! The first octets of bodies, for those who refine messages: the same for every split, and never in the way of what follows.

mod support;

use metaflow_parser_http2::Http2Parser;
use metaflow_parser_sdk::testing::{Row, Script};
use metaflow_parser_sdk::Direction::ClientToServer;
use support::*;

const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");

fn h2() -> Script {
    Script::new(8080).option("body_bytes", "16").client(hello()).server(welcome())
}

fn proven(script: &Script) -> Vec<Row> {
    script.assert_any_split_is_equal::<Http2Parser>();
    script.assert_survives_damage::<Http2Parser>();
    script.run::<Http2Parser>()
}

fn post(stream: u32, more: &[(&str, &str)]) -> Vec<u8> {
    let fields = [(":method", "POST"), (":scheme", "http"), (":path", "/rpc"), (":authority", "a.example")];
    headers(stream, false, &[&fields, more].concat())
}

fn told(rows: &[Row]) -> Vec<(&str, &str)> {
    rows.iter().map(|row| (row.kind(), row.text("private_1024"))).collect()
}

#[test]
fn bodies_of_several_frames_and_streams() {
    let rows = proven(
        &h2()
            .client([post(1, &[JSON]), post(3, &[JSON]), post(5, &[("content-type", "image/png")])].concat())
            .client([data(1, false, b"{\"method\": "), data(3, false, b"{\"id\""), data(5, true, b"PNG")].concat())
            .client([data(3, true, b": 7}"), data(1, true, b"\"eth_call\", \"id\": 1}")].concat())
            .server([headers(1, false, &[(":status", "200"), JSON]), data(1, true, b"{\"a\":1}")].concat())
            .server(headers(3, true, &[(":status", "204"), JSON])),
    );
    assert_eq!(
        told(&rows),
        [
            ("request", ""),
            ("request", "{\"id\": 7}"),
            ("request", "{\"method\": \"eth_"),
            ("response", "{\"a\":1}"),
            ("response", ""),
        ]
    );
    assert_eq!((rows[0].number("stream_id"), rows[1].text("private_1025")), (Some(5), "application/json"));
}

#[test]
fn what_gets_no_more_of_its_body_is_told() {
    let begun = h2().client([post(1, &[JSON]), data(1, false, b"{\"method")].concat());
    let rows = proven(&begun.server(headers(1, true, &[(":status", "413")])));
    assert_eq!(told(&rows), [("request", "{\"method"), ("response", "")]);
    let begun = h2().client([post(1, &[JSON]), data(1, false, b"{\"method")].concat());
    assert_eq!(told(&proven(&begun.client(frame(3, 0, 1, &[0, 0, 0, 8]))))[0], ("request", "{\"method"));
    let begun = h2().client([post(1, &[JSON]), data(1, false, b"{\"method")].concat());
    assert_eq!(told(&begun.gap(ClientToServer, 400).run::<Http2Parser>())[0], ("request", "{\"method"));
    let begun = h2().client([post(1, &[JSON]), data(1, false, b"{\"method")].concat());
    assert_eq!(told(&begun.run::<Http2Parser>())[0], ("request", "{\"method"), "the connection ends");
}

#[test]
fn calls_packed_bodies_and_the_option_off() {
    let packed = [JSON, ("content-encoding", "gzip")];
    let rows = proven(&h2().client([post(1, &packed), data(1, true, b"xxxx")].concat()));
    assert_eq!(told(&rows)[0], ("request", ""));
    let script = Script::new(8080).client(hello()).server(welcome());
    let rows = script.client([post(1, &[JSON]), data(1, true, b"{}")].concat()).run::<Http2Parser>();
    assert_eq!(told(&rows)[0], ("request", ""));
}
