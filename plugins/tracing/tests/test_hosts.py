"""Captures of several hosts: namespaces with an address and a clock of their own each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from programs import APPS

from metaflow_core.cli.root import run_cli

pytestmark = pytest.mark.root

PREFIX = f"mft{os.getpid() % 10000}"
FRONT, MIDDLE, BACK = 8001, 8002, 8003


def run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no network namespaces here: {' '.join(words)}: {done.stderr.strip()}")


def shift(source: Path, target: Path, seconds: float) -> None:
    """The capture as a host with another clock would have made it (pcap file format, little-endian microseconds)."""
    data = bytearray(source.read_bytes())
    at = 24
    while at + 16 <= len(data):
        moment = int.from_bytes(data[at : at + 4], "little") * 10**6 + int.from_bytes(data[at + 4 : at + 8], "little")
        moment += int(seconds * 1e6)
        data[at : at + 4] = (moment // 10**6).to_bytes(4, "little")
        data[at + 4 : at + 8] = (moment % 10**6).to_bytes(4, "little")
        at += 16 + int.from_bytes(data[at + 8 : at + 12], "little")
    target.write_bytes(data)


HOST = """
import sys, http.client
sys.argv = ["tier.py", {headers!r}]
source = open({path!r}).read()
source = source.replace('("127.0.0.1", PORT)', '("0.0.0.0", {port})').replace('"127.0.0.1", port', '"10.79.0.%d" % (port - 8000 + 1), port')
source = source.replace("BEHIND = sys.argv[1], [int(port) for port in sys.argv[2:]]", "BEHIND = sys.argv[1], {behind!r}")
exec(compile(source, {path!r}, "exec"))
"""


@pytest.fixture(scope="module")
def captures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    """Client, front, middle and back on four hosts behind one bridge; each captures its own interface. Two clocks are wrong."""
    folder = tmp_path_factory.mktemp("hosts")
    bridge = f"{PREFIX}b"
    names = [f"{PREFIX}{number}" for number in range(1, 5)]
    with ExitStack() as stack:
        for name in names:
            stack.callback(subprocess.run, ["ip", "netns", "del", name], capture_output=True, check=False)
        stack.callback(subprocess.run, ["ip", "link", "del", bridge], capture_output=True, check=False)
        run("ip", "link", "add", bridge, "type", "bridge")
        run("ip", "link", "set", bridge, "up")
        for number, name in enumerate(names, start=1):
            run("ip", "netns", "add", name)
            run("ip", "link", "add", f"{PREFIX}v{number}", "type", "veth", "peer", "name", "eth0", "netns", name)
            run("ip", "link", "set", f"{PREFIX}v{number}", "master", bridge, "up")
            run("ip", "-n", name, "addr", "add", f"10.79.0.{number}/24", "dev", "eth0")
            run("ip", "-n", name, "link", "set", "eth0", "up")
            run("ip", "-n", name, "link", "set", "lo", "up")
        dumps = []
        for number, name in enumerate(names, start=1):
            words = [
                "ip",
                "netns",
                "exec",
                name,
                "tcpdump",
                "-i",
                "eth0",
                "--immediate-mode",
                "-U",
                "-Z",
                "root",
                "-w",
                str(folder / f"{number}.raw"),
                "tcp",
            ]
            dump = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
            stack.callback(dump.kill)
            assert dump.stderr is not None
            if not any("listening on" in line for line in dump.stderr):
                pytest.skip("tcpdump does not start here")
            dumps.append(dump)
        for name, port, behind in ((names[1], FRONT, [MIDDLE, BACK]), (names[2], MIDDLE, [BACK]), (names[3], BACK, [])):
            text = HOST.format(headers="b3", path=str(APPS / "tier.py"), port=port, behind=behind)
            tier = subprocess.Popen(
                ["ip", "netns", "exec", name, sys.executable, "-c", text], stdout=subprocess.PIPE, text=True
            )
            stack.callback(tier.kill)
            assert tier.stdout is not None
            assert tier.stdout.readline().strip() == str(port)
        client = "import sys; sys.path.insert(0, {!r})\nfrom programs import ask\nfor n in range(5): ask(8001, n, 'b3', '10.79.0.2')"
        done = subprocess.run(
            ["ip", "netns", "exec", names[0], sys.executable, "-c", client.format(str(APPS.parent))],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        time.sleep(1)
        for dump in dumps:
            dump.send_signal(2)
            dump.wait(20)
        found = []
        for number, seconds in enumerate((0.0, 0.0, 7.5, -3.25), start=1):
            shift(folder / f"{number}.raw", folder / f"host{number}.pcap", seconds)
            found.append(folder / f"host{number}.pcap")
        yield found


def test_traces_across_hosts(captures: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    """Four captures, two of them by clocks that are seconds off: five whole traces, every row in its place, the clocks found."""
    assert run_cli(["read", *map(str, captures), "--traces", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["traces"]
    assert len(listed) == 5
    assert all(each["root_count"] == 1 and each["hop_count"] == 4 and each["span_count"] == 8 for each in listed)
    words = [word for path in captures for word in ("--file", str(path))]
    assert run_cli(["trace", listed[0]["trace_ids"][0], *words, "--json"]) == 0
    whole = json.loads(capsys.readouterr().out)
    by_clock = {clock["name"]: clock for clock in whole["clocks"]}
    # within what the way between the hosts leaves open
    assert abs(by_clock["agent 3"]["offset_us"] + 7_500_000) < 50_000
    assert abs(by_clock["agent 4"]["offset_us"] - 3_250_000) < 50_000
    spans = {span["id"]: span for span in whole["spans"]}
    for span in whole["spans"]:
        if span["parent_id"] is None:
            continue
        above = spans[span["parent_id"]]
        if span["edge"]["relation"] == "same":
            # the client's host first, then the server's
            assert above["agent_id"] == int(span["client"]["ip"].split(".")[-1])
            assert span["agent_id"] == int(span["server"]["ip"].split(".")[-1])
        else:
            assert span["client"]["ip"] == above["server"]["ip"]
        assert above["start_us"] - 1000 <= span["start_us"]
        assert span["end_us"] <= above["end_us"] + 1000


def test_words_for_people(captures: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    """The waterfall and the evidence of it."""
    words = [word for path in captures for word in ("--file", str(path))]
    assert run_cli(["read", *map(str, captures), "--traces"]) == 0
    said = capsys.readouterr().out
    assert "GET /work" in said
    name = f"{1:032x}"
    assert run_cli(["trace", name, *words]) == 0
    said = capsys.readouterr().out
    assert "who spent the time" in said
    assert "Clock of agent 3: -7" in said
    assert "█" in said
    assert run_cli(["explain", "trace", name, *words]) == 0
    said = capsys.readouterr().out
    assert "was caused by" in said
    assert "is the same message as" in said
    assert "5-tuple" in said
    assert "rule span_id, 99% sure" in said
    assert run_cli(["trace", "beef", *words]) == 1
    assert "no row has the trace id" in capsys.readouterr().err
