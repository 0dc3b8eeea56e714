//! What the parser says about the first bytes of a flow.

use metaflow_parser_http::HttpParser;
use metaflow_parser_sdk::testing::Script;

fn check(bytes: &[u8]) -> (&'static str, String, i128) {
    Script::new(80).client(bytes).check::<HttpParser>()
}

#[test]
fn http_is_confirmed_and_its_direction_told() {
    for verb in [
        "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "CONNECT", "TRACE", "LINK", "UNLINK", "COPY",
        "MOVE",
    ] {
        assert_eq!(check(format!("{verb} /a HTTP/1.1\r\n").as_bytes()).0, "request", "{verb}");
    }
    assert_eq!(check(b"REPORT /a HTTP/1.1\r\nHost: a\r\n").0, "request");
    assert_eq!(check(b"HTTP/1.0 200 OK\r\n\r\n").0, "response");
    assert_eq!(check(b"HTTP/1.1 404\nServer: x\n").0, "response");
}

#[test]
fn a_part_of_http_asks_for_more() {
    for part in [
        "G",
        "GET",
        "GET /a HT",
        "H",
        "HTTP/1.1 2",
        "HTTP/1.1 200 OK\r\n",
        "REPORT /a HTTP/1.1\r\nHo",
        "GET /a HTTP/1.1\r",
    ] {
        assert_eq!(check(part.as_bytes()).0, "more", "{part}");
    }
}

#[test]
fn empty_lines_before_a_message_are_ignored() {
    assert_eq!(check(b"\r\n\r\nGET /a HTTP/1.1\r\n").0, "request");
    assert_eq!(check(b"\r\n").0, "more");
    assert_eq!(check(b"\r\nEHLO a\r\n"), ("no", "no version behind the target".to_owned(), 8));
    assert_eq!(check(&b"\r\n".repeat(5)), ("no", "empty lines and no message".to_owned(), 8));
    let rows = Script::new(80).client("\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n").run::<HttpParser>();
    assert_eq!(rows.len(), 1);
}

#[test]
fn look_alikes_are_refused_with_a_reason_and_the_byte() {
    for (bytes, reason, offset) in [
        (&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], "an HTTP/2 preface", 6),
        (b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n", "RTSP", 10),
        (b"RTSP/1.0 200 OK\r\n", "no method", 4),
        (b"REGISTER sip:a SIP/2.0\r\n", "SIP", 15),
        (b"SIP/2.0 200 OK\r\n", "no method", 3),
        (b"ICY 200 OK\r\n", "no HTTP version where one belongs", 8),
        (b"\x16\x03\x01\x02\x00", "no method", 0),
        (b"*1\r\n$4\r\nPING\r\n", "no method", 0),
        (b"EHLO mail.example\r\n", "no version behind the target", 17),
        (b"GET /a\r\n", "no version behind the target", 6),
        (b"get key HTTP/1.1\r\n", "no request target", 4),
        (b"FOO /a HTTP/1.1\r\n<html>", "no header field behind the first line", 17),
        (b"HTTP/3 200\r\n", "an HTTP version that is not 1.0 or 1.1", 0),
        (b"HTTP/1.1 2e0 OK\r\n", "no status code of three digits", 8),
    ] {
        let text = String::from_utf8_lossy(bytes);
        assert_eq!(check(bytes), ("no", reason.to_owned(), offset), "{text}");
    }
    assert_eq!(Script::new(80).udp().client("NOTIFY * HTTP/1.1\r\n").check::<HttpParser>().0, "no");
    assert_eq!(check(&vec![b'a'; 20_000]).0, "no");
    assert_eq!(check(&[b"GET /".to_vec(), vec![b'a'; 20_000]].concat()).1, "a first line that does not end");
}
