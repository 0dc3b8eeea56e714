//! Prints the records of a capture: `cargo run --example replay_postgresql -- FILE.pcap PORT`.

use metaflow_parser_postgresql::PostgresqlParser;
use metaflow_parser_sdk::testing::print_records;
use std::process::ExitCode;

fn main() -> ExitCode {
    print_records::<PostgresqlParser>()
}
