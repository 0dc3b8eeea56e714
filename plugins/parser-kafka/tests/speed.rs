//! Numbers for people, asserted by nobody: `cargo test --release -p metaflow-parser-kafka --test speed -- --ignored --nocapture`.

mod support;

use metaflow_parser_kafka::KafkaParser;
use metaflow_parser_sdk::testing::throughput;
use metaflow_parser_sdk::Direction::{ClientToServer, ServerToClient};
use support::*;

#[test]
#[ignore = "a benchmark"]
fn small_messages() {
    let (ask, answer) = (heartbeat(1), response(1, bytes().i16(0)));
    throughput::<KafkaParser>(6, 9092, &[(ClientToServer, &ask), (ServerToClient, &answer)]);
}

#[test]
#[ignore = "a benchmark"]
fn produces_with_a_trace() {
    let trace = ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let (ask, answer) = (produce(1, 1, "orders", 0, &batch(0, &[&[trace]])), produced(1, "orders", 0, 0));
    throughput::<KafkaParser>(6, 9092, &[(ClientToServer, &ask), (ServerToClient, &answer)]);
}
