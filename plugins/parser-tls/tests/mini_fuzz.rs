//! A short fuzzing from the seeds of `fuzz/seeds`, the same every time; the long one is cargo-fuzz's (`fuzz/`).

mod support;

use metaflow_parser_sdk::testing::{assert_seeds, mini_fuzz, Script};
use metaflow_parser_sdk::Direction::{ClientToServer, ServerToClient};
use metaflow_parser_tls::TlsParser;
use support::*;

const SEEDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds");

#[test]
fn mutated_seeds_give_the_same_records_for_every_split() {
    mini_fuzz::<TlsParser>(443, SEEDS, 4000);
}

/// The seeds, as conversations.
fn seeds() -> Vec<(&'static str, Script)> {
    let hello = record(22, client_hello("shop.example", &offers_13()));
    let ask = || Script::new(443).client(&hello);
    let flight = [server_hello(9, &[5; 32], 0xc02f, &[]), certificate("x", "231231000000Z"), message(14, &[])].concat();
    let chosen = record(22, server_hello(9, &[1, 2, 3, 4], 0x1301, &chooses_13()));
    vec![
        (
            "full",
            ask()
                .server([record(22, &flight[..99]), record(22, &flight[99..])].concat())
                .client([record(22, message(16, &[0; 66])), ccs(), finished()].concat())
                .server([ccs(), finished()].concat())
                .client(data(9)),
        ),
        (
            "thirteen",
            ask().server([&chosen[..], &ccs(), &data(80)].concat()).client([ccs(), data(53), data(9)].concat()),
        ),
        ("alert", ask().server(record(21, [2, 40]))),
        ("middle", Script::new(443).mid_stream().server(record(22, &flight)).client([ccs(), finished()].concat())),
        ("gap", ask().server(&chosen[..30]).gap(ServerToClient, 20).server(&chosen)),
        ("cut", Script::new(443).cut(ClientToServer, &hello, 110).server(record(21, [2, 40])).gap(ClientToServer, 9)),
    ]
}

#[test]
fn the_seeds_are_the_conversations_above() {
    assert_seeds(SEEDS, &seeds());
}
