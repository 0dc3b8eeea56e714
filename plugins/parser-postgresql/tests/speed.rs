//! Messages a second: `cargo test --release -p metaflow-parser-postgresql --test speed -- --ignored --nocapture`.

mod support;

use metaflow_parser_postgresql::PostgresqlParser;
use metaflow_parser_sdk::testing::throughput;
use metaflow_parser_sdk::Direction::{ClientToServer, ServerToClient};
use support::*;

#[test]
#[ignore = "a measurement: it prints and asserts nothing"]
fn messages_a_second() {
    let rows: Vec<u8> = (0..100).flat_map(|number| row(&[&format!("{number:0>100}")])).collect();
    let point = [columns(&["c"]), row(&["0123456789"]), done("SELECT 1"), ready(b'I')].concat();
    let prepared = [bind("", "s1", &[b"5042"]), describe(b'P', ""), execute(""), sync()].concat();
    for (name, request, response) in [
        ("point SELECT, simple", query("SELECT c FROM sbtest1 WHERE id=5042"), point.clone()),
        ("point SELECT, prepared", prepared, [message(b'2', b""), point].concat()),
        ("UPDATE", query("UPDATE sbtest1 SET k=k+1 WHERE id=5042"), [done("UPDATE 1"), ready(b'I')].concat()),
        (
            "SELECT of 100 rows",
            query("SELECT c FROM sbtest1 WHERE id BETWEEN 1 AND 100"),
            [columns(&["c"]), rows, done("SELECT 100"), ready(b'I')].concat(),
        ),
    ] {
        print!("{name}: ");
        throughput::<PostgresqlParser>(6, 5432, &[(ClientToServer, &request), (ServerToClient, &response)]);
    }
}
