//! Messages a second: `cargo test --release -p metaflow-parser-mysql --test speed -- --ignored --nocapture`.

mod support;

use metaflow_parser_mysql::MysqlParser;
use metaflow_parser_sdk::testing::throughput;
use metaflow_parser_sdk::Direction::{ClientToServer, ServerToClient};
use support::*;

#[test]
#[ignore = "a measurement: it prints and asserts nothing"]
fn messages_a_second() {
    let execute = command(0x17, [&7u32.to_le_bytes()[..], &[0, 1, 0, 0, 0, 0, 1, 3, 0, 42, 0, 0, 0]].concat());
    let rows: Vec<String> = (0..100).map(|row| format!("{row:0>100}")).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    for (name, request, response) in [
        ("point SELECT, text", query("SELECT c FROM sbtest1 WHERE id=5042"), result_set(&["0123456789"], true, 2)),
        ("point SELECT, prepared", execute, result_set(&["0123456789"], true, 2)),
        ("UPDATE", query("UPDATE sbtest1 SET k=k+1 WHERE id=5042"), ok(1, 1, 2)),
        ("SELECT of 100 rows", query("SELECT c FROM sbtest1 WHERE id BETWEEN 1 AND 100"), result_set(&rows, true, 2)),
    ] {
        print!("{name}: ");
        throughput::<MysqlParser>(6, 3306, &[(ClientToServer, &request), (ServerToClient, &response)]);
    }
}
