//! Gaps, joins and what is no PostgreSQL.

mod support;

use metaflow_parser_postgresql::PostgresqlParser;
use metaflow_parser_sdk::testing::Script;
use metaflow_parser_sdk::Direction::{ClientToServer, ServerToClient};
use support::*;

fn shown(script: &Script) -> Vec<String> {
    script.assert_any_split_is_equal::<PostgresqlParser>();
    lines(&script.run::<PostgresqlParser>())
}

fn answer() -> Vec<u8> {
    [columns(&["a"]), row(&["1"]), done("SELECT 1"), ready(b'I')].concat()
}

#[test]
fn a_session_may_be_joined_anywhere() {
    let script = Script::new(5432).mid_stream().client(query("SELECT 1")).server(answer());
    assert_eq!(shown(&script), ["request simple query SELECT 1", "response ok affected=1"]);
    let script =
        Script::new(5432).mid_stream().client(query("asdf;")).server([error("42601", "no"), ready(b'I')].concat());
    assert_eq!(shown(&script), ["request simple query asdf;", "response client_error 42601 no"]);
    let script = Script::new(5432)
        .mid_stream()
        .server([&row(&["1", "abcd"])[9..], &done("SELECT 5"), &ready(b'I')].concat())
        .client([&b"\x01\x02tail"[..], &bind("", "s", &[b"1"]), &execute(""), &sync()].concat())
        .server([message(b'2', b""), done("UPDATE 1"), ready(b'I')].concat());
    let found = shown(&script);
    assert!(found.contains(&"request execute".to_owned()), "{found:?}");
    assert_eq!(found[1], "response ok affected=5");
    assert_eq!(found.last().unwrap(), "response ok affected=1");
}

#[test]
fn a_login_is_read_without_a_handshake_of_tcp() {
    let script = Script::new(5432)
        .mid_stream()
        .client(ssl_request())
        .server("N")
        .client(startup())
        .server(welcome())
        .client(query("SELECT 1"))
        .server(answer());
    let found = shown(&script);
    assert_eq!(found[..2], ["request ssl request", "response ok refused"]);
    assert!(found[2].starts_with("request startup") && found[3].starts_with("response ok"), "{found:?}");
    assert_eq!(found[4..], ["request simple query SELECT 1", "response ok affected=1"]);
    // A server that spoke before is in the middle of something.
    let script = Script::new(5432).mid_stream().server(b"\x01\x02tail").client(ssl_request()).server("N");
    let found = shown(&script);
    assert!(found[0] == "request ssl request" && !found.iter().any(|line| line.starts_with("response")), "{found:?}");
}

#[test]
fn an_answer_lost_in_a_gap_is_unknown_and_the_next_is_right() {
    let script =
        session().client(query("SELECT 1")).gap(ServerToClient, 400).client(query("SELECT 2")).server(answer());
    assert_eq!(
        shown(&script)[2..],
        [
            "request simple query SELECT 1",
            "response unknown the response was lost in a gap of the capture",
            "request simple query SELECT 2",
            "skipped bytes lost in the capture",
            "response ok affected=1",
        ]
    );
    // The end of the answer is there.
    let script = session()
        .client(query("SELECT 1"))
        .server(&answer()[..30])
        .gap(ServerToClient, 100)
        .server([done("SELECT 9"), ready(b'I')].concat())
        .client(query("SELECT 2"))
        .server(answer());
    assert_eq!(
        shown(&script)[3..],
        [
            "skipped bytes lost in the capture",
            "response ok affected=9",
            "request simple query SELECT 2",
            "response ok affected=1"
        ]
    );
}

#[test]
fn a_gap_inside_a_row_or_a_cut_statement_is_no_loss() {
    let big = "z".repeat(3000);
    let result = [columns(&["a"]), row(&[&big]), done("SELECT 1"), ready(b'I')].concat();
    let script = session()
        .client(query("SELECT 1"))
        .server(&result[..100])
        .gap(ServerToClient, 2000)
        .server(&result[2100..])
        .cut(ClientToServer, query(&format!("SELECT '{}' FROM t", "x".repeat(500))), 96)
        .server(answer());
    let rows = script.run::<PostgresqlParser>();
    let found = lines(&rows);
    assert_eq!(found[3], "response ok affected=1");
    assert!(found[4].starts_with("request simple query SELECT 'xxx"), "{found:?}");
    assert_eq!(found[5], "response ok affected=1");
    assert_eq!(found.len(), 6);
}

#[test]
fn a_lost_request_does_not_shift_the_answers() {
    let script = session()
        .gap(ClientToServer, 50)
        .server(answer())
        .client(query("SELECT 2"))
        .server([done("DELETE 3"), ready(b'I')].concat());
    assert_eq!(
        shown(&script)[2..],
        [
            "response ok affected=1",
            "skipped bytes lost in the capture",
            "request simple query SELECT 2",
            "response ok affected=3",
        ]
    );
}

#[test]
fn another_protocol_ends_the_session() {
    let script = session().client("GET / HTTP/1.1\r\n\r\n");
    let found = shown(&script);
    assert!(found[2].starts_with("violation no type of message of PostgreSQL"), "{found:?}");
}

#[test]
fn damage_is_survived() {
    let script = session()
        .client(query("SELECT 1"))
        .server(answer())
        .client([parse("s", "SELECT $1"), bind("", "s", &[b"1"]), describe(b'P', ""), execute(""), sync()].concat())
        .server([message(b'1', b""), message(b'2', b""), answer()].concat())
        .client(query("COPY t FROM STDIN"))
        .server(message(b'G', b"\0\0\x01\0\0"))
        .client([message(b'd', b"1\n"), message(b'c', b"")].concat())
        .server([done("COPY 1"), ready(b'I')].concat());
    script.assert_survives_damage::<PostgresqlParser>();
}

#[test]
fn inference_says_what_it_is_and_why_not() {
    let verdict = |port: u16, bytes: &[u8]| Script::new(port).client(bytes).check::<PostgresqlParser>();
    for own in [startup(), ssl_request(), packet(80_877_102, b"\0\0\0\x01\0\0\0\x02")] {
        assert_eq!(verdict(9999, &own).0, "request");
        for end in 1..own.len() {
            assert_eq!(verdict(9999, &own[..end]).0, "more", "{end}");
        }
    }
    for own in [query("SELECT 1"), parse("s", "UPDATE t SET a = 1"), [bind("", "s", &[b"1"]), execute("")].concat()] {
        assert_eq!(verdict(9999, &own).0, "request", "{own:?}");
    }
    for own in [query("asdsdfdsf;"), sync(), execute("cursor"), describe(b'S', "x"), close(b'P', "")] {
        assert_eq!(verdict(5432, &own).0, "request", "{own:?}");
        assert_eq!(verdict(9999, &own).0, "no", "{own:?}");
    }
    for own in [answer(), welcome(), error("42601", "x"), [message(b'2', b""), done("UPDATE 1")].concat()] {
        assert_eq!(verdict(9999, &own).0, "response", "{own:?}");
    }
    for (other, reason, offset) in [
        (&b"GET / HTTP/1.1\r\n"[..], "no type of message of PostgreSQL", 1),
        (b"\0\0\0\x20\0\x02\0\0", "no startup packet: neither protocol 3 nor a request of encryption or to cancel", 4),
        (b"\0\x01\0\0\0\x06\x11\x03", "no startup packet: its length is 8 to 10,000", 1),
        (b"Q\0\0\0\x0dhello wor\0", "no statement, no Bind, and not a port of PostgreSQL", 5),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "a length that this type of message cannot have", 1),
    ] {
        assert_eq!(verdict(9999, other), ("no", reason.to_owned(), offset), "{other:?}");
    }
}
