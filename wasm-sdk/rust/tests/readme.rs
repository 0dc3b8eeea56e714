//! The parser of the README: it is compiled from there, so that the page cannot go stale.

use metaflow_parser_sdk::testing::Script;
use metaflow_parser_sdk::Direction;

mod lines;
use lines::Lines;

fn talk() -> Script {
    Script::new(9000).client("GET a\nGET b\n").server("OK 1\nERR none\n")
}

#[test]
fn the_page_and_the_module_are_the_same_code() {
    let page = include_str!("../README.md");
    let code = page.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a first block");
    assert_eq!(code.trim(), include_str!("lines/mod.rs").split_once("\n\n").expect("a header").1.trim());
}

#[test]
fn it_reports_requests_and_responses() {
    let rows = talk().run::<Lines>();
    assert_eq!(rows.len(), 4);
    assert_eq!((rows[1].kind(), rows[1].text("request_resource")), ("request", "b"));
    assert_eq!((rows[3].status(), rows[3].text("result")), ("server_error", "none"));
    assert_eq!(rows[3].number("stream_offset"), Some(5));
}

#[test]
fn any_split_is_equal_and_damage_is_survived() {
    talk().assert_any_split_is_equal::<Lines>();
    talk().assert_survives_damage::<Lines>();
}

#[test]
fn a_gap_is_told() {
    let rows = talk().gap(Direction::ClientToServer, 10).client("GET c\n").run::<Lines>();
    assert_eq!((rows[4].kind(), rows[4].number("length")), ("skipped", Some(10)));
    assert_eq!((rows[5].text("request_resource"), rows[5].number("stream_offset")), ("c", Some(22)));
}

#[test]
fn check_needs_four_bytes() {
    assert_eq!(Script::new(1).client("GE").check::<Lines>().0, "more");
    assert_eq!(Script::new(1).client("GET a").check::<Lines>().0, "request");
    assert_eq!(Script::new(1).client("PUT a").check::<Lines>(), ("no", "no GET".to_owned(), 0));
}
