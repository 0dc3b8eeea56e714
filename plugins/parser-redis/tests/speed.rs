//! Messages a second: `cargo test --release -p metaflow-parser-redis --test speed -- --ignored --nocapture`.

use metaflow_parser_redis::RedisParser;
use metaflow_parser_sdk::testing::throughput;
use metaflow_parser_sdk::Direction::{ClientToServer, ServerToClient};

#[test]
#[ignore = "a measurement: it prints and asserts nothing"]
fn messages_a_second() {
    let get = b"*2\r\n$3\r\nGET\r\n$16\r\nkey:000000012345\r\n";
    let set = b"*3\r\n$3\r\nSET\r\n$16\r\nkey:000000012345\r\n$3\r\nxxx\r\n";
    for (name, steps) in [
        ("one GET in a segment", vec![(ClientToServer, get.to_vec()), (ServerToClient, b"$3\r\nxxx\r\n".to_vec())]),
        ("16 SET in a segment", vec![(ClientToServer, set.repeat(16)), (ServerToClient, b"+OK\r\n".repeat(16))]),
        (
            "LRANGE of 100",
            vec![
                (ClientToServer, b"*4\r\n$6\r\nLRANGE\r\n$6\r\nmylist\r\n$1\r\n0\r\n$2\r\n99\r\n".to_vec()),
                (ServerToClient, [&b"*100\r\n"[..], &b"$3\r\nxxx\r\n".repeat(100)].concat()),
            ],
        ),
    ] {
        print!("{name}: ");
        let steps: Vec<_> = steps.iter().map(|(direction, bytes)| (*direction, &bytes[..])).collect();
        throughput::<RedisParser>(6, 6379, &steps);
    }
}
