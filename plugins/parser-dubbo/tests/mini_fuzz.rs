//! A short fuzzing from the seeds of `fuzz/seeds`, the same every time; the long one is cargo-fuzz's (`fuzz/`).

mod support;

use metaflow_parser_dubbo::DubboParser;
use metaflow_parser_sdk::testing::{assert_seeds, mini_fuzz, Script};
use metaflow_parser_sdk::Direction::ClientToServer;
use support::*;

const SEEDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds");

#[test]
fn mutated_seeds_give_the_same_records_for_every_split() {
    mini_fuzz::<DubboParser>(20880, SEEDS, 3000);
}

/// The seeds, as conversations.
fn seeds() -> Vec<(&'static str, Script)> {
    let thrown = [&[0x93][..], b"C", &text("E"), &[0x91], &text("detailMessage"), &[0x60], &text("no"), b"HZ"].concat();
    let json = b"\"2.0.2\"\n\"a.B\"\n\"1\"\n\"c\"\n\"\"\n{\"sw8\":\"1-YQ==-Yg==-3\",\"u\":\"\\u0041\"}\n";
    let jsonb =
        b"\0\0\0\x03\x4ba1\0\0\0\x02\x4ab\0\0\0\x01\x49\0\0\0\x02\x4ac\0\0\0\x01\x49\0\0\0\x06\xa6\x4ak\x4av\xa5";
    let kryo = b"2.0.\xb2a.\xc2\x81\x82c\x81\x03\x01traceI\xc4\x03\xe2";
    vec![
        ("calls", talk().client([call(1, "a"), call(2, "b")].concat()).server([answer(2), answer(1)].concat())),
        ("exception", talk().client(call(1, "a")).server(frame(2, 20, 1, &thrown))),
        ("error", talk().client(call(1, "a")).server(frame(2, 70, 1, &text("why")))),
        (
            "heartbeat",
            talk().client(frame(0xe2, 0, 1, b"N")).server(frame(0x22, 20, 1, b"N")).server(frame(0xa2, 0, 2, b"\x01R")),
        ),
        ("json", talk().client(frame(0xc6, 0, 1, json)).server(frame(6, 20, 1, b"1\n\"x\"\n"))),
        ("jsonb", talk().client(frame(0xd7, 0, 1, jsonb)).server(frame(0x17, 20, 1, b"\0\0\0\x02\xbd\x02"))),
        ("kryo", talk().client(frame(0xc8, 0, 1, kryo)).server(frame(8, 40, 1, b"no\xf7"))),
        (
            "gap",
            talk().client(&call(1, "a")[..60]).gap(ClientToServer, 30).client([&[1, 2][..], &call(2, "b")].concat()),
        ),
        ("cut", talk().cut(ClientToServer, call(1, "a"), 50).client(call(2, "b"))),
        (
            "middle",
            Script::new(20880).mid_stream().client([&[9, 0xda][..], &call(7, "a")].concat()).server(&answer(7)[3..]),
        ),
    ]
}

#[test]
fn the_seeds_are_the_conversations_above() {
    assert_seeds(SEEDS, &seeds());
}
