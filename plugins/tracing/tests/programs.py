"""Starts programs and stops them by their process ids; clients that ask them."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

APPS = Path(__file__).parent / "apps"


@contextmanager
def program(words: Sequence[str], port: int = 0) -> Iterator[subprocess.Popen[str]]:
    """A program that says a line when it is ready, and listens on a port or on any."""
    process = subprocess.Popen(list(words), stdout=subprocess.PIPE, text=True, env={**os.environ, "PORT": str(port)})
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)
        if process.stdout:
            process.stdout.close()


def made_of_go(folder: Path) -> str:
    """The Go tier, stripped as programs are delivered."""
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        pytest.skip("go is not installed (Debian: golang-go)")
    out = str(folder / "gotier")
    words = [go, "build", "-ldflags", "-s -w", "-o", out, str(APPS / "gotier.go")]
    subprocess.run(words, check=True, timeout=600, env={**os.environ, "GO111MODULE": "off"})
    return out


def _tier(stack: ExitStack, app: str, headers: str, behind: Sequence[int]) -> int:
    words = [sys.executable, str(APPS / app)] if app.endswith(".py") else [app]
    process = stack.enter_context(program([*words, headers, *map(str, behind)]))
    assert process.stdout is not None
    return int(process.stdout.readline())


@contextmanager
def three_tiers(app: str, headers: str) -> Iterator[tuple[int, int, int]]:
    """Front, middle, back: the front asks the middle and the back, the middle asks the back."""
    with ExitStack() as stack:
        back = _tier(stack, app, headers, [])
        middle = _tier(stack, app, headers, [back])
        front = _tier(stack, app, headers, [middle, back])
        yield front, middle, back


def ask(port: int, number: int, headers: str, host: str = "127.0.0.1") -> None:
    """One request with a path of its own."""
    trace, span = f"{number + 1:032x}", os.urandom(8).hex()
    extra = {
        "none": {},
        "traceparent": {"traceparent": f"00-{trace}-{span}-01"},
        "b3": {"X-B3-TraceId": trace, "X-B3-SpanId": span},
        "x-request-id": {"X-Request-ID": f"request-{number}"},
    }[headers]
    connection = http.client.HTTPConnection(host, port, timeout=20)
    connection.request("GET", f"/work/n{number}", headers=extra)
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200, answer.status
    connection.close()


def ask_all(port: int, clients: int, each: int, headers: str, host: str = "127.0.0.1") -> int:
    """Many clients at once; returns how many requests there were."""
    failed: list[BaseException] = []

    def run(client: int) -> None:
        try:
            for number in range(each):
                ask(port, client * each + number, headers, host)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(client,)) for client in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed, failed[0]
    return clients * each
