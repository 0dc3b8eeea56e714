//! What the parser says about the first bytes of a flow.

mod support;

use metaflow_parser_http2::Http2Parser;
use metaflow_parser_sdk::testing::Script;
use support::*;

fn client(bytes: &[u8]) -> (&'static str, String, i128) {
    Script::new(80).client(bytes).check::<Http2Parser>()
}

fn server(bytes: &[u8]) -> (&'static str, String, i128) {
    Script::new(80).server(bytes).check::<Http2Parser>()
}

fn joined(bytes: &[u8]) -> (&'static str, String, i128) {
    Script::new(80).mid_stream().client(bytes).check::<Http2Parser>()
}

#[test]
fn http2_is_confirmed_and_its_direction_told() {
    assert_eq!(client(PREFACE).0, "request");
    assert_eq!(client(&[hello(), get(1, "/")].concat()).0, "request");
    assert_eq!(server(&frame(4, 0, 0, &[0, 3, 0, 0, 0, 100])).0, "response");
    assert_eq!(server(&[frame(4, 0, 0, &[]), frame(4, 1, 0, &[])].concat()).0, "response");
    assert_eq!(
        server(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n").0,
        "response"
    );
    assert_eq!(joined(&get(1, "/")).0, "request");
    assert_eq!(joined(&headers(1, true, &[(":status", "200")])).0, "response");
    assert_eq!(joined(&[frame(8, 0, 0, &[0, 0, 1, 0]), frame(6, 0, 0, &[0; 8])].concat()).0, "request");
    assert_eq!(
        joined(&[frame(8, 0, 0, &[0, 0, 1, 0]), headers(1, true, &[(":status", "200")])].concat()).0,
        "response"
    );
}

#[test]
fn a_part_of_http2_asks_for_more() {
    for length in 0..PREFACE.len() {
        assert_eq!(client(&PREFACE[..length]).0, "more", "{length}");
    }
    let settings = frame(4, 0, 0, &[0, 3, 0, 0, 0, 100]);
    for length in 0..settings.len() {
        assert_eq!(server(&settings[..length]).0, "more", "{length}");
    }
    assert_eq!(server(&frame(4, 0, 0, &[])).0, "more");
    assert_eq!(server(b"HTTP/1.1 101 Switching").0, "more");
    assert_eq!(joined(&get(1, "/")[..20]).0, "more");
    assert_eq!(joined(&frame(6, 0, 0, &[0; 8])).0, "more");
}

#[test]
fn look_alikes_are_refused_with_a_reason_and_the_byte() {
    for (bytes, reason, offset) in [
        (&b"PRI * HTTP/2.1\r\n\r\n"[..], "no preface of HTTP/2", 13),
        (b"PRI / HTTP/1.1\r\n", "no preface of HTTP/2", 4),
        (b"GET / HTTP/1.1\r\n", "no preface of HTTP/2", 0),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", "no preface of HTTP/2", 0),
        (b"*1\r\n$4\r\nPING\r\n", "no preface of HTTP/2", 0),
    ] {
        assert_eq!(client(bytes), ("no", reason.to_owned(), offset), "{bytes:?}");
    }
    for (bytes, reason, offset) in [
        (&b"HTTP/1.1 200 OK\r\n\r\n"[..], "HTTP/1 that is no upgrade", 9),
        (b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n", "an upgrade to something else", 9),
        (b"\x4a\x00\x00\x00\x0a8.0.32", "no SETTINGS of HTTP/2", 3),
        (b"\x00\x00\x06\x04\x01\x00\x00\x00\x00abcdef", "no SETTINGS of HTTP/2", 4),
        (b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00", "a setting that HTTP/2 does not allow", 9),
        (b"\x00\x00\x07\x04\x00\x00\x00\x00\x00", "SETTINGS of a wrong length", 0),
    ] {
        assert_eq!(server(bytes), ("no", reason.to_owned(), offset), "{bytes:?}");
    }
    for (bytes, reason, offset) in [
        (&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"[..], "a frame longer than 16384 bytes", 0),
        (b"GET / HTTP/1.1\r\n", "a frame longer than 16384 bytes", 0),
        (b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "a frame without anything", 0),
        (b"\x00\x00\x08\x06\x04\x00\x00\x00\x00", "flags that the type of frame does not have", 4),
        (b"\x00\x00\x08\x00\x00\x00\x00\x00\x00", "a frame of a stream on stream 0", 5),
        (b"\x00\x00\x04\x63\x00\x00\x00\x00\x00", "no type of a frame", 3),
        (b"\x00\x00\x02\x01\x04\x00\x00\x00\x01\x80\x80", "index 0", 9),
    ] {
        assert_eq!(joined(bytes), ("no", reason.to_owned(), offset), "{bytes:?}");
    }
    assert_eq!(Script::new(80).udp().client(PREFACE).check::<Http2Parser>().0, "no");
}
