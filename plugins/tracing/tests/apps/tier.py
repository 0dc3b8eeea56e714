"""One tier of an application, with a thread per connection: asks those behind it one after the other, then answers.

    python tier.py HEADERS [PORT ...]

HEADERS is ``none``, ``traceparent`` (passes it on with a span of its own), ``b3`` (the same with the parent) or ``x-request-id``.
Listens on $PORT or on any, and prints which.
"""

from __future__ import annotations

import http.client
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HEADERS, BEHIND = sys.argv[1], [int(port) for port in sys.argv[2:]]
PORT = int(os.environ.get("PORT", "0"))


def passed_on(headers: http.client.HTTPMessage) -> dict[str, str]:
    """Headers for the next tier."""
    span = os.urandom(8).hex()
    if HEADERS == "traceparent" and headers.get("traceparent"):
        version, trace, _, flags = headers["traceparent"].split("-")
        return {"traceparent": f"{version}-{trace}-{span}-{flags}"}
    if HEADERS == "b3" and headers.get("x-b3-traceid"):
        return {
            "X-B3-TraceId": headers["x-b3-traceid"],
            "X-B3-SpanId": span,
            "X-B3-ParentSpanId": headers["x-b3-spanid"],
        }
    if HEADERS == "x-request-id" and headers.get("x-request-id"):
        return {"X-Request-ID": headers["x-request-id"]}
    return {}


class Tier(BaseHTTPRequestHandler):
    """Answers with what the others said."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        said = []
        for port in BEHIND:
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("GET", self.path, headers=passed_on(self.headers))
            said.append(connection.getresponse().read())
            connection.close()
        time.sleep(0.001)
        body = b"+".join(said) or b"leaf"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Takes a burst of clients."""

    request_queue_size = 256
    daemon_threads = True


server = Server(("127.0.0.1", PORT), Tier)
print(server.server_address[1], flush=True)
server.serve_forever()
