"""One tier that is instrumented by hand with OpenTelemetry's SDK: a server span for each request, a client span for each call.

    python sdk_tier.py NAME OTLP_ENDPOINT [PORT ...]

Spans go to OTLP_ENDPOINT (http://.../v1/traces), their context goes on in ``traceparent``. Listens on $PORT or on any, and prints which.
"""

from __future__ import annotations

import http.client
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import extract, inject
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind

NAME, ENDPOINT, BEHIND = sys.argv[1], sys.argv[2], [int(port) for port in sys.argv[3:]]
PORT = int(os.environ.get("PORT", "0"))

provider = TracerProvider(resource=Resource.create({"service.name": NAME, "service.instance.id": f"{NAME}-1"}))
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(ENDPOINT), schedule_delay_millis=100))
tracer = provider.get_tracer("sdk_tier")


def ask(port: int, path: str) -> bytes:
    """One call, inside a client span that the callee hears of."""
    about: dict[str, str | int] = {
        "http.request.method": "GET",
        "server.address": "127.0.0.1",
        "server.port": port,
        "url.path": path,
    }
    with tracer.start_as_current_span("GET", kind=SpanKind.CLIENT, attributes=about) as span:
        headers: dict[str, str] = {}
        inject(headers)
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        said = answer.read()
        connection.close()
        span.set_attribute("http.response.status_code", answer.status)
        return said


class Tier(BaseHTTPRequestHandler):
    """Answers with what the others said."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Asks those behind, one after the other."""
        about = {"http.request.method": "GET", "http.route": "/work/{n}", "url.path": self.path}
        came = extract({name.lower(): value for name, value in self.headers.items()})
        with tracer.start_as_current_span(
            "GET /work/{n}", context=came, kind=SpanKind.SERVER, attributes=about
        ) as span:
            body = b"+".join(ask(port, self.path) for port in BEHIND) or b"leaf"
            span.set_attribute("http.response.status_code", 200)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing."""


class Server(ThreadingHTTPServer):
    """Takes a burst of clients."""

    request_queue_size = 256
    daemon_threads = True


server = Server(("127.0.0.1", PORT), Tier)
print(server.server_address[1], flush=True)
server.serve_forever()
