"""Agent and server are killed in turn while rows flow into an embedded ClickHouse: every spooled row is there, once.

``KILL_ROUNDS=100`` makes it longer.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

import metaflow_core as mf
from metaflow_core.testing import free_port

HERE = Path(__file__).parent
ROUNDS = int(os.environ.get("KILL_ROUNDS", "2"))
ROWS = 40

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("chdb") is None, reason="chdb is not installed; it is the store"),
]


@contextmanager
def life(*command: str, errors: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is killed at the end, whatever it does."""
    with errors.open("ab") as sink:
        process = subprocess.Popen([sys.executable, *command], stdout=sink, stderr=sink)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()


def numbers(log: Path, word: str) -> set[int]:
    lines = log.read_text().splitlines() if log.exists() else []
    return {int(line.split()[1]) for line in lines if line.startswith(f"{word} ")}


def wait_for(log: Path, word: str, many: int, process: subprocess.Popen[bytes]) -> None:
    """Until ``many`` more lines begin with a word."""
    before = log.read_text().count(f"{word} ")
    deadline = time.monotonic() + 180
    while log.read_text().count(f"{word} ") < before + many:
        assert process.poll() is None, f"it ended by itself with {process.returncode}"
        assert time.monotonic() < deadline, f"nothing more is {word}"
        time.sleep(0.01)


async def counts(folder: Path) -> dict[int, int]:
    """How often each row is in the store."""
    config = {
        "version": 1, "storages": {"clickhouse": {"path": str(folder)}}, "dialects": {"sql": {}},
        "pipelines": {}, "service": {"data_dir": str(folder.parent / "reader")},
    }  # fmt: skip
    async with mf.App(config, autoload=True) as app:
        text = "SELECT flow_id, Count(row) AS n FROM l7_message GROUP BY flow_id LIMIT 100000000"
        table = (await app.query("sql", text, db="flow_log", max_rows=100_000_000)).table
    return dict(zip(table.column("flow_id").to_pylist(), table.column("n").to_pylist(), strict=True))


async def test_every_spooled_row_is_stored_once(tmp_path: Path) -> None:
    port = free_port()
    address, log, errors, store = f"127.0.0.1:{port}", tmp_path / "log", tmp_path / "errors", tmp_path / "store"
    config = tmp_path / "server.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "version": 1,
                "collectors": {"metaflow": {"listen": address}},
                "storages": {"clickhouse": {"path": str(store), "linger_ms": 0, "retention": "forever"}},
                # what an agent waits for waits itself for more, as with mflow server
                "pipelines": {
                    "agents": {
                        "collectors": ["metaflow"],
                        "storages": ["clickhouse"],
                        "gather": {"wait_s": 5, "held_s": 0.3},
                    }
                },
                "service": {"data_dir": str(tmp_path / "server")},
            }
        )
    )
    server_command = ("-m", "metaflow_core", "run", str(config))
    agent_command = (str(HERE / "agent_process.py"), str(tmp_path / "agent"), address, str(log))
    chance = random.Random(11)
    log.touch()

    def agent(many: int) -> tuple[str, ...]:
        first = max(numbers(log, "sent"), default=-1) + 1
        return (*agent_command, str(first), str(first + many))

    for turn in range(ROUNDS):
        with life(*server_command, errors=errors) as server, life(*agent(1_000_000), errors=errors) as sender:
            # killed in the midst of work: rows are being stored and answered
            wait_for(log, "acknowledged", chance.randint(1, 40), sender)
            await asyncio.sleep(chance.uniform(0, 0.2))
            # the server in one round, the agent in the next; the other goes on
            victim = sender if turn % 2 else server
            victim.send_signal(signal.SIGKILL)
            victim.wait()
            if victim is server:
                wait_for(log, "spooled", chance.randint(20, 100), sender)
            else:
                with life(*agent(1_000_000), errors=errors) as second:
                    wait_for(log, "spooled", chance.randint(20, 100), second)
    with life(*server_command, errors=errors) as server:
        with life(*agent(0), errors=errors) as last:
            assert last.wait(240) == 0, errors.read_text()[-3000:]
        server.send_signal(signal.SIGTERM)
        assert server.wait(120) == 0, errors.read_text()[-3000:]
    sent, spooled = numbers(log, "sent"), numbers(log, "spooled")
    assert len(spooled) >= 20 * ROUNDS
    found = await counts(store)
    twice = {row: times for row, times in found.items() if times != 1}
    assert not twice, f"stored more than once: {sorted(twice)[:10]}"
    stored = {row // 1_000_000 for row in found}
    assert spooled <= stored, f"lost: {sorted(spooled - stored)[:10]}"
    assert stored <= sent
    assert len(found) == len(stored) * ROWS, "a batch is there as a whole or not at all"
    assert "Traceback" not in errors.read_text()
