//! Captures of real servers: every record of each is in the file beside it (`MF_UPDATE=1` writes it anew).

use metaflow_parser_redis::RedisParser;
use metaflow_parser_sdk::testing::assert_captures;

/// The server's port in all captures.
const PORTS: [u16; 1] = [26379];

#[test]
fn captures_give_their_records() {
    assert_captures::<RedisParser>(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures"), &PORTS);
}
