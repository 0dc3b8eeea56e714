//! Prints the records of a capture: `cargo run --example replay_tls -- FILE.pcap PORT`.

use metaflow_parser_sdk::testing::print_records;
use metaflow_parser_tls::TlsParser;
use std::process::ExitCode;

fn main() -> ExitCode {
    print_records::<TlsParser>()
}
