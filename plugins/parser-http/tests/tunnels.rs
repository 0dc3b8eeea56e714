//! What comes through a tunnel, and bodies that do not come: the same for every split.

use metaflow_parser_http::HttpParser;
use metaflow_parser_sdk::testing::{Row, Script};

const CONNECT: &str = "CONNECT db.test:80 HTTP/1.1\r\nHost: db.test:80\r\n\r\n";
const OPEN: &str = "HTTP/1.1 200 Connection established\r\n\r\n";

fn proven(script: &Script) -> Vec<Row> {
    script.assert_any_split_is_equal::<HttpParser>();
    script.assert_survives_damage::<HttpParser>();
    script.run::<HttpParser>()
}

fn kinds(rows: &[Row]) -> Vec<&'static str> {
    rows.iter().map(Row::kind).collect()
}

fn tunnel() -> Script {
    Script::new(3128).client(CONNECT).server(OPEN)
}

#[test]
fn http_goes_on_through_a_tunnel() {
    let inside = |script: Script| {
        script.client("GET /in HTTP/1.1\r\nHost: a\r\n\r\n").server("HTTP/1.1 404 x\r\nContent-Length: 2\r\n\r\nno")
    };
    let rows = proven(&inside(tunnel()));
    assert_eq!(kinds(&rows), ["request", "response", "request", "response"]);
    assert_eq!((rows[2].text("request_resource"), rows[3].number("code")), ("/in", Some(404)));
    // Refused first; asked before the tunnel stood.
    let refused = Script::new(3128).client(CONNECT).server("HTTP/1.1 407 x\r\nContent-Length: 2\r\n\r\nno");
    let rows = proven(&inside(refused.client(CONNECT).server(OPEN)));
    assert_eq!(rows.iter().filter_map(|row| row.number("code")).collect::<Vec<_>>(), [407, 200, 404]);
    let early = Script::new(3128).client(format!("{CONNECT}GET /in HTTP/1.1\r\n\r\n")).server(OPEN);
    let rows = proven(&early.server("HTTP/1.1 204 x\r\n\r\n"));
    assert_eq!(kinds(&rows), ["request", "request", "response", "response"]);
}

#[test]
fn another_protocol_begins_at_the_first_byte_behind_the_tunnels_head() {
    let client = proven(&tunnel().client(b"\x16\x03\x01\x00\x05hello"));
    assert_eq!(kinds(&client), ["request", "response", "violation"]);
    assert_eq!(client[2].number("stream_offset"), Some(CONNECT.len() as i128));
    let server = proven(&Script::new(3128).client(CONNECT).server(format!("{OPEN}220 mail ready\r\n")));
    assert_eq!(kinds(&server), ["request", "response", "violation"]);
    assert_eq!(server[2].number("stream_offset"), Some(OPEN.len() as i128));
    assert_eq!(kinds(&proven(&tunnel())), ["request", "response"]);
}

#[test]
fn a_client_that_was_answered_before_its_body_may_leave_it_out() {
    let ask = "PUT /big HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 40\r\n\r\n";
    let refuse = "HTTP/1.1 417 x\r\nContent-Length: 0\r\n\r\n";
    let left_out = Script::new(80).client(ask).server(refuse).client("GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
    let rows = proven(&left_out.server("HTTP/1.1 200 x\r\nContent-Length: 0\r\n\r\n"));
    assert_eq!(kinds(&rows), ["request", "response", "request", "response"]);
    assert_eq!(rows[2].text("request_resource"), "/next");
    // Sent all the same: it is a body, whatever it looks like.
    for body in [
        "{\"a\":1,\"b\":\"GET / HTTP/1.1\\r\\n\\r\\n\",\"cc\":2",
        "hello /world this is a body of 40 bytes!!\n",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ] {
        let body = &body[..40];
        let sent = Script::new(80).client(ask).server(refuse).client(body).client("GET /next HTTP/1.1\r\n\r\n");
        let rows = proven(&sent);
        assert_eq!(kinds(&rows), ["request", "response", "request"], "{body}");
        assert_eq!(rows[2].text("request_resource"), "/next");
    }
}

#[test]
fn responses_to_head_are_told_apart_when_the_client_is_not_seen() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n";
    let page = |body: &str| format!("HTTP/1.1 404 x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let alone = Script::new(80).server(head).server(head).server(page("no HTTP")).server(page("HTTP/1 is old"));
    let rows = proven(&alone.server(page("")).server(page("gone")));
    let codes: Vec<_> = rows.iter().filter_map(|row| row.number("code")).collect();
    assert_eq!(codes, [200, 200, 404, 404, 404, 404]);
    assert_eq!(kinds(&rows), ["response"; 6]);
}
