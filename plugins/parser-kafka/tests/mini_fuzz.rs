//! A short fuzzing from the seeds of `fuzz/seeds`, the same every time; the long one is cargo-fuzz's (`fuzz/`).

mod support;

use metaflow_parser_kafka::KafkaParser;
use metaflow_parser_sdk::testing::{assert_seeds, mini_fuzz, Script};
use metaflow_parser_sdk::Direction::{ClientToServer, ServerToClient};
use support::*;

const SEEDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds");

#[test]
fn mutated_seeds_give_the_same_records_for_every_split() {
    mini_fuzz::<KafkaParser>(9092, SEEDS, 3000);
}

/// The seeds, as conversations.
fn seeds() -> Vec<(&'static str, Script)> {
    let trace = ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let records = batch(0, &[&[trace], &[("b3", "1")]]);
    let lz4 = packed(3, 1, b"\x04\x22\x4d\x18\x60\x40\x82\x05\0\0\x80abcde\0\0\0\0");
    let wants = bytes().i16(0).i32(1).text("orders").i32(-1);
    let join = bytes().text("billing").i32(1).text("").text("consumer").i32(1).text("range").bytes(&wants.0);
    vec![
        (
            "ahead",
            talk()
                .client([versions(1), heartbeat(2), produce(3, 1, "orders", 0, &records)].concat())
                .server([versions_answer(1, 0), response(2, bytes().i16(27)), produced(3, "orders", 0, 0)].concat()),
        ),
        ("one-way", talk().client([produce(1, 0, "log", 0, &lz4), heartbeat(2)].concat())),
        (
            "flexible",
            talk()
                .client(flexible(
                    18,
                    4,
                    1,
                    bytes().compact("lib").compact("1.2").uvarint(1).uvarint(7).uvarint(1).i8(0),
                ))
                .server(versions_answer(1, 35))
                .client(flexible(3, 12, 2, bytes().uvarint(0).i8(1).i8(0).uvarint(0))),
        ),
        ("group", talk().client(request(11, 0, 1, join)).server(response(1, bytes().i16(25)))),
        (
            "login",
            talk()
                .client(request(17, 0, 1, bytes().text("PLAIN")))
                .server(response(1, bytes().i16(0).i32(1).text("PLAIN")))
                .client(bytes().bytes(b"\0u\0p").0)
                .server(bytes().bytes(b"").0)
                .client(heartbeat(2)),
        ),
        (
            "gap",
            talk()
                .client(&produce(1, 1, "orders", 0, &records)[..60])
                .gap(ClientToServer, 100)
                .client([&[1, 2, 3][..], &heartbeat(2)].concat())
                .server(response(2, bytes().i16(0))),
        ),
        ("cut", talk().cut(ClientToServer, produce(1, 1, "orders", 0, &[7; 400]), 80).client(heartbeat(2))),
        (
            "middle",
            Script::new(9092)
                .mid_stream()
                .client([&[9, 9, 9][..], &heartbeat(7)].concat())
                .server([&[1, 1][..], &response(7, bytes().i16(0))].concat()),
        ),
        (
            "alone",
            Script::new(9092)
                .mid_stream()
                .server([&[0, 0][..], &response(2, bytes().i16(0)), &response(3, bytes().i16(0))].concat())
                .server([response(4, bytes().i16(0)), produced(6, "orders", 0, 0)].concat())
                .gap(ServerToClient, 7)
                .server([&[1, 1, 1][..], &response(8, bytes().i16(0)), &response(9, bytes().i16(0))].concat()),
        ),
    ]
}

#[test]
fn the_seeds_are_the_conversations_above() {
    assert_seeds(SEEDS, &seeds());
}
