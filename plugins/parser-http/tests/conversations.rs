//! Whole conversations: what is reported, the same for every split, whatever is damaged.

use metaflow_parser_http::HttpParser;
use metaflow_parser_sdk::testing::{Row, Script};

fn http() -> Script {
    Script::new(80)
}

/// Run a script, check all its splits and damages, and give its records.
fn proven(script: &Script) -> Vec<Row> {
    script.assert_any_split_is_equal::<HttpParser>();
    script.assert_survives_damage::<HttpParser>();
    script.run::<HttpParser>()
}

fn kinds(rows: &[Row]) -> Vec<&'static str> {
    rows.iter().map(Row::kind).collect()
}

fn codes(rows: &[Row]) -> Vec<i128> {
    rows.iter().filter_map(|row| row.number("code")).collect()
}

#[test]
fn a_request_and_its_response_carry_what_the_catalogue_wants() {
    let rows = proven(
        &http()
            .client(
                "POST /api/v1/orders?id=7 HTTP/1.1\r\nHost: shop.example:8080\r\nUser-Agent: curl/8\r\nReferer: http://r/\r\n\
                 Content-Length: 5\r\nX-Request-ID: req-1\r\nX-Forwarded-For: 192.0.2.7, 10.0.0.1\r\nX-Tenant: blue\r\n\
                 traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\nhello",
            )
            .server("HTTP/1.1 503 Busy\r\nX-Request-ID: resp-1\r\nContent-Length: 4\r\nX-Tenant: red\r\n\r\nbusy")
            .option("attribute_headers", "X-Tenant"),
    );
    let request = &rows[0];
    for (column, value) in [
        ("request_type", "POST"),
        ("request_domain", "shop.example:8080"),
        ("request_resource", "/api/v1/orders?id=7"),
        ("endpoint", "/api/v1"),
        ("version", "1.1"),
        ("x_request_id", "req-1"),
        ("http_proxy_client", "192.0.2.7"),
        ("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("span_id", "00f067aa0ba902b7"),
    ] {
        assert_eq!(request.text(column), value, "{column}");
    }
    assert_eq!(request.kind(), "request");
    assert_eq!(request.number("length"), Some(5));
    assert_eq!(request.attribute("http_user_agent"), Some("curl/8"));
    assert_eq!(request.attribute("http_referer"), Some("http://r/"));
    assert_eq!(request.attribute("x-tenant"), Some("blue"));
    let response = &rows[1];
    assert_eq!((response.kind(), response.status(), response.number("code")), ("response", "server_error", Some(503)));
    assert_eq!((response.text("exception"), response.text("x_request_id")), ("Service Unavailable", "resp-1"));
    assert_eq!((response.text("version"), response.number("length")), ("1.1", Some(4)));
    assert_eq!(response.attribute("x-tenant"), Some("red"));
    assert_eq!(rows.len(), 2);
}

#[test]
fn keep_alive_and_pipelining_in_any_number_of_segments() {
    let rows = proven(
        &http()
            .client("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\n\r\n")
            .server("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\nHTTP/1.1 204 x\r\n\r\n")
            .client("GET /4 HTTP/1.1\r\n\r\n")
            .server("HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n"),
    );
    let targets: Vec<&str> =
        rows.iter().map(|row| row.text("request_resource")).filter(|text| !text.is_empty()).collect();
    assert_eq!(targets, ["/1", "/2", "/3", "/4"]);
    assert_eq!(codes(&rows), [200, 404, 204, 304]);
    assert_eq!(rows[4].status(), "client_error");
    let offsets: Vec<_> = rows[..3].iter().filter_map(|row| row.number("stream_offset")).collect();
    assert_eq!(offsets, [0, 28, 56]);
}

#[test]
fn chunks_with_extensions_and_trailers() {
    let rows = proven(
        &http()
            .client("POST /up HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=\"y\"\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\nGET /next HTTP/1.1\r\n\r\n")
            .server("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\nContent-Length: 7\r\n\r\n4\r\nHTTP\r\n0\r\n\r\nHTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n"),
    );
    assert_eq!(kinds(&rows), ["request", "request", "response", "response"]);
    assert_eq!(rows[1].text("request_resource"), "/next");
    assert_eq!(codes(&rows), [200, 500]);
}

#[test]
fn bodies_that_are_none_and_bodies_that_end_with_the_connection() {
    let rows = proven(&http().client("HEAD /a HTTP/1.1\r\n\r\nGET /b HTTP/1.0\r\n\r\n").server(
        "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nHTTP/1.0 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\nthis is a body",
    ));
    assert_eq!(kinds(&rows), ["request", "request", "response", "response"]);
    assert_eq!((rows[3].text("version"), rows[1].text("version")), ("1.0", "1.0"));
}

#[test]
fn interim_responses_are_passed_over() {
    let rows = proven(
        &http()
            .client("PUT /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
            .server("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n")
            .client("hi")
            .server("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"),
    );
    assert_eq!(kinds(&rows), ["request", "response"]);
    assert_eq!(codes(&rows), [201]);
}

#[test]
fn a_websocket_is_counted_as_skipped() {
    let rows = proven(
        &http()
            .client("GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            .server("HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n\r\n\x01\x02\x03")
            .client("\x01\x04frame\r\n"),
    );
    assert_eq!(kinds(&rows), ["request", "response", "skipped", "skipped"]);
    assert_eq!((rows[2].text("exception"), rows[2].number("length")), ("websocket", Some(9)));
    assert_eq!(rows[3].number("length"), Some(3));
}

#[test]
fn another_protocol_gives_the_flow_back() {
    let rows = proven(
        &http().client("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n").server("HTTP/1.1 200 OK\r\n\r\n\x16\x03"),
    );
    assert_eq!(kinds(&rows), ["request", "response", "violation"]);
    assert_eq!((rows[0].text("request_resource"), rows[0].text("endpoint")), ("a:443", "a:443"));
    assert_eq!(rows[2].number("stream_offset"), Some(19));
    let rows = proven(
        &http().client("GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n").server("HTTP/1.1 101 x\r\nUpgrade: h2c\r\n\r\n"),
    );
    assert_eq!(kinds(&rows), ["request", "response", "violation"]);
    let refused = http()
        .client("CONNECT a:443 HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n")
        .server("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nnoHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(codes(&proven(&refused)), [403, 200]);
}

#[test]
fn odd_but_used_forms_are_read() {
    let rows = proven(
        &http()
            .client("\r\n\r\nget http://user@b.example:81?q=1 HTTP/1.1\nhOST : ignored\nX-A: 1\n\tfolded\n\n")
            .server("HTTP/1.1 600\r\ncontent-length:0\r\n\r\n")
            .client("OPTIONS * HTTP/1.1\r\nHost: caf\u{e9}\r\n\r\n".as_bytes())
            .client(b"VERSION-CONTROL /\xff\xfe HTTP/1.0\r\n\r\n")
            .option("attribute_headers", "x-a"),
    );
    assert_eq!((rows[0].text("request_type"), rows[0].text("request_domain")), ("get", "b.example:81"));
    assert_eq!((rows[0].text("request_resource"), rows[0].text("endpoint")), ("?q=1", ""));
    assert_eq!(rows[0].attribute("x-a"), Some("1 folded"));
    assert_eq!((rows[1].status(), rows[1].number("code")), ("unknown", Some(600)));
    assert_eq!((rows[2].text("request_resource"), rows[2].text("request_domain")), ("*", "caf\u{e9}"));
    assert_eq!(rows[3].text("request_resource"), "/\u{fffd}\u{fffd}");
}

#[test]
fn a_reversed_flow_is_told() {
    let rows = proven(&http().client("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").server("GET / HTTP/1.1\r\n\r\n"));
    assert_eq!(rows[0].number("flags"), Some(4));
    assert_eq!(rows[1].number("flags"), Some(4));
}

#[test]
fn wrong_options_are_refused_in_a_sentence() {
    use metaflow_parser_sdk::Parser;
    let mut parser = HttpParser::new();
    for (key, value) in [
        ("max_head_bytes", "12"),
        ("endpoint_rules", "api"),
        ("trace_headers", "a=b"),
        ("attribute_headers", "a b"),
        ("color", "red"),
    ] {
        let sentence = parser.configure(key, value).expect_err(key);
        assert!(sentence.contains("expected") && sentence.ends_with('.'), "{sentence}");
    }
}
