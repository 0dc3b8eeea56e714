//! Numbers for people, asserted by nobody: `cargo test --release -p metaflow-parser-dubbo --test speed -- --ignored --nocapture`.

mod support;

use metaflow_parser_dubbo::DubboParser;
use metaflow_parser_sdk::testing::throughput;
use metaflow_parser_sdk::Direction::{ClientToServer, ServerToClient};
use support::*;

#[test]
#[ignore = "a benchmark"]
fn small_messages() {
    let (ask, reply) = (call(1, "add"), answer(1));
    throughput::<DubboParser>(6, 20880, &[(ClientToServer, &ask), (ServerToClient, &reply)]);
}
