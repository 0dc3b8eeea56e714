"""What the doctor says: of this machine as it is, of machines made of files, of an instance that is played."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from metaflow_doctor import disk, instance, interfaces, kernel, privileges
from metaflow_doctor.ports import listener
from metaflow_doctor.proc import Root

from metaflow_core.api import Examination, Finding, FindingState, Surroundings
from metaflow_core.hooks.examine import examine
from metaflow_core.hooks.host import PluginHost
from metaflow_core.hooks.markers import hookimpl
from metaflow_core.testing import free_port

RUNNING = {
    "components": [
        {"kind": "collector", "id": "cbpf", "state": "running", "message": ""},
        {"kind": "service", "id": "web", "state": "degraded", "message": "the pages were not built"},
        {"kind": "storage", "id": "clickhouse", "state": "failed", "message": "the disk is full"},
    ],
    "counters": [
        {"component": "collector.cbpf", "stage": "received", "reason": "", "unit": "packets", "value": 10},
        {"component": "collector.cbpf", "stage": "dropped", "reason": "kernel", "unit": "packets", "value": 3},
        {"component": "engine.flow", "stage": "decode", "reason": "packets", "unit": "packets", "value": 7},
        {"component": "engine.flow", "stage": "parser", "reason": "messages", "unit": "events", "value": 0},
    ],
}


def mflow(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "metaflow_core", "doctor", *arguments],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@contextmanager
def serving(answers: dict[str, Any], token: str = "") -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            allowed = not token or self.headers.get("authorization") == f"Bearer {token}"
            body = json.dumps(answers.get(self.path, {})).encode()
            self.send_response(200 if allowed else 401)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def states(found: list[Finding]) -> dict[str, FindingState]:
    return {each.subject: each.state for each in found}


def test_this_machine_as_it_is(tmp_path: Path) -> None:
    result = mflow("--json", "--data", str(tmp_path / "data"), "--port", str(free_port()))
    document = json.loads(result.stdout)
    names = {each["examination"] for each in document["findings"]}
    assert {
        "plugins",
        "kernel",
        "privileges",
        "interfaces",
        "ports",
        "disk and memory",
        "store",
        "running instance",
    } <= names
    assert result.returncode == (1 if document["counts"]["problem"] else 0), result.stdout
    for each in document["findings"]:
        if each["state"] in ("missing", "problem"):
            assert each["remedy"], f"{each} names no remedy"


def test_people_read_it_and_mistakes_are_usage_errors() -> None:
    result = mflow("--only", "kernel,privileges")
    assert result.stdout.startswith("Kernel\n")
    assert "CAP_NET_RAW" in result.stdout
    wrong = mflow("--only", "kernl")
    assert (wrong.returncode, "did you mean 'kernel'?" in wrong.stderr) == (2, True)


def test_a_port_that_is_taken_names_whose_it_is() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        import os

        assert f"process {os.getpid()} " in listener(port)
        result = mflow("--only", "ports", "--port", str(port))
    assert result.returncode == 1
    assert "PROBLEM" in result.stdout
    assert f"--port {port + 1}" in result.stdout


def test_an_old_kernel_without_anything(tmp_path: Path) -> None:
    found = states(list(kernel.read(Root(tmp_path), "4.19.0", "x86_64")))
    assert found == {"release": "missing", "BTF": "missing", "tracefs": "missing"}


def test_a_locked_down_kernel(tmp_path: Path) -> None:
    for name, text in (
        ("sys/kernel/btf/vmlinux", "x"),
        ("sys/kernel/tracing/events/x", ""),
        ("proc/sys/net/core/bpf_jit_enable", "0"),
        ("proc/sys/kernel/perf_event_paranoid", "3"),
        ("sys/kernel/security/lockdown", "none integrity [confidentiality]"),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    found = states(list(kernel.read(Root(tmp_path), "6.1.0", "x86_64")))
    assert found["lockdown"] == "missing"
    assert found["BPF JIT"] == "note"
    assert (found["BTF"], found["tracefs"]) == ("ok", "ok")


@pytest.mark.parametrize(
    ("held", "user", "release", "expected"),
    [
        ("0000000000000000", 1000, "6.1.0", {"CAP_NET_RAW": "missing", "CAP_BPF": "missing", "CAP_SYS_RESOURCE": "ok"}),
        (
            "0000000000002000",
            1000,
            "5.10.0",
            {"CAP_NET_RAW": "ok", "CAP_BPF": "missing", "CAP_SYS_RESOURCE": "missing"},
        ),
        ("0000000000200000", 0, "5.11.0", {"CAP_NET_RAW": "missing", "CAP_BPF": "ok", "CAP_PERFMON": "ok"}),
    ],
)
def test_capabilities_by_name(held: str, user: int, release: str, expected: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "proc/self/status"
    path.parent.mkdir(parents=True)
    path.write_text(f"Name:\tx\nCapEff:\t{held}\nSeccomp:\t2\n")
    found = list(privileges.read(Root(tmp_path), user, release))
    assert {name: state for name, state in states(found).items() if name in expected} == expected
    assert states(found)["seccomp"] == "note"
    remedy = next((each.remedy for each in found if each.subject == "CAP_NET_RAW" and each.remedy), "")
    if remedy:
        assert ("--cap-add NET_RAW" in remedy) == (user == 0)


def test_interfaces(tmp_path: Path) -> None:
    assert states(list(interfaces.read(Root(tmp_path))))["interfaces"] == "missing"
    for name, flags, count in (("eth0", "0x1003", "5"), ("lo", "0x9", "0"), ("eth1", "0x1002", "9")):
        folder = tmp_path / "sys/class/net" / name
        (folder / "statistics").mkdir(parents=True)
        (folder / "flags").write_text(flags)
        (folder / "statistics/rx_packets").write_text(count)
    assert states(list(interfaces.read(Root(tmp_path)))) == {"eth0": "ok", "lo": "note"}


def test_disk_that_is_full() -> None:
    assert disk.room(10, 10**12, "/x").state == "problem"
    assert disk.room(10**9, 10**12, "/x").state == "missing"
    assert disk.room(10**11, 10**12, "/x").state == "ok"


def test_an_instance_names_the_first_stage_at_zero() -> None:
    found = {each.subject: each for each in instance.read(RUNNING)}
    assert found["storage clickhouse"].state == "problem"
    assert found["service web"].state == "missing"
    assert found["packets decoded"].said == "7 packets"
    assert found["messages parsed"].state == "missing"
    assert "rows made" not in found, "what is behind a stage at zero is no news"
    assert found["collector.cbpf: dropped"].said == "3 packets (kernel)"


def test_asking_an_instance() -> None:
    with serving({"/v1/status": RUNNING}, token="geheim") as url:
        result = mflow("--only", "running instance", "--url", url, "--token", "geheim", "--json")
        assert result.returncode == 1
        assert {each["state"] for each in json.loads(result.stdout)["findings"]} >= {"ok", "problem", "missing"}
        refused = mflow("--only", "running instance", "--url", url)
        assert "METAFLOW_TOKEN" in refused.stdout
    with serving({"/v1/status": ["x"]}) as url:
        strange = mflow("--only", "running instance", "--url", url)
        assert (strange.returncode, "does not answer as MetaFlow does" in strange.stdout) == (1, True)
    gone = mflow("--only", "running instance", "--url", "http://127.0.0.1:9")
    assert (gone.returncode, "cannot be asked" in gone.stdout) == (1, True)


def test_a_plugin_adds_its_own_and_may_fail(tmp_path: Path) -> None:
    class Good:
        @hookimpl
        def metaflow_examinations(self) -> list[Examination]:
            def breaks(surroundings: Surroundings) -> list[Finding]:
                raise RuntimeError("no luck")

            fine = Finding(FindingState.OK, "licence", "there")
            return [Examination("mine", lambda surroundings: [fine]), Examination("luck", breaks)]

    class Wrong:
        @hookimpl
        def metaflow_examinations(self) -> list[object]:
            return ["x"]

    host = PluginHost()
    host.load(autoload=False, objects=[Good(), Wrong()])
    found = examine(host, Surroundings(data_dir=tmp_path))
    assert ("mine", "ok") in {(each.examination, each.finding.state.value) for each in found}
    broken = [each.finding.said for each in found if each.finding.state is FindingState.PROBLEM]
    assert any("no luck" in said for said in broken)
    assert any("may only return Examination" in said for said in broken)
