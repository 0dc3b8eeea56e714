//! Prints the records of a capture: `cargo run --example replay_mysql -- FILE.pcap PORT`.

use metaflow_parser_mysql::MysqlParser;
use metaflow_parser_sdk::testing::print_records;
use std::process::ExitCode;

fn main() -> ExitCode {
    print_records::<MysqlParser>()
}
