"""``mflow query`` as a person runs it: a capture, a server, files, mistakes, the prompt."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

CAPTURE = Path(__file__).resolve().parents[3] / "tests" / "captures" / "shop.pcap"
QUESTION = "SELECT l7_protocol, Count(row) AS n FROM l7_flow_log GROUP BY l7_protocol ORDER BY n DESC"
ROWS = [
    {"l7_protocol": "HTTP", "n": 48},
    {"l7_protocol": "Redis", "n": 42},
    {"l7_protocol": "MySQL", "n": 40},
    {"l7_protocol": "DNS", "n": 6},
]


def process(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "metaflow_core", "query", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        input=stdin,
    )


def test_capture() -> None:
    result = process("--pcap", str(CAPTURE), QUESTION)
    assert result.returncode == 0, result.stderr
    assert [json.loads(line) for line in result.stdout.splitlines()] == ROWS


def test_formats(mflow: Any, tmp_path: Path) -> None:
    result = mflow("query", "--pcap", str(CAPTURE), QUESTION, "--format", "csv")
    assert result.stdout.splitlines()[:2] == ["l7_protocol,n", "HTTP,48"]
    table = process("--pcap", str(CAPTURE), "-", "--format", "table", stdin=QUESTION)
    assert table.stdout.split()[:2] == ["l7_protocol", "n"]
    target = tmp_path / "x.parquet"
    written = mflow("query", "--pcap", str(CAPTURE), QUESTION, "--out", str(target))
    assert "4 rows written" in written.stderr
    assert pq.read_table(target).to_pylist() == ROWS


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (
            ["--pcap", str(CAPTURE), "SELECT endpont FROM l7_flow_log"],
            1,
            "column 8: there is no column 'endpont' in flow_log.l7_flow_log; did you mean 'endpoint'?",
        ),
        (["--pcap", "/nowhere.pcap", "SHOW TABLES"], 1, "there is no such file"),
        (["--data", "/nowhere", "SHOW TABLES"], 1, "there is no such directory or file"),
        (["--url", "http://127.0.0.1:9", "SHOW TABLES"], 1, "cannot be asked"),
        (["--url", "ftp://x", "SHOW TABLES"], 1, "is no address such as"),
        (["--url", "http://x", "--pcap", "y", "SHOW TABLES"], 2, "give one of them"),
        (["--pcap", str(CAPTURE)], 2, "a prompt needs a terminal"),
        (["--pcap", str(CAPTURE), "SHOW TABLES", "--out", "x.xyz"], 1, "suffixes are"),
    ],
)
def test_mistakes(mflow: Any, arguments: list[str], code: int, part: str) -> None:
    result = mflow("query", *arguments)
    assert result.returncode == code
    assert part in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr


async def test_server(mflow: Any, serve: Any) -> None:
    """The command asks a server; the server's warnings, units and refusals arrive."""
    client = await serve(token="geheim")
    url = str(client.base_url)
    result = await asyncio.to_thread(mflow, "query", "--url", url, "--token", "geheim", "ok", "--format", "jsonl")
    assert json.loads(result.stdout.splitlines()[0])["t"] == "2023-11-14T22:13:20Z"
    assert "something was cut" in result.stderr
    wrong = await asyncio.to_thread(mflow, "query", "--url", url, "--token", "geheim", "wrong", "--json")
    assert json.loads(wrong.stderr)["message"] == "column 7: there is no column 'x'"
    refused = await asyncio.to_thread(mflow, "query", "--url", url, "ok")
    assert (refused.returncode, "a token is needed" in refused.stderr) == (1, True)


async def test_a_whole_app_on_a_capture() -> None:
    """A pipeline reads a capture into the memory storage; the questions over HTTP are answered from it."""
    import httpx

    from metaflow_core.sdk import App

    config = {
        "collectors": {"pcap": {"files": [str(CAPTURE)]}},
        "storages": {"memory": {}},
        "dialects": {"sql": {}},
        "services": {"querier": {"listen": "127.0.0.1:0"}},
        "pipelines": {"read": {"collectors": ["pcap"], "parsers": ["*"], "storages": ["memory"]}},
    }
    async with App(config, autoload=True) as app:
        key = next(key for key in app._runtime.generation.units if key[0].value == "service")
        url = app._runtime.generation.units[key].component.url
        async with httpx.AsyncClient(base_url=url) as client:
            for _ in range(200):
                answer = (await client.post("/v1/query", json={"sql": QUESTION})).json()
                if sum(row[1] for row in answer["result"]["values"]) == 136:
                    break
                await asyncio.sleep(0.1)
            assert answer["result"]["values"] == [list(row.values()) for row in ROWS]
            assert (await client.get("/v1/ready")).status_code == 200
