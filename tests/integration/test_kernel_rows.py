"""The kernel's way of the data: eBPF to engine to tagger to storage, against real servers of other processes."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import metaflow_core as mf
from metaflow_core.query import Scan
from metaflow_core.testing import plain_rows

SERVERS = Path(__file__).resolve().parents[2] / "plugins" / "collector-ebpf" / "tests" / "servers"


def may_watch() -> str:
    """Why the kernel cannot be watched here, empty when it can."""
    try:
        from metaflow_collector_ebpf.probe import examine
    except ImportError as error:
        return f"needs metaflow-collector-ebpf: {error}"
    return "; ".join(item.sentence for item in examine() if item.needed and not item.ok)


pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(may_watch()), reason=may_watch() or "-")]


@contextmanager
def server(name: str, *arguments: object) -> Iterator[tuple[int, int]]:
    """Port and process number of a web server of its own process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    process = subprocess.Popen([sys.executable, str(SERVERS / name), str(port), *(str(item) for item in arguments)])
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(10)


CLIENT = """
import http.client, ssl, sys
port, tls = int(sys.argv[1]), sys.argv[2:]
made = http.client.HTTPSConnection("localhost", port, context=ssl.create_default_context(cafile=tls[0])) if tls else http.client.HTTPConnection("127.0.0.1", port)
for number in range(5):
    made.request("GET", f"/item/{number}"); made.getresponse().read()
"""


async def rows_of(app: mf.App, ports: set[int], enough: int, of: str = "flow_log.l7_flow_log") -> list[dict[str, Any]]:
    """Rows of the request log, or of another table, about these ports, when there are as many."""
    memory = next(unit.component for key, unit in app._runtime.generation.units.items() if key[0] is mf.Kind.STORAGE)
    found: list[dict[str, Any]] = []
    for _ in range(200):
        await asyncio.sleep(0.1)
        table = await memory.execute(Scan(table=of))
        found = [row for batch in table.to_batches() for row in plain_rows(batch) if row["server_port"] in ports]
        if len(found) >= enough:
            break
    return found


CONFIG = {
    "collectors": {"ebpf": {}},
    "taggers": {"process": {"sample_s": 0.5}},
    "pipelines": {"kernel": {"collectors": ["ebpf"], "parsers": ["*"], "taggers": ["process"], "storages": ["memory"]}},
}


async def test_exchanges_of_processes_are_rows_of_both_ends_and_one_thread_links_them() -> None:
    with server("web.py") as (leaf, leaf_pid), server("web.py", "--backend", leaf) as (front, front_pid):
        async with mf.App(CONFIG, autoload=True) as app:
            await asyncio.to_thread(subprocess.run, [sys.executable, "-c", CLIENT, str(front)], check=True, timeout=60)
            rows = await rows_of(app, {front, leaf}, 20)
    by_place = {(row["server_port"], row["observation_point"]): [] for row in rows}
    for row in rows:
        by_place[row["server_port"], row["observation_point"]].append(row)
    assert {key: len(found) for key, found in by_place.items()} == {
        (front, "c-p"): 5, (front, "s-p"): 5, (leaf, "c-p"): 5, (leaf, "s-p"): 5,
    }  # fmt: skip
    assert {row["response_code"] for row in rows} == {200}
    assert {row["process_id_1"] for row in by_place[front, "s-p"]} == {front_pid}
    assert {row["process_id_0"] for row in by_place[leaf, "c-p"]} == {front_pid}
    assert {row["process_id_1"] for row in by_place[leaf, "s-p"]} == {leaf_pid}
    for row in by_place[front, "s-p"]:
        assert row["gprocess_id_1"]
        assert row["auto_service_type_1"] == 120
        # the request that came in caused the one that went out: one thread, one number
        [caused] = [
            item
            for item in by_place[leaf, "c-p"]
            if item["syscall_trace_id_request"] == row["syscall_trace_id_request"]
        ]
        assert caused["request_resource"] == "/for" + row["request_resource"]
        assert caused["syscall_trace_id_response"] == row["syscall_trace_id_response"] != 0
        # and the same message was seen at the other end
        [other] = [item for item in by_place[front, "c-p"] if item["req_tcp_seq"] == row["req_tcp_seq"]]
        assert (other["request_resource"], other["resp_tcp_seq"]) == (row["request_resource"], row["resp_tcp_seq"])


async def test_tls_is_readable(tmp_path: Path) -> None:
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(  # noqa: ASYNC221 - before anything runs
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    assert ssl.OPENSSL_VERSION.startswith("OpenSSL")
    with server("web.py", key, certificate) as (port, pid):
        async with mf.App(CONFIG, autoload=True) as app:
            await asyncio.to_thread(
                subprocess.run, [sys.executable, "-c", CLIENT, str(port), str(certificate)], check=True, timeout=60
            )
            rows = [row for row in await rows_of(app, {port}, 10) if row["request_resource"].startswith("/item")]
            counted = await rows_of(app, {port}, 4, "flow_metrics.application_map.1s")
    assert sorted((row["observation_point"], row["request_resource"]) for row in rows) == sorted(
        (place, f"/item/{number}") for place in ("c-p", "s-p") for number in range(5)
    )
    assert {row["is_tls"] for row in rows} == {True}
    # what came from inside is told apart in the metrics too: from the handshakes, which both processes' calls show
    assert {(row["is_tls"], row["l7_protocol"]) for row in counted} == {(True, 20), (False, 121)}
    assert {row["observation_point"] for row in counted if row["is_tls"]} == {"c-p", "s-p"}
    assert {row["process_id_1"] for row in rows if row["observation_point"] == "s-p"} == {pid}
