//! Numbers for people, asserted by nobody: `cargo test --release -p metaflow-parser-http --test speed -- --ignored --nocapture`.

use metaflow_parser_http::HttpParser;
use metaflow_parser_sdk::testing::throughput;
use metaflow_parser_sdk::Direction::{ClientToServer, ServerToClient};

#[test]
#[ignore = "a benchmark"]
fn small_messages() {
    let request = b"GET /api/v1/items/42 HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n";
    let response = b"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Length: 12\r\n\r\nhello world\n";
    throughput::<HttpParser>(6, 80, &[(ClientToServer, request), (ServerToClient, response)]);
}

#[test]
#[ignore = "a benchmark"]
fn messages_of_a_browser() {
    let request = b"GET /api/v1/items/42?page=1 HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n\
        Accept: text/html,application/xhtml+xml\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate\r\n\
        Connection: keep-alive\r\nX-Request-ID: 7f000001-1\r\nCookie: a=b; c=d; session=0123456789abcdef0123456789abcdef\r\n\
        traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n";
    let response = b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sat, 21 Nov 2026 06:00:00 GMT\r\nContent-Type: text/plain\r\n\
        Content-Length: 12\r\nLast-Modified: Sat, 21 Nov 2026 06:00:00 GMT\r\nConnection: keep-alive\r\nETag: \"65f1\"\r\n\
        Accept-Ranges: bytes\r\n\r\nhello world\n";
    throughput::<HttpParser>(6, 80, &[(ClientToServer, request), (ServerToClient, response)]);
}
