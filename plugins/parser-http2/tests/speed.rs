//! Numbers for people, asserted by nobody: `cargo test --release -p metaflow-parser-http2 --test speed -- --ignored --nocapture`.

mod support;

use metaflow_parser_http2::Http2Parser;
use metaflow_parser_sdk::testing::throughput;
use metaflow_parser_sdk::Direction::{ClientToServer, ServerToClient};
use support::*;

/// Fields that clients send once and then by their index: here as literals that are not kept, coded with Huffman.
fn path() -> Vec<u8> {
    // ":path: /index.html" by index; ":authority: www.example.com" as a literal without indexing.
    [&[0x85, 0x01, 0x8c][..], &[0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff]].concat()
}

#[test]
#[ignore = "a benchmark"]
fn small_messages() {
    let request = frame(1, 5, 1, &[&[0x82, 0x86][..], &path()].concat());
    let answer = [0x88, 0x0f, 0x0d, 0x02, b'1', b'2'];
    let response = [frame(1, 4, 1, &answer), data(1, true, b"hello world\n")].concat();
    throughput::<Http2Parser>(6, 80, &[(ClientToServer, &request), (ServerToClient, &response)]);
}

#[test]
#[ignore = "a benchmark"]
fn unary_calls() {
    let mut head = vec![0x83, 0x86, 0x01, 0x04, b'h', b'o', b's', b't'];
    head.extend(
        [plain(":path", "/shop.v1.Cart/Get"), plain("content-type", "application/grpc"), plain("te", "trailers")]
            .concat(),
    );
    let request = [frame(1, 4, 1, &head), data(1, true, &message(&[7; 40]))].concat();
    let answer = [&[0x88][..], &plain("content-type", "application/grpc")].concat();
    let end = [plain("grpc-status", "0"), plain("grpc-message", "")].concat();
    let response = [frame(1, 4, 1, &answer), data(1, false, &message(&[7; 40])), frame(1, 5, 1, &end)].concat();
    throughput::<Http2Parser>(6, 80, &[(ClientToServer, &request), (ServerToClient, &response)]);
}
