//! A short fuzzing from the seeds of `fuzz/seeds`, the same every time; the long one is cargo-fuzz's (`fuzz/`).

mod support;

use metaflow_parser_mqtt::MqttParser;
use metaflow_parser_sdk::testing::{assert_seeds, mini_fuzz, Script};
use metaflow_parser_sdk::Direction::{ClientToServer, ServerToClient};
use support::*;

const SEEDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds");

#[test]
fn mutated_seeds_give_the_same_records_for_every_split() {
    mini_fuzz::<MqttParser>(1883, SEEDS, 4000);
}

/// The seeds, as conversations.
fn seeds() -> Vec<(&'static str, Script)> {
    let qos = [publish(0, "a/0", 0, b"x"), publish(2, "a/1", 1, b"yy"), publish(4, "a/2", 2, b"zzz")].concat();
    vec![
        ("qos", session().client(&qos).server([ack(4, 1), ack(5, 2)].concat()).client(ack(6, 2)).server(ack(7, 2))),
        (
            "subscribed",
            session()
                .client(subscribe(9, &[("a/+", 0), ("b/#", 2)]))
                .server([packet(0x90, [0, 9, 0, 0x80]), publish(3, "b/1", 1, b"")].concat())
                .client([ack(4, 1), packet(0xc0, [])].concat())
                .server(packet(0xd0, []))
                .client(packet(0xe0, [])),
        ),
        (
            "five",
            session5()
                .client(publish(
                    2,
                    "t",
                    1,
                    &[&properties(&[0x23, 0, 7, 0x26, 0, 1, b'a', 0, 1, b'b'])[..], b"x"].concat(),
                ))
                .server(packet(0x40, [0, 1, 0x10, 0]))
                .client([publish(0, "", 0, &[3, 0x23, 0, 7]), packet(0xf0, [0x19, 4, 0x15, 0, 1, b'm'])].concat())
                .server(packet(0xe0, [0x8b])),
        ),
        (
            "middle",
            Script::new(1883)
                .mid_stream()
                .client([&b"tail"[..], &qos].concat())
                .server([ack(4, 1), ack(5, 2)].concat()),
        ),
        (
            "gap",
            session()
                .client(&qos[..9])
                .gap(ClientToServer, 9)
                .client(&qos)
                .gap(ServerToClient, 4)
                .server([ack(4, 1), publish(0, "b", 0, b"")].concat()),
        ),
        ("cut", session().cut(ClientToServer, publish(2, "topic", 3, &[b'x'; 90]), 30).server(ack(4, 3)).client(&qos)),
    ]
}

#[test]
fn the_seeds_are_the_conversations_above() {
    assert_seeds(SEEDS, &seeds());
}
