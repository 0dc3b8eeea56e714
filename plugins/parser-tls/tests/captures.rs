//! Captures of real servers: every record of each is in the file beside it (`MF_UPDATE=1` writes it anew).

use metaflow_parser_sdk::testing::assert_captures;
use metaflow_parser_tls::TlsParser;

/// The server's port in all captures.
const PORTS: [u16; 1] = [50645];

#[test]
fn captures_give_their_records() {
    assert_captures::<TlsParser>(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures"), &PORTS);
}
