"""nghttpd, nghttp, h2load and curl on loopback, a real capture: the rows are what the clients asked and were told."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import metaflow_parser_http2.plugin
import pytest

from metaflow_core.testing import free_port, peers_missing, replay, running

PROGRAMS = ("nghttpd", "nghttpx", "nghttp", "h2load", "curl", "tcpdump", "tshark")


NEEDS = peers_missing(*PROGRAMS, root=True)
pytestmark = [pytest.mark.peer, pytest.mark.root, pytest.mark.skipif(bool(NEEDS), reason=NEEDS)]


def _run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def _rows(capture: Path) -> list[Mapping[str, Any]]:
    """The rows, read with this parser whether or not it is installed."""
    installed = {point.name for point in entry_points(group="metaflow.plugins.v1")}
    plugins = [] if "parser-http2" in installed else [metaflow_parser_http2.plugin]
    return replay(capture, parsers=["http", "http2"], plugins=plugins)


def _told(rows: Iterable[Mapping[str, Any]]) -> Counter[tuple[str, str, int]]:
    return Counter((row["request_type"], row["request_resource"], row["response_code"]) for row in rows)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Two files and one that is not there."""
    folder = tmp_path / "www"
    folder.mkdir()
    (folder / "small.txt").write_text("small\n")
    # A body with what looks like frames and heads.
    (folder / "big.bin").write_bytes(
        bytes(range(256)) * 2000 + b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" * 50 + bytes(100_000)
    )
    return folder


def test_rows_are_what_clients_asked(site: Path, port: int, recorded: Any, tshark: Any) -> None:
    """Every request of four clients is one paired row with the code that its client printed."""
    base = f"http://127.0.0.1:{port}"
    expected: Counter[tuple[str, str, int]] = Counter()
    with running("nghttpd", "--no-tls", "-d", str(site), "-b", "16", "--trailer", "x-sum: 1", str(port)) as server:
        server.wait_for(port)
        with recorded(port) as capture:
            for number in range(5):
                paths = [f"/small.txt?n={number}", f"/big.bin?n={number}", f"/none?n={number}"]
                # One curl a path: curl 7.88 cannot use a connection of prior knowledge again.
                curl = (
                    "curl",
                    "-s",
                    "--http2-prior-knowledge",
                    "-w",
                    "%{http_code}",
                    "-H",
                    f"x-request-id: r-{number}",
                )
                codes = [int(_run(*curl, "-o", "/dev/null", base + path)) for path in paths]
                assert codes == [200, 200, 404]
                expected.update(zip(["GET"] * 3, paths, codes, strict=True))
            _run("curl", "-s", "--http2-prior-knowledge", "-I", f"{base}/small.txt?head")
            expected["HEAD", "/small.txt?head", 200] += 1
            # CONTINUATION frames, padding, many streams at once.
            _run("nghttp", "-n", "-m", "50", "--continuation", "-b", "100", f"{base}/small.txt?many")
            expected["GET", "/small.txt?many", 200] += 50
            _run("nghttp", "-n", "-m", "7", "-c", "65536", "--encoder-header-table-size=0", f"{base}/big.bin?table")
            expected["GET", "/big.bin?table", 200] += 7
            load = _run(
                "h2load", "-n", "3000", "-c", "5", "-m", "20", "-p", "h2c", "-H", "x-a: b", f"{base}/small.txt?load"
            )
            assert "3000 2xx" in load
            expected["GET", "/small.txt?load", 200] += 3000
    rows = _rows(capture)
    assert {row["type"] for row in rows} == {"session"}
    assert _told(rows) == expected
    assert {row["l7_protocol"] for row in rows} == {"HTTP2"}
    assert {row["response_exception"] for row in rows if row["response_code"] == 404} == {"Not Found"}
    assert sum(row["x_request_id_0"].startswith("r-") for row in rows) == 15
    seen = tshark(capture, port, "http2.headers.path", "http2.headers.status")
    asked = Counter(path for packet in seen for path in packet.get("http2.headers.path", []))
    answered = Counter(int(code) for packet in seen for code in packet.get("http2.headers.status", []))
    assert asked == Counter(row["request_resource"] for row in rows)
    assert answered == Counter(row["response_code"] for row in rows)


def test_an_upgrade_is_followed(site: Path, tmp_path: Path, port: int, recorded: Any) -> None:
    """HTTP/1.1 asks, a 101 answers, and HTTP/2 goes on where it stopped."""
    behind = free_port()
    base = f"http://127.0.0.1:{port}"
    front = f"--frontend=127.0.0.1,{port};no-tls", f"--backend=127.0.0.1,{behind};;proto=h2"
    with (
        running("nghttpd", "--no-tls", "-d", str(site), str(behind)),
        running("nghttpx", "--conf=/dev/null", "--single-process", f"--pid-file={tmp_path}/pid", *front) as proxy,
    ):
        proxy.wait_for(port)
        with recorded(port) as capture:
            _run("nghttp", "-n", "-u", "-m", "3", f"{base}/small.txt")
            _run("curl", "-s", "--http2", "-o", "/dev/null", f"{base}/small.txt?1", "-o", "/dev/null", f"{base}/none")
    rows = _rows(capture)
    asked = Counter((row["l7_protocol"], row["type"], row["request_resource"], row["response_code"]) for row in rows)
    assert asked == Counter(
        {
            ("HTTP", "session", "/small.txt", 101): 1,
            ("HTTP", "session", "/small.txt?1", 101): 1,
            # What HTTP/1.1 asked is answered on stream 1.
            ("HTTP2", "response", "", 200): 2,
            ("HTTP2", "session", "/small.txt", 200): 2,
            ("HTTP2", "session", "/none", 404): 1,
        }
    )


def test_a_push_is_a_request_of_its_own(site: Path, port: int, recorded: Any) -> None:
    """The server promises a file and sends it."""
    with running("nghttpd", "--no-tls", "-d", str(site), "-p", "/small.txt=/big.bin", str(port)) as server:
        server.wait_for(port)
        with recorded(port) as capture:
            _run("nghttp", "-n", f"http://127.0.0.1:{port}/small.txt")
    rows = _rows(capture)
    assert _told(rows) == Counter({("GET", "/small.txt", 200): 1, ("GET", "/big.bin", 200): 1})
    assert {row["type"] for row in rows} == {"session"}
