//! What is told of datagrams of which only the first bytes were captured, as the kernel's programs give them.

mod build;

use build::*;
use metaflow_parser_dns::DnsParser;
use metaflow_parser_sdk::testing::Script;
use metaflow_parser_sdk::Direction::ServerToClient;

#[test]
fn what_was_cut_is_never_told_wrong() {
    let long = (0..40).fold(answer(7, 0, "a.example", 1), |message, last| message.record(1, 1, &[192, 0, 2, last])).0;
    let script = |kept: Option<usize>| {
        let asked = Script::new(53).udp().client(query(7, "a.example", 1).0);
        let told = match kept {
            Some(kept) => asked.cut(ServerToClient, &long, kept),
            None => asked.server(&long),
        };
        told.run::<DnsParser>().remove(1)
    };
    let whole = script(None);
    for kept in 31..long.len() {
        let row = script(Some(kept));
        assert_eq!((row.kind(), row.status(), row.number("request_id")), ("response", "ok", Some(7)), "{kept}");
        assert_eq!(row.number("length"), whole.number("length"), "{kept}");
        assert!(whole.text("result").starts_with(row.text("result")), "{kept}: {row:?}");
        assert_eq!(row.attribute("dns_damage").is_some(), kept < long.len(), "{kept}: {row:?}");
    }
}
