//! What is not kept: secrets in queries, credentials in headers that somebody asked for, numbers of cards.

use metaflow_parser_http::HttpParser;
use metaflow_parser_sdk::testing::Script;

const ASKED: &str = "GET /pay/4111111111111111?token=abc&id=7 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\n\
                     Referer: http://a/?api_key=k\r\n\r\n";

#[test]
fn secrets_are_masked_unless_somebody_says_otherwise() {
    let script = Script::new(80).client(ASKED).option("attribute_headers", "authorization");
    let row = &script.run::<HttpParser>()[0];
    assert_eq!(row.text("request_resource"), "/pay/***?token=***&id=7");
    assert_eq!(row.attribute("authorization"), Some("***"));
    assert_eq!(row.attribute("http_referer"), Some("http://a/?api_key=***"));
    let row = &script.option("mask_parameters", "off").run::<HttpParser>()[0];
    assert_eq!(row.text("request_resource"), "/pay/4111111111111111?token=abc&id=7");
    assert_eq!(row.attribute("authorization"), Some("Bearer x"));
}
