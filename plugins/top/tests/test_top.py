"""The terminal's views of a real instance: in plain text, in Textual's test driver, and in a real terminal (tmux)."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from metaflow_top.app import TopApp
from metaflow_top.child import Child
from metaflow_top.clockwork import shown
from metaflow_top.flows import fold
from metaflow_top.server import Server, base_url
from metaflow_top.text import clean
from metaflow_top.views import VIEWS
from textual.widgets import DataTable, Static

from metaflow_core.errors import InputError, QueryError, UnavailableError


def mflow(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "metaflow_core", "top", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_once_prints_what_the_shop_did(instance: Server) -> None:
    result = mflow("--url", instance.url)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].startswith("services, nothing new since")
    redis = next(line for line in lines if "127.0.0.1:16379" in line)
    assert redis.split()[1:3] == ["Redis", "42"]
    assert "24 (57.1 %)" in redis


def test_json_and_conditions(instance: Server) -> None:
    result = mflow("--url", instance.url, "--view", "requests", "--where", "response_status = 'server_error'", "--json")
    document = json.loads(result.stdout)
    assert {row["status"] for row in document["rows"]} == {"server_error"}
    wrong = mflow("--url", instance.url, "--where", "endpont = 'x'", "--once")
    assert (wrong.returncode, "did you mean" in wrong.stderr) == (1, True)


def test_a_flow_that_is_told_each_minute_and_at_its_end_is_one_row() -> None:
    end = {
        "flow_id": 7,
        "start_time": "12:20:55.4",
        "end_time": "12:20:55.4",
        "close_type": "finish",
        "l7_protocol": "DNS",
        "packet": 0,
    }
    minute = {**end, "start_time": "12:20:55.3", "close_type": "forced_report", "l7_protocol": "Unknown", "packet": 2}
    other = {**end, "flow_id": 8, "packet": 1}
    for rows in ([end, other, minute], [minute, other, end]):
        one, two = fold(rows)
        assert (one["packet"], one["close_type"], one["l7_protocol"]) == (2, "finish", "DNS")
        assert one["start_time"] == "12:20:55.3"
        assert two["packet"] == 1


def test_every_view_has_rows(instance: Server) -> None:
    span = shown(instance, 60).span
    found = {view.name: view.lines(instance, span, "") for view in VIEWS}
    assert {name: bool(lines) for name, lines in found.items()} == dict.fromkeys(found, True)
    assert len(found["requests"]) == 136
    assert any(line.is_bad for line in found["services"])
    assert {line.cells[0] for line in found["edges"]} == {"127.0.0.1"}


def test_mistakes() -> None:
    gone = mflow("--url", "http://127.0.0.1:9", "--once")
    assert (gone.returncode, "is mflow up running there?" in gone.stderr) == (1, True)
    assert mflow("--url", "http://127.0.0.1:9", "--pcap", "x").returncode == 2
    with pytest.raises(InputError, match="is no address such as"):
        base_url("ftp://x")
    with (
        pytest.raises(UnavailableError, match="there is no such file|cannot be read|No such file"),
        Child(["--pcap", "/nowhere"]),
    ):
        pass


def test_a_condition_that_is_wrong_is_a_sentence(instance: Server) -> None:
    with pytest.raises(QueryError):
        VIEWS[0].lines(instance, shown(instance, 60).span, "((")


async def test_keys(instance: Server) -> None:
    app = TopApp(instance, every_s=0.5)
    async with app.run_test(size=(140, 40)) as pilot:
        await rows(app, pilot, 5)
        table = app.query_one(DataTable)
        assert str(table.get_cell_at((0, 0))) == "127.0.0.1:16379"
        await pilot.press("r")
        assert str(table.get_cell_at((0, 2))) == "6"
        await pilot.press("2")
        await rows(app, pilot, 136)
        await pilot.press("slash", *"broken", "enter")
        await rows(app, pilot, 4)
        await pilot.press("escape", "5")
        await rows(app, pilot, 10, at_least=True)
        await pilot.press("4")
        await rows(app, pilot, 5)
        await pilot.press("p")
        assert "PAUSED" in str(app.query_one("#state", Static).content)
        await pilot.press("plus", "minus", "s", "S", "q")
    assert app.return_code == 0


async def rows(app: TopApp, pilot: Any, count: int, *, at_least: bool = False) -> None:
    table = app.query_one(DataTable)
    for _ in range(200):
        if table.row_count == count or (at_least and table.row_count >= count):
            return
        await pilot.pause(0.1)
    raise AssertionError(f"{table.row_count} rows instead of {count}: {app.query_one('#state', Static).content}")


async def test_a_server_that_goes_away_is_said_and_nothing_ends() -> None:
    app = TopApp(Server("http://127.0.0.1:9"), every_s=0.2)
    async with app.run_test(size=(120, 30)) as pilot:
        for _ in range(100):
            if "cannot be asked" in str(app.query_one("#state", Static).content):
                break
            await pilot.pause(0.1)
        assert "cannot be asked" in str(app.query_one("#state", Static).content)
        await pilot.press("q")


def test_in_a_real_terminal(instance: Server, tmp_path: Path) -> None:
    tmux = shutil.which("tmux")
    if tmux is None:
        pytest.skip("tmux is missing; run: apt-get install tmux")
    call = [tmux, "-S", str(tmp_path / "socket")]
    command = shlex.join([sys.executable, "-m", "metaflow_core", "top", "--url", instance.url, "--every", "0.5"])
    subprocess.run([*call, "new-session", "-d", "-s", "top", "-x", "150", "-y", "40", command], check=True, timeout=20)
    try:
        assert "16379" in until(call, "127.0.0.1:16379")
        subprocess.run([*call, "send-keys", "-t", "top", "2"], check=True, timeout=20)
        assert "GET /cart/1" in until(call, "GET /cart/1")
        subprocess.run([*call, "send-keys", "-t", "top", "3"], check=True, timeout=20)
        assert "client" in until(call, "client ")
        subprocess.run([*call, "send-keys", "-t", "top", "q"], check=True, timeout=20)
        for _ in range(100):
            if subprocess.run([*call, "has-session", "-t", "top"], capture_output=True, check=False).returncode:
                break
            time.sleep(0.1)
        else:
            raise AssertionError("q did not end it")
    finally:
        # the server of this very socket; ours alone
        subprocess.run([*call, "kill-server"], capture_output=True, check=False, timeout=20)


def until(call: list[str], wanted: str) -> str:
    shown_ = ""
    for _ in range(300):
        shown_ = subprocess.run(
            [*call, "capture-pane", "-p", "-t", "top"], capture_output=True, text=True, check=False
        ).stdout
        if wanted in shown_:
            return shown_
        time.sleep(0.1)
    raise AssertionError(f"{wanted!r} does not appear in:\n{shown_}")


def test_hostile_names_move_no_cursor() -> None:
    assert clean("a\x1b[2Jb\nc\u202e", 80) == "a·[2Jb·c·"
    assert clean("x" * 200, 10) == "xxxxxxxxx…"
    assert clean(None) == ""
