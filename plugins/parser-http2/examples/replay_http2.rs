//! Prints the records of a capture: `cargo run --example replay_http2 -- FILE.pcap PORT`.

use metaflow_parser_http2::Http2Parser;
use metaflow_parser_sdk::testing::print_records;
use std::process::ExitCode;

fn main() -> ExitCode {
    print_records::<Http2Parser>()
}
