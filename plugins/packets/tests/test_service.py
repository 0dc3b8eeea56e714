"""A capture file over HTTP and from the command line, with real packets of loopback."""

from __future__ import annotations

import asyncio
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from metaflow_packets.sources import _refusal
from packets_of_shop import FLOW, SHOP

from metaflow_core import App
from metaflow_core.api import Kind
from metaflow_core.testing import capture_refused

COMMAND = [sys.executable, "-m", "metaflow_core"]


def config(folder: Path, collector: dict[str, Any]) -> dict[str, Any]:
    [name] = collector
    return {
        "version": 1,
        "collectors": collector,
        "engines": {"packets": {"path": str(folder)}},
        "storages": {"memory": {}},
        "dialects": {"sql": {}},
        "services": {"packets": {"path": str(folder)}},
        "pipelines": {
            "live": {"collectors": [name], "parsers": ["http"], "storages": ["memory"]},
            "packets": {"collectors": [name], "engine": "packets", "parsers": []},
        },
    }


async def ask(app: App, query: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer."""
    service: Any = app.components(Kind.SERVICE)["packets"]
    [route] = service.routes()
    told: dict[str, Any] = {"body": b""}

    async def send(message: Any) -> None:
        told.update({name: message[name] for name in ("status", "headers") if name in message})
        told["body"] += message.get("body", b"")

    scope = {"type": "http", "method": method, "path": "/v1/packets", "headers": [], "query_string": query.encode()}
    await route.app(scope, None, send)
    return told["status"], {name.decode(): value.decode() for name, value in told["headers"]}, told["body"]


async def first_row(app: App, question: str) -> Any:
    """The first cell of the first row, once there is one."""
    for _ in range(200):
        table = (await app.query("sql", question)).table
        if table.num_rows:
            return table.column(0)[0].as_py()
        await asyncio.sleep(0.1)
    raise AssertionError(f"no row: {question}")


async def test_a_flow_over_http(tmp_path: Path) -> None:
    async with App(config(tmp_path, {"pcap": {"files": [str(SHOP)]}}), autoload=True) as app:
        await first_row(app, f"SELECT flow_id FROM l4_flow_log WHERE flow_id = {FLOW} LIMIT 1")
        status, headers, body = await ask(app, f"flow_id={FLOW}")
        assert status == 200, body
        assert headers["content-type"] == "application/vnd.tcpdump.pcap"
        assert headers["content-disposition"] == f'attachment; filename="flow-{FLOW}.pcap"'
        assert (headers["x-metaflow-packets"], headers["x-metaflow-left-out"]) == ("79", "0")
        assert body[:4] == b"\x4d\x3c\xb2\xa1"
        about = json.loads((await ask(app, ""))[2])
        assert about["files"] == 1
        assert about["bytes"] > 10_000
        for query, wanted, said in (
            ("flow_id=5", 404, "no row has flow_id 5"),
            ("flow_id=5%20OR%201=1", 400, "is no flow_id"),
            ("flow_id=-1", 400, "is no flow_id"),
            ("flow_id=18446744073709551616", 400, "is no flow_id"),
            ("flow_id=", 400, "is no flow_id"),
        ):
            status, _, body = await ask(app, query)
            assert status == wanted, query
            assert said in json.loads(body)["DESCRIPTION"]
        assert (await ask(app, "", "POST"))[0] == 405
        for file in tmp_path.glob("packets-*.mfk"):
            file.unlink()
        status, _, body = await ask(app, f"flow_id={FLOW}")
        assert (status, json.loads(body)["DESCRIPTION"]) == (404, "no packet is kept yet")
        assert not kept_twice(app)


def kept_twice(app: App) -> list[str]:
    """The pipeline that makes rows must not have taken the engine that keeps packets."""
    return [each["pipeline"] for each in app.status() if each["id"] == "packets" and each.get("pipeline") == "live"]


def test_the_command_writes_a_flow_of_a_capture(tmp_path: Path) -> None:
    out = tmp_path / "flow.pcap"
    done = subprocess.run(
        [*COMMAND, "read", str(SHOP), "--flow", str(FLOW), "--out", str(out)],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "79 packets written" in done.stderr
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    listed = subprocess.run(
        ["tshark", "-r", str(out), "-Y", "tcp.port == 56506 && tcp.port == 18080"],
        capture_output=True, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip
    assert len(listed.splitlines()) == 79


def test_a_flow_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "packets", "77", "--file", str(SHOP), "--out", str(tmp_path / "x")],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode != 0
    assert "has flow_id 77" in done.stderr
    assert not (tmp_path / "x").exists()


def test_a_server_of_agents_says_where_packets_are() -> None:
    said = b'{"OPT_STATUS":"FAILED","DESCRIPTION":"there is nothing at /v1/packets; / lists what there is","error":"not-found"}'
    assert "mflow up and mflow agent keep those of their machine" in str(_refusal(404, said, "http://x"))
    other = b'{"OPT_STATUS":"FAILED","DESCRIPTION":"no row has flow_id 7","error":"no-such-flow"}'
    assert str(_refusal(404, other, "http://x")) == "no row has flow_id 7"
    assert "status 502" in str(_refusal(502, b"<html>", "http://x"))


@pytest.mark.root
@pytest.mark.skipif(bool(capture_refused()), reason=capture_refused())
async def test_packets_of_now_beside_the_rows_of_now(tmp_path: Path) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.chdir(tmp_path)
    made = config(tmp_path / "kept", {"cbpf": {"interfaces": ["lo"], "filter": f"tcp port {port}"}})
    app = App(made, autoload=True)
    try:
        async with app:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            mine = writer.get_extra_info("sockname")[1]
            writer.write(b"GET / HTTP/1.0\r\n\r\n")
            await reader.read()
            writer.close()
            number = await first_row(app, f"SELECT flow_id FROM l7_flow_log WHERE client_port = {mine} LIMIT 1")
            for _ in range(50):
                status, _, body = await ask(app, f"flow_id={number}")
                if status == 200:
                    break
                await asyncio.sleep(0.1)
            assert status == 200, body
            assert body[:4] == b"\x4d\x3c\xb2\xa1"
            assert mine.to_bytes(2, "big") + port.to_bytes(2, "big") in body
            assert b"GET / HTTP" not in body
    finally:
        server.shutdown()
        server.server_close()
