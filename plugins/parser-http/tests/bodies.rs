//! The first bytes of bodies, for those who refine messages: the same for every split, and never in the way of what follows.

use metaflow_parser_http::HttpParser;
use metaflow_parser_sdk::testing::{Row, Script};

fn proven(script: &Script) -> Vec<Row> {
    script.assert_any_split_is_equal::<HttpParser>();
    script.assert_survives_damage::<HttpParser>();
    script.run::<HttpParser>()
}

#[test]
fn requests_and_responses_with_bodies_that_name_operations() {
    let rows = proven(
        &Script::new(80)
            .option("body_bytes", "16")
            .client("POST /rpc HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 31\r\n\r\n{\"method\": \"eth_call\", \"id\": 1}")
            .server("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n3\r\n1} \r\n0\r\n\r\n")
            .client("HEAD /x HTTP/1.1\r\n\r\n")
            .server("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n")
            .client("POST /png HTTP/1.1\r\nContent-Type: image/png\r\nContent-Length: 4\r\n\r\n\u{1}PNG")
            .server("HTTP/1.1 204 No\r\n\r\n"),
    );
    let bodies: Vec<&str> = rows.iter().map(|row| row.text("private_1024")).collect();
    assert_eq!(bodies, ["{\"method\": \"eth_", "{\"a\":1} ", "", "", "", ""]);
    assert_eq!(rows[0].text("private_1025"), "application/json");
    let kinds: Vec<&str> = rows.iter().map(Row::kind).collect();
    assert_eq!(kinds, ["request", "response", "request", "response", "request", "response"]);
}

#[test]
fn an_answer_that_does_not_wait_for_the_whole_request() {
    let rows = proven(
        &Script::new(80)
            .option("body_bytes", "100")
            .client("POST /rpc HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{\"method\":")
            .server("HTTP/1.1 413 Too large\r\nContent-Length: 0\r\n\r\n"),
    );
    assert_eq!((rows[0].kind(), rows[0].text("private_1024")), ("request", "{\"method\":"));
    assert_eq!((rows[1].kind(), rows[1].number("code")), ("response", Some(413)));
}

#[test]
fn without_the_option_nothing_is_kept() {
    let rows = Script::new(80)
        .client("POST / HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
        .run::<HttpParser>();
    assert_eq!(rows[0].text("private_1024"), "");
}
