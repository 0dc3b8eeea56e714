//! A short fuzzing from the seeds of `fuzz/seeds`, the same every time; the long one is cargo-fuzz's (`fuzz/`).

mod support;

use metaflow_parser_http2::Http2Parser;
use metaflow_parser_sdk::testing::{assert_seeds, mini_fuzz, Script};
use metaflow_parser_sdk::Direction::{ClientToServer, ServerToClient};
use support::*;

const SEEDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds");

#[test]
fn mutated_seeds_give_the_same_records_for_every_split() {
    mini_fuzz::<Http2Parser>(50051, SEEDS, 3000);
}

/// The seeds, as conversations.
fn seeds() -> Vec<(&'static str, Script)> {
    let h2 = || Script::new(50051).client(hello()).server(welcome());
    let grpc = [(":status", "200"), ("content-type", "application/grpc")];
    let reply = [headers(1, false, &grpc), data(1, false, &[message(b"one"), message(b"two")].concat())].concat();
    let trailers = headers(1, true, &[("grpc-status", "5"), ("grpc-message", "no%20such")]);
    let huffman =
        [0x82, 0x86, 0x84, 0x41, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff];
    let long = block(&[(":method", "GET"), (":path", "/long"), ("cookie", &"c".repeat(300))]);
    let promise = [&[0, 0, 0, 2][..], &block(&[(":method", "GET"), (":path", "/pushed")])].concat();
    let upgrade = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n";
    vec![
        (
            "plain",
            h2().client([frame(1, 5, 1, &huffman), get(3, "/3")].concat())
                .server([headers(3, true, &[(":status", "404")]), frame(1, 5, 1, &[0xbe])].concat()),
        ),
        (
            "call",
            h2().client([call(1, "/s.S/Get"), data(1, true, &message(b"abc"))].concat())
                .server(&reply)
                .server(&trailers),
        ),
        (
            "call-middle",
            Script::new(50051)
                .mid_stream()
                .client([&b"tail"[..], &call(1, "/s.S/Get"), &data(1, true, &message(b"abc"))].concat())
                .server(&reply[5..])
                .server(&trailers),
        ),
        (
            "blocks",
            h2().client(
                [
                    frame(1, 0x28, 1, &[&[2, 0, 0, 0, 0, 9][..], &long[..20], &[0; 2]].concat()),
                    frame(9, 0, 1, &long[20..90]),
                    frame(9, 4, 1, &long[90..]),
                ]
                .concat(),
            ),
        ),
        (
            "ends",
            h2().client([get(1, "/1"), call(3, "/s.S/A"), get(5, "/5")].concat())
                .server([frame(3, 0, 1, &[0, 0, 0, 7]), frame(7, 0, 0, &[0, 0, 0, 3, 0, 0, 0, 2])].concat())
                .client(frame(3, 0, 3, &[0, 0, 0, 8])),
        ),
        (
            "push",
            h2().client(get(1, "/")).server(
                [
                    frame(5, 4, 1, &promise),
                    headers(2, true, &[(":status", "200")]),
                    headers(1, true, &[(":status", "200")]),
                ]
                .concat(),
            ),
        ),
        (
            "upgrade",
            Script::new(50051)
                .mid_stream()
                .server([&upgrade[..], &welcome(), &headers(1, true, &[(":status", "200")])].concat())
                .client([hello(), get(3, "/")].concat()),
        ),
        (
            "gap",
            h2().client(call(1, "/s.S/A"))
                .server(&reply[..40])
                .gap(ServerToClient, 20)
                .server(&reply[60..])
                .server(&trailers)
                .gap(ClientToServer, 50)
                .client(get(3, "/3")),
        ),
        (
            "cut",
            h2().cut(ClientToServer, call(1, "/s.S/A"), 60)
                .client(get(3, "/3"))
                .cut(ServerToClient, &reply, 50)
                .server(&trailers),
        ),
        (
            "sizes",
            h2().client(
                [
                    frame(
                        1,
                        5,
                        1,
                        &[&[0x20, 0x3f, 0xe1, 0x1f][..], &block(&[(":method", "GET"), (":path", "/")])].concat(),
                    ),
                    frame(1, 5, 3, &[0xbf, 0xbe]),
                ]
                .concat(),
            ),
        ),
    ]
}

#[test]
fn the_seeds_are_the_conversations_above() {
    assert_seeds(SEEDS, &seeds());
}
