"""OpenTelemetry's SDK and nginx: what applications tell, what proxies add, and what packets show, in one tree."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tracing_peers import REQUESTS, Peers, at_once, tiers, way

from metaflow_core.testing import capture_refused, free_port

pytestmark = pytest.mark.root


@pytest.mark.skipif(bool(capture_refused()), reason=capture_refused())
async def test_spans_of_the_sdk_and_packets_are_one_tree() -> None:
    """Two instrumented tiers before one that is not: the wire stands between the span that sent and the span that received."""
    for name in ("metaflow_receiver_otlp", "metaflow_collector_cbpf", "opentelemetry.sdk", "opentelemetry.exporter"):
        pytest.importorskip(name, reason=f"{name} is not installed")
    otlp = free_port()
    sdk = f"http://127.0.0.1:{otlp}/v1/traces"
    with tiers(["sdk_tier.py", "shop", sdk], ["sdk_tier.py", "stock", sdk], ["tier.py", "none"]) as ports:
        shop, stock, leaf = ports
        # a request is three messages and four spans
        traces = await Peers((shop, stock, leaf), otlp).watch(lambda: at_once(shop, "traceparent"), REQUESTS * 7)
    assert len(traces) == REQUESTS
    for trace in traces:
        wire = trace.nodes[0].span.point
        last = next(node for node in trace.nodes if node.span.server.port == leaf and not node.span.is_span)
        assert way(trace, last) == [
            f"{wire} {shop}", "s-app shop", "c-app shop", f"{wire} {stock}", "s-app stock", "c-app stock", f"{wire} {leaf}",
        ]  # fmt: skip
        assert len(trace.nodes) == 7
        assert len({node.span["trace_id"] for node in trace.nodes}) == 1
        edges = [node.edge for node in trace.nodes if node.edge is not None]
        assert len(edges) == 6
        assert {edge.kind for edge in edges} == {"span_id"}
        paths = {node.span["request_resource"] for node in trace.nodes if not node.span.is_span}
        assert len(paths) == 1


NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{
    access_log off; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
    uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
    server {{
        listen 127.0.0.1:{port};
        add_header X-Request-ID {id};
        location / {{ proxy_pass http://127.0.0.1:{behind}; proxy_set_header X-Request-ID {id}; }}
    }}
}}
"""


@contextmanager
def nginx(folder: Path, behind: int, identity: str) -> Iterator[int]:
    """A reverse proxy that gives its requests an X-Request-ID; its port."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if found is None:
        pytest.skip("nginx is missing; run: apt-get install nginx-light")
    port = free_port()
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, behind=behind, id=identity))
    words = [found, "-c", str(folder / "nginx.conf"), "-p", str(folder), "-e", str(folder / "error.log")]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        else:
            pytest.fail(f"nginx does not listen: {(folder / 'error.log').read_text()}")
        yield port
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.skipif(bool(capture_refused()), reason=capture_refused())
@pytest.mark.parametrize(
    ("identity", "headers"),
    [("$request_id", "none"), ("$http_x_request_id", "x-request-id")],
    ids=["made", "taken over"],
)
async def test_nginx_is_linked_by_the_request_id(tmp_path: Path, identity: str, headers: str) -> None:
    """Before nginx and behind it, by the id that it made (its answer tells it) or that the client gave, and by nothing else."""
    pytest.importorskip("metaflow_collector_cbpf", reason="the plugin metaflow-collector-cbpf is not installed")
    with tiers(["tier.py", "none"]) as (leaf,), nginx(tmp_path, leaf, identity) as front:
        traces = await Peers((front, leaf)).watch(lambda: at_once(front, headers), REQUESTS * 2)
    assert len(traces) == REQUESTS
    for trace in traces:
        above, below = trace.nodes
        assert (above.span.server.port, below.span.server.port) == (front, leaf)
        assert above.span["request_resource"] == below.span["request_resource"]
        edge = below.edge
        assert edge is not None
        assert edge.kind == "x_request_id"
        # what it caused is not offered as its cause
        assert above.missing is not None
        assert above.missing.candidate is None or above.missing.candidate.first is not below.span
        assert 0 < edge.confidence < 1
