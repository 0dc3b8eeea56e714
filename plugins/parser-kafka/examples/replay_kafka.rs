//! Prints the records of a capture: `cargo run --example replay_kafka -- FILE.pcap PORT`.

use metaflow_parser_kafka::KafkaParser;
use metaflow_parser_sdk::testing::print_records;
use std::process::ExitCode;

fn main() -> ExitCode {
    print_records::<KafkaParser>()
}
