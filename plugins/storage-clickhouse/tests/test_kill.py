"""A process that stores is killed again and again: what was acknowledged is there, once; rollups agree with what they are made from."""

from __future__ import annotations

import importlib.util
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from metaflow_core.model.expression import Ref
from metaflow_core.query import Aggregate, Fold, Named, Scan

HERE = Path(__file__).parent
ROUNDS = int(os.environ.get("KILL_ROUNDS", "4"))


def _batch(number: int) -> Any:
    spec = importlib.util.spec_from_file_location("writer_process", HERE / "writer_process.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.batch(number)


def _numbers(log: Path, word: str) -> set[int]:
    return {int(line.split()[1]) for line in log.read_text().splitlines() if line.startswith(word + " ")}


def _run(directory: Path, log: Path, batches: int, wait_s: float = 0.0, wrapper: tuple[str, ...] = ()) -> None:
    """One life of the writer, ended by SIGKILL some time after so many acknowledged batches, or earlier by the wrapper."""
    log.touch()
    before = len(_numbers(log, "stored"))
    first = max(_numbers(log, "sent"), default=-1) + 1
    command = [*wrapper, sys.executable, str(HERE / "writer_process.py"), str(directory), str(log), str(first)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
    try:
        deadline = time.monotonic() + 600
        while process.poll() is None and len(_numbers(log, "stored")) < before + batches:
            assert time.monotonic() < deadline, "the writer stores nothing"
            time.sleep(0.01)
        time.sleep(wait_s)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        _, errors = process.communicate()
    assert process.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL), errors.decode()[-2000:]


def _check(store: Any, log: Path) -> None:
    counted = Aggregate(
        Scan("flow_metrics.application.1m"),
        (Named("number", Ref("pod_id")),),
        (Fold("n", "count"), Fold("different", "uniq_exact", Ref("gprocess_id"))),
    )
    found = {row["number"]: row for row in store.query(counted).to_pylist()}
    sent, kept = _numbers(log, "sent"), _numbers(log, "stored")
    assert kept
    assert found.keys() <= sent
    assert kept <= found.keys(), f"lost: {sorted(kept - found.keys())}"
    for number, row in found.items():
        rows = _batch(number).data.num_rows
        if number in kept:
            assert (row["n"], row["different"]) == (rows, rows), f"batch {number} of {rows} rows: {row}"
    total = sum(row["n"] for row in found.values())
    for precision in ("1h", "1d"):
        rolled = store.query(
            Aggregate(
                Scan(f"flow_metrics.application.{precision}"),
                (Named("p", Ref("pod_id")),),
                (Fold("x", "sum", Ref("request")),),
            )
        ).to_pylist()
        assert sum(row["x"] for row in rolled) == total, precision
        assert {row["p"]: row["x"] for row in rolled} == {number: row["n"] for number, row in found.items()}


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_and_nothing_is_stored_twice(
    tmp_path: Path, templates: Any, stores: Callable[..., Any]
) -> None:
    templates.copy(tmp_path, "forever")
    log = tmp_path / "log"
    chance = random.Random(4)
    for _ in range(ROUNDS):
        _run(tmp_path, log, chance.randint(1, 12), chance.uniform(0, 0.1))
    opened = stores(retention="forever")
    _check(opened, log)
    # What the last life left unacknowledged is sent again, as its spool would.
    again = _numbers(log, "sent") - _numbers(log, "stored")
    for number in again:
        each = _batch(number)
        opened.write(each.table, each.data, each.batch_id)
    with log.open("a") as out:
        out.writelines(f"stored {number}\n" for number in again)
    _check(opened, log)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed; it kills at a chosen system call")
@pytest.mark.parametrize("nth", [3, 14])
def test_killed_while_parts_are_put_in_place(
    tmp_path: Path, templates: Any, stores: Callable[..., Any], nth: int
) -> None:
    """Parts become visible by a rename. A kill between two of them leaves a batch in some partitions, or a table without its rollup."""
    templates.copy(tmp_path, "forever")
    log = tmp_path / "log"
    _run(tmp_path, log, 3)
    before = len(_numbers(log, "stored"))
    inject = (
        "strace",
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=rename,renameat,renameat2",
        "-e",
        f"inject=rename,renameat,renameat2:signal=KILL:when={40 + nth}",
    )
    _run(tmp_path, log, 1_000_000, wrapper=inject)
    _run(tmp_path, log, 3)
    assert len(_numbers(log, "stored")) > before
    _check(stores(retention="forever"), log)
