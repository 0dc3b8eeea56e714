//! Numbers for people, asserted by nobody: `cargo test --release -p metaflow-parser-dns --test speed -- --ignored --nocapture`.

mod build;

use build::{answer, query};
use metaflow_parser_dns::DnsParser;
use metaflow_parser_sdk::testing::throughput;
use metaflow_parser_sdk::Direction::{ClientToServer, ServerToClient};

#[test]
#[ignore = "a benchmark"]
fn small_messages() {
    let request = query(7, "www.example.com", 1).edns(0).0;
    let response = answer(7, 0, "www.example.com", 1).record(1, 1, &[192, 0, 2, 1]).edns(0).0;
    throughput::<DnsParser>(17, 53, &[(ClientToServer, &request), (ServerToClient, &response)]);
    let (request, response) = (query(7, "www.example.com", 1).framed(), answer(7, 3, "www.example.com", 1).framed());
    throughput::<DnsParser>(6, 53, &[(ClientToServer, &request), (ServerToClient, &response)]);
}
