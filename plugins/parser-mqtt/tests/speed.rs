//! Messages a second: `cargo test --release -p metaflow-parser-mqtt --test speed -- --ignored --nocapture`.

mod support;

use metaflow_parser_mqtt::MqttParser;
use metaflow_parser_sdk::testing::throughput;
use metaflow_parser_sdk::Direction::{ClientToServer, ServerToClient};
use support::*;

#[test]
#[ignore = "a measurement: it prints and asserts nothing"]
fn messages_a_second() {
    let payload = [b'x'; 64];
    for (name, request, response) in [
        ("PUBLISH, QoS 1", publish(2, "plant/line/3/temperature", 7, &payload), ack(4, 7)),
        ("ten PUBLISH, QoS 0", publish(0, "plant/line/3/temperature", 0, &payload).repeat(10), vec![0xd0, 0]),
        ("PINGREQ", packet(0xc0, []), packet(0xd0, [])),
    ] {
        print!("{name}: ");
        throughput::<MqttParser>(6, 1883, &[(ClientToServer, &request), (ServerToClient, &response)]);
    }
}
