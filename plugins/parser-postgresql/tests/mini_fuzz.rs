//! A short fuzzing from the seeds of `fuzz/seeds`, the same every time; the long one is cargo-fuzz's (`fuzz/`).

mod support;

use metaflow_parser_postgresql::PostgresqlParser;
use metaflow_parser_sdk::testing::{assert_seeds, mini_fuzz, Script};
use metaflow_parser_sdk::Direction::{ClientToServer, ServerToClient};
use support::*;

const SEEDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds");

#[test]
fn mutated_seeds_give_the_same_records_for_every_split() {
    mini_fuzz::<PostgresqlParser>(5432, SEEDS, 4000);
}

/// The seeds, as conversations.
fn seeds() -> Vec<(&'static str, Script)> {
    let batch = [parse("s", "SELECT $1"), bind("", "s", &[b"1"]), describe(b'P', ""), execute(""), sync()].concat();
    let result = [columns(&["a", "b"]), row(&["1", "abcd"]), done("SELECT 1"), ready(b'I')].concat();
    let prepared = [message(b'1', b""), message(b'2', b""), result.clone()].concat();
    vec![
        ("simple", session().client(query("SELECT a FROM t")).server(&result)),
        ("extended", session().client(&batch).server(&prepared)),
        ("failed", session().client(&batch).server([error("42601", "no"), ready(b'E')].concat()).client(sync())),
        (
            "copy",
            session()
                .client(query("COPY t FROM STDIN"))
                .server(message(b'G', b"\0\0\x01\0\0"))
                .client([message(b'd', b"1\t2\n"), message(b'c', b"")].concat())
                .server([done("COPY 1"), ready(b'I')].concat()),
        ),
        (
            "replica",
            session()
                .client(query("START_REPLICATION 0/0"))
                .server([message(b'W', b"\0\0\0"), message(b'd', b"w123")].concat())
                .server([message(b'c', b""), done("COPY 0"), ready(b'I')].concat()),
        ),
        ("encrypted", Script::new(5432).client(ssl_request()).server("S").client(b"\x16\x03\x01\x02\0\x01")),
        ("cancel", Script::new(5432).client(packet(80_877_102, b"\0\0\x01\x02\0\0\0\x09"))),
        (
            "unasked",
            session()
                .server(message(b'A', b"\0\0\x01\x07news\0hello\0"))
                .server(said(b'N', "WARNING", "01000", "full"))
                .client([message(b'F', b"\0\0\x02\x9a\0\0\0\0\0\0"), message(b'X', b"")].concat()),
        ),
        (
            "middle",
            Script::new(5432)
                .mid_stream()
                .client(&batch[5..])
                .server(&prepared[3..])
                .client(query("SELECT 1"))
                .server(&result),
        ),
        (
            "gap",
            session()
                .client(&batch)
                .server(&prepared[..20])
                .gap(ServerToClient, 20)
                .server(&prepared[40..])
                .gap(ClientToServer, 9)
                .client(&batch)
                .server(&prepared),
        ),
        (
            "cut",
            session()
                .cut(ClientToServer, query("SELECT abcdefghijklmnop FROM t"), 20)
                .server(&result)
                .client(&batch)
                .cut(ServerToClient, &prepared, 50)
                .client(&batch)
                .server(&prepared),
        ),
    ]
}

#[test]
fn the_seeds_are_the_conversations_above() {
    assert_seeds(SEEDS, &seeds());
}
