//! Captures of real servers: every record of each is in the file beside it (`MF_UPDATE=1` writes it anew).

use metaflow_parser_postgresql::PostgresqlParser;
use metaflow_parser_sdk::testing::{assert_captures, assert_cut_captures};

/// The server's port in all captures.
const PORTS: [u16; 1] = [42483];

#[test]
fn captures_give_their_records() {
    assert_captures::<PostgresqlParser>(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures"), &PORTS);
}

/// Bytes that were kept of each packet: what the kernel's programs keep, and less.
#[test]
fn what_was_cut_is_never_told_wrong() {
    let told = [1024, 256, 128].map(|most| {
        assert_cut_captures::<PostgresqlParser>(
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures"),
            &PORTS,
            most,
            &[],
        )
    });
    assert_eq!(told[0], (104, 107), "messages that are told of how many");
}

/// Captures with a snap length keep a few bytes of each packet: of 96 bytes 30 are payload (10 over IPv6), of 128 62, of 256 190.
#[test]
fn no_snap_length_makes_it_tell_wrong() {
    for most in [100, 150, 190, 200, 512] {
        assert_cut_captures::<PostgresqlParser>(
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures"),
            &PORTS,
            most,
            &[],
        );
    }
}
