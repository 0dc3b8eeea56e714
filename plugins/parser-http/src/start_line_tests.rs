use super::{could_begin, head_goes_on, inside, read, read_cut, RequestLine, StartLine, StatusLine};

#[test]
fn the_forms_of_a_request_line() {
    for (line, method, target, version) in [
        ("GET / HTTP/1.1", "GET", "/", "1.1"),
        ("OPTIONS * HTTP/1.0", "OPTIONS", "*", "1.0"),
        ("CONNECT a.example:443 HTTP/1.1", "CONNECT", "a.example:443", "1.1"),
        ("CONNECT [::1]:443 HTTP/1.1", "CONNECT", "[::1]:443", "1.1"),
        ("GET http://a/b?c=d HTTP/1.1", "GET", "http://a/b?c=d", "1.1"),
        ("M-SEARCH /x HTTP/1.1", "M-SEARCH", "/x", "1.1"),
        ("GET /a b HTTP/1.1", "GET", "/a b", "1.1"),
    ] {
        let expected = RequestLine { method: method.as_bytes(), target: target.as_bytes(), version };
        assert_eq!(read(line.as_bytes()), Ok(StartLine::Request(expected)), "{line}");
    }
}

#[test]
fn the_forms_of_a_status_line() {
    for (line, version, code, reason) in
        [("HTTP/1.1 200 OK", "1.1", 200, "OK"), ("HTTP/1.0 404 ", "1.0", 404, ""), ("HTTP/1.1 999", "1.1", 999, "")]
    {
        let expected = StatusLine { version, code, reason: reason.as_bytes() };
        assert_eq!(read(line.as_bytes()), Ok(StartLine::Status(expected)), "{line}");
    }
}

#[test]
fn look_alikes_are_refused_where_they_differ() {
    for (line, reason, offset) in [
        ("OPTIONS rtsp://a/b RTSP/1.0", "RTSP", 19),
        ("DESCRIBE * RTSP/1.0", "RTSP", 11),
        ("INVITE sip:bob@example SIP/2.0", "SIP", 23),
        ("PRI * HTTP/2.0", "an HTTP/2 preface", 6),
        ("ICY 200 OK", "no HTTP version where one belongs", 8),
        ("GET /", "no version behind the target", 5),
        ("GET / HTTP/1.7", "an HTTP version that is not 1.0 or 1.1", 6),
        ("HTTP/2 200", "an HTTP version that is not 1.0 or 1.1", 0),
        ("HTTP/1.1 20x OK", "no status code of three digits", 8),
        ("HTTP/1.1 2000", "no space behind the status code", 12),
        ("SSH-2.0-OpenSSH_9.2", "no method", 19),
        ("+OK ready", "no method", 0),
        ("220 mail ESMTP", "no method", 0),
        ("{\"a\": 1}", "no method", 0),
        ("GET  HTTP/1.1", "no request target", 4),
        ("GET ?a HTTP/1.1", "no request target", 4),
        ("", "no method", 0),
        ("AVERYLONGFIRSTWORDTHATISNOMETHOD / HTTP/1.1", "a first word too long for a method", 24),
    ] {
        let refusal = read(line.as_bytes()).expect_err(line);
        assert_eq!((refusal.reason, refusal.offset), (reason, offset), "{line}");
    }
}

#[test]
fn every_prefix_of_a_first_line_may_become_one() {
    for line in ["GET / HTTP/1.1", "HTTP/1.1 200 OK", "HEAD http://a/b HTTP/1.1", "CONNECT [::1]:1 HTTP/1.1"] {
        for end in 1..line.len() {
            assert_eq!(could_begin(&line.as_bytes()[..end]), Ok(()), "{}", &line[..end]);
        }
    }
    for start in ["HTTP/2", "HTTP/1.1 x", "\x16\x03\x01", "GET \x00", "*1\r\n", "AVERYLONGFIRSTWORDTHATISNO"] {
        assert!(could_begin(start.as_bytes()).is_err(), "{start:?}");
    }
}

#[test]
fn a_first_line_is_found_behind_a_body_without_a_line_end() {
    for (line, at) in [
        ("GET /a HTTP/1.1", Some(0)),
        ("{\"a\": 1}POST /b HTTP/1.1", Some(8)),
        ("\u{1}\u{2}HTTP/1.1 200 OK", Some(2)),
        ("see HTTP/1.1 for more", None),
        ("FORGET /b HTTP/1.1", Some(0)),
        ("x\u{1}FORGET /b HTTP/1.1", None),
        ("plain text", None),
    ] {
        assert_eq!(inside(line.as_bytes()), at, "{line:?}");
    }
}

#[test]
fn a_head_goes_on_with_a_field_or_ends() {
    for (bytes, answer) in [
        ("", None),
        ("\r", None),
        ("\r\n", Some(true)),
        ("Ho", None),
        ("Host:", Some(true)),
        ("<html>", Some(false)),
        (":", Some(false)),
    ] {
        assert_eq!(head_goes_on(bytes.as_bytes()), answer, "{bytes:?}");
    }
}

#[test]
fn a_cut_first_line_gives_what_is_sure() {
    let request = |target: &'static [u8]| Some(StartLine::Request(RequestLine { method: b"GET", target, version: "" }));
    assert_eq!(read_cut(b"GET /a/lo"), request(b"/a/lo"));
    let status = StatusLine { version: "1.1", code: 503, reason: b"Serv" };
    assert_eq!(read_cut(b"HTTP/1.1 503 Serv"), Some(StartLine::Status(status)));
    for line in ["GET", "GET ", "FOO /a", "HTTP/1.1 50", "HTTP/1.1 2000"] {
        assert_eq!(read_cut(line.as_bytes()), None, "{line}");
    }
}
