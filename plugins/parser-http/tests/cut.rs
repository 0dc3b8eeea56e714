//! What is told of messages of which only the first bytes were captured, as the kernel's programs give them.

use metaflow_parser_http::HttpParser;
use metaflow_parser_sdk::testing::assert_cut_captures;

#[test]
fn what_was_cut_is_never_told_wrong() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../engine-flow/tests/captures");
    for most in [1024, 256, 128, 64] {
        assert_eq!(assert_cut_captures::<HttpParser>(folder, &[8080], most, &[]), (215, 215), "{most}");
    }
}

/// Captures with a snap length keep a few bytes of each packet: of 96 bytes 30 are payload (10 over IPv6), of 128 62, of 256 190.
#[test]
fn no_snap_length_makes_it_tell_wrong() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../engine-flow/tests/captures");
    for most in (10..64).chain([80, 96, 100, 150, 190, 200, 512]) {
        assert_cut_captures::<HttpParser>(folder, &[8080], most, &[]);
    }
}
