//! What the parser says about the first bytes of a flow.

mod build;

use build::{answer, query, Build};
use metaflow_parser_dns::DnsParser;
use metaflow_parser_sdk::testing::Script;

fn udp(bytes: &[u8]) -> (&'static str, String, i128) {
    Script::new(53).udp().client(bytes).check::<DnsParser>()
}

fn tcp(bytes: &[u8]) -> (&'static str, String, i128) {
    Script::new(53).client(bytes).check::<DnsParser>()
}

#[test]
fn dns_is_confirmed_and_its_direction_told() {
    assert_eq!(udp(&query(1, "a.example", 1).0).0, "request");
    assert_eq!(udp(&query(1, "a.example", 1).edns(0).0).0, "request");
    assert_eq!(udp(&answer(1, 3, "a.example", 1).0).0, "response");
    assert_eq!(tcp(&query(1, "a.example", 1).framed()).0, "request");
    assert_eq!(tcp(&answer(1, 0, "a.example", 1).record(1, 1, &[1; 4]).framed()).0, "response");
}

#[test]
fn a_part_of_a_stream_asks_for_more_until_the_question_is_whole() {
    let whole = answer(1, 0, "a.example", 1).record(1, 1, &[1; 4]).framed();
    for end in 1..whole.len() {
        let expected = if end < 2 + 12 + 15 { "more" } else { "response" };
        assert_eq!(tcp(&whole[..end]).0, expected, "{end}");
    }
}

#[test]
fn what_has_the_shape_of_a_header_on_tcp_is_refused_by_its_question() {
    // MySQL's OK and the beginning of a result set: a length, an id and two questions, the first about the root.
    let ok = b"\x07\0\0\x01\0\0\0\x02\0\0\0";
    let result = b"\x01\0\0\x01\x01\x18\0\0\x02\x03def\x01d\x01t\x01t\x01a\x01a\x0c\x3f\0\x0b\0\0\0\x03\0\0\0\0\0\x05\0\0\x03\xfe\0\0\x02\0";
    let bytes = [&ok[..], &result[..]].concat();
    let said = Script::new(9999).server(&bytes).check::<DnsParser>();
    assert_eq!((said.0, said.1.as_str()), ("no", "a class that is not assigned"));
    let controls = query(1, "\u{1}a.example", 1).framed();
    let said = Script::new(9999).client(&controls).check::<DnsParser>();
    assert_eq!((said.0, said.1.as_str(), said.2), ("no", "a name with control codes, and not port 53", 15));
    assert_eq!(tcp(&controls).0, "request");
}

#[test]
fn look_alikes_are_refused_with_a_reason_and_the_byte() {
    let mut reserved = query(1, "a", 1).0;
    reserved[3] |= 0x40;
    let mut class = query(1, "a", 1).0;
    class[17 + 1] = 9;
    for (bytes, reason, offset) in [
        (Build::new(1, 0x1800).question("a", 1).0, "an opcode that is not assigned", 2),
        (reserved, "the reserved header bit is set", 3),
        (Build::new(1, 0x0002).question("a", 1).0, "a query with a response code", 3),
        (Build::new(1, 0).0, "no question", 4),
        (class, "a class that is not assigned", 17),
        ([query(1, "a", 1).0, vec![0]].concat(), "bytes behind the last record", 19),
        (
            b"\0\x01\x01\0\0\x05\0\0\0\0\0\0\x01a\0\0\x01\0\x01".to_vec(),
            "more records than the message has room for",
            6,
        ),
        (b"\0\x01\x01\0\0\x01\0\0\0\0\0\0\xc0\x0c\0\x01\0\x01".to_vec(), "a name that points forward or at itself", 12),
        (b"\0\x01".to_vec(), "the message ends too early", 2),
    ] {
        assert_eq!(udp(&bytes), ("no", reason.to_owned(), offset), "{bytes:?}");
    }
    assert_eq!(tcp(b"\x00\x05abcde").1, "a length shorter than a header");
    assert_eq!(tcp(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").0, "no");
    // A QUIC initial packet and a STUN request have their own idea of the first bytes.
    assert_eq!(udp(&[&b"\xc3\0\0\0\x01\x08"[..], &[7; 1194]].concat()).0, "no");
    assert_eq!(udp(b"\0\x01\0\0\x21\x12\xa4\x42abcdefghijkl").0, "no");
}

#[test]
fn messages_without_their_length_are_recognised_where_they_end_with_the_segment() {
    let question = query(0x1234, "a.example", 1);
    let on = |port: u16, bytes: &[u8]| Script::new(port).mid_stream().client(bytes).check::<DnsParser>().0;
    assert_eq!(on(53, &question.0), "request");
    assert_eq!(on(5300, &question.0), "request");
    assert_eq!(on(5300, &question.framed()[1..]), "request");
    assert_eq!(on(5300, &answer(7, 0, "a.example", 1).record(1, 1, &[1; 4]).0), "response");
    assert_eq!(on(5300, &question.0[..20]), "no");
    assert_eq!(on(53, &question.0[..20]), "more");
    assert_eq!(on(53, &question.framed()[5..]), "no");
    assert_eq!(on(5300, &[&question.0[..], b"tail"].concat()), "no");
}
