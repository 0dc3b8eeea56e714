"""Real processes and sockets of this machine on rows; and what the kernel's texts say, from examples of many systems."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from metaflow_tagger_process.cgroups import Owner, owner_of
from metaflow_tagger_process.config import ProcessTaggerConfig
from metaflow_tagger_process.endpoints import Endpoints
from metaflow_tagger_process.lives import Lives
from metaflow_tagger_process.naming import masked, program_name
from metaflow_tagger_process.numbers import Numbers
from metaflow_tagger_process.plugin import metaflow_taggers
from metaflow_tagger_process.processes import Process, read_process
from metaflow_tagger_process.ruling import Ruling
from metaflow_tagger_process.sampler import Sampler
from metaflow_tagger_process.sockets import Socket, local_addresses, read_tables
from metaflow_tagger_process.tagger import ProcessTagger

from metaflow_core.api import Kind, RecordBatch
from metaflow_core.model.catalog import load_catalog
from metaflow_core.model.catalog.arrow import arrow_type
from metaflow_core.testing import TaggerContract, build_context, plain_rows

FACTORY = next(iter(metaflow_taggers()))
CATALOG = load_catalog()
FLOWS = "flow_log.l7_flow_log"
ID = "ab" * 32
POD = "0a1b2c3d-1111-2222-3333-444455556666"
if not Path("/proc/self/stat").exists():
    pytest.skip("processes are read from /proc, which this system does not have", allow_module_level=True)


class TestContract(TaggerContract):
    factory = FACTORY


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"0::/system.slice/docker-{ID}.scope\n", Owner(ID, "docker")),
        (f"12:pids:/docker/{ID}\n1:name=systemd:/docker/{ID}\n0::/\n", Owner(ID, "docker")),
        (
            f"0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{POD.replace('-', '_')}.slice/cri-containerd-{ID}.scope\n",
            Owner(ID, "containerd", POD),
        ),
        (f"3:cpu:/kubepods/burstable/pod{POD}/{ID}\n", Owner(ID, "containerd", POD)),
        (f"0::/kubepods.slice/kubepods-pod{POD.replace('-', '_')}.slice/crio-{ID}.scope\n", Owner(ID, "cri-o", POD)),
        (f"0::/machine.slice/libpod-{ID}.scope/container\n", Owner(ID, "podman")),
        ("0::/lxc.payload.web/init.scope\n", Owner("web", "lxc")),
        ("0::/system.slice/nginx.service\n", Owner(unit="nginx.service")),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/editor.service\n", Owner(unit="editor.service")),
        ("1:name=systemd:/system.slice/ssh.service\n0::/\n", Owner(unit="ssh.service")),
        ("0::/\n", Owner()),
        ("garbage\n::::\n", Owner()),
        ("", Owner()),
    ],
)
def test_control_groups(text: str, expected: Owner) -> None:
    assert owner_of(text) == expected


@pytest.mark.parametrize(
    ("kernel", "program", "arguments", "expected"),
    [
        ("nginx", "nginx", ["nginx: worker process"], "nginx"),
        ("python3", "python3.11", ["python3", "-X", "dev", "/srv/shop/web.py", "--port", "1"], "web.py"),
        ("python3", "python3.11", ["python3", "-m", "http.server"], "http.server"),
        ("python3", "python3.11", ["python3", "-c", "print()"], "python3.11"),
        ("java", "java", ["java", "-Xmx1g", "-cp", "a:b", "org.shop.Main", "x"], "Main"),
        ("java", "java", ["java", "-jar", "/opt/shop.jar"], "shop.jar"),
        ("node", "node", ["node", "--inspect", "server.js"], "server.js"),
        (
            "java",
            "java",
            ["java", "--add-opens", "java.base/java.lang=ALL-UNNAMED", "-m", "shop/org.shop.Main"],
            "Main",
        ),
        ("redis-server", "redis-check-rdb", ["/usr/bin/redis-server 127.0.0.1:6379"], "redis-server"),
        ("redis-server", "redis-check-rdb", ["redis-server *:6379"], "redis-server"),
        ("httpd", "busybox", ["httpd", "-f"], "httpd"),
        ("sh", "dash", ["sh", "-c", "true"], "dash"),
        ("postgres", "postgres", ["postgres: shop shop 127.0.0.1(40000) idle"], "postgres"),
        ("gunicorn", "python3.11", ["/usr/bin/python3", "/usr/bin/gunicorn", "-w", "4", "shop:app"], "gunicorn"),
        ("gunicorn: worke", "python3.11", ["gunicorn: worker [shop:app]"], "gunicorn"),
        ("python3", "python3.11", ["python3", "-m", "uvicorn", "shop:app", "--workers", "2"], "uvicorn"),
        ("worker-thread", "server", ["/opt/server", "--port", "1"], "server"),
        ("kworker/0:1", "", [], "kworker/0:1"),
        ("gone", "gone (deleted)", ["gone", "-v"], "gone"),
        ("agent", "memfd:sealed-1 (deleted)", ["agent"], "agent"),
        ("node", "node", [], "node"),
    ],
)
def test_names(kernel: str, program: str, arguments: list[str], expected: str) -> None:
    assert program_name(kernel, program, arguments) == expected


def test_rules_name_and_tag() -> None:
    rules = [
        {"match": "^shop-(\\w+)$", "name": "\\1", "tags": {"app": "shop", "part": "\\1"}},
        {"match": "shop", "of": "unit", "tags": {"app": "other", "team": "blue"}},
        {"match": "supervisor", "of": "parent", "name": "never"},
    ]
    ruling = Ruling(ProcessTaggerConfig.model_validate({"rules": rules}).rules)
    found = ruling.apply(
        replace(process(name="shop-cart"), owner=Owner(unit="shop.service")), process(name="supervisord")
    )
    assert (found.name, dict(found.tags)) == ("cart", {"app": "shop", "part": "cart", "team": "blue"})
    assert ruling.apply(process(), process(name="supervisord")).name == "never"
    assert ruling.apply(process(), None) == process()
    with pytest.raises(ValueError, match="no regular expression"):
        ProcessTaggerConfig.model_validate({"rules": [{"match": "("}]})
    numbers = Numbers("host", 10, lambda _: ())
    numbers.process(found)
    [tags] = [
        json.loads(text)
        for item in numbers.names(0)[1]
        if item.dictionary == "process_tag"
        for text in item.names.values()
    ]
    assert (tags["app"], tags["name"]) == ("shop", "cart")


WORKERS = """
import multiprocessing, time
if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    worker = multiprocessing.Process(target=time.sleep, args=(60,), daemon=True); worker.start()
    print(worker.pid, flush=True); time.sleep(60)
"""


def test_workers_go_by_the_name_of_who_made_them(tmp_path: Path) -> None:
    program = tmp_path / "shop.py"
    program.write_text(WORKERS)
    parent = subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE)
    try:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        sampler = Sampler(ProcessTaggerConfig(sockets=False), build_context(Kind.TAGGER, "process").counters)
        end = time.monotonic() + 10
        while time.monotonic() < end:
            sampler.look()
            if sampler.lives.running[worker].process.helper:
                break
            sampler = Sampler(ProcessTaggerConfig(sockets=False), build_context(Kind.TAGGER, "process").counters)
        assert {sampler.lives.running[pid].process.name for pid in (parent.pid, worker)} == {"shop.py"}
    finally:
        parent.kill()
        parent.wait()
        assert parent.stdout is not None
        parent.stdout.close()


def test_sockets_that_cost_much_are_looked_at_more_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that took a second of a core is not repeated at the next one, unless rows come after a rest."""
    looked: list[int] = []
    spent = iter(range(100))
    monkeypatch.setattr(Sampler, "_processes", lambda self, now: True)
    monkeypatch.setattr("metaflow_tagger_process.sampler.time.thread_time", lambda: float(next(spent)))
    sampler = Sampler(ProcessTaggerConfig(), build_context(Kind.TAGGER, "process").counters)
    sampler.rows_come()
    monkeypatch.setattr(sampler, "_sockets", looked.append)
    for _ in range(10):
        sampler._look(everything=False)
    assert len(looked) == 1
    sampler.look()
    assert len(looked) == 2


def test_a_machine_without_rows_is_looked_at_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """Although its processes still come and go."""
    looked: list[int] = []
    monkeypatch.setattr(Sampler, "_processes", lambda self, now: True)
    sampler = Sampler(ProcessTaggerConfig(), build_context(Kind.TAGGER, "process").counters)
    sampler.rows_come()
    monkeypatch.setattr(sampler, "_sockets", looked.append)
    for _ in range(30):
        sampler._look(everything=False)
    assert len(looked) == 30, "rows may come still"
    for _ in range(10):
        sampler._look(everything=False)
    assert len(looked) == 32
    for _ in range(3):
        sampler._look(everything=False)
    assert len(looked) == 33
    sampler.rows_come()
    assert len(looked) == 34, "rows have come: now"
    sampler._look(everything=False)
    assert len(looked) == 35, "and as before from now on"


def test_who_holds_a_socket_is_not_searched_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    from metaflow_tagger_process import sampler as module

    kept = [Socket(6, bytes(4), 9, bytes(4), 0, 1 << 40, open=True)]
    monkeypatch.setattr(module, "read_tables", lambda pid, root: kept)
    searched: list[set[int]] = []
    monkeypatch.setattr(module, "holders", lambda pids, wanted, root: searched.append(wanted) or {})
    sampler = Sampler(ProcessTaggerConfig(), build_context(Kind.TAGGER, "process").counters)
    for _ in range(4):
        sampler.look()
    assert searched == [{1 << 40}] * 2
    kept.append(Socket(6, bytes(4), 10, bytes(4), 0, 1 << 41, open=True))
    sampler.look()
    assert searched[2:] == [{1 << 40, 1 << 41}]


def test_secrets_do_not_get_into_tags() -> None:
    text = masked("app --password=hunter2 --db-token abc --api-key:zzz postgres://joe:s3cret@db/x --user joe -p 80")
    assert all(word not in text for word in ("hunter2", "abc", "zzz", "s3cret"))
    assert "--user joe -p 80" in text


def process(pid: int = 7, start: int = 1, name: str = "a", start_ns: int = 0) -> Process:
    return Process(pid, start, start_ns, 1, name, name, "", 0, Owner(), 1)


def test_a_number_given_again_is_another_process() -> None:
    lives = Lives(100, 10**12)
    lives.began(process(start=1, name="first", start_ns=10**9), 1)
    lives.ended(7, 3 * 10**9)
    lives.began(process(start=2, name="second", start_ns=5 * 10**9), 2)
    assert [getattr(lives.at(7, at * 10**9), "name", None) for at in (0, 2, 4, 6)] == [None, "first", None, "second"]
    # the end was not seen
    lives.began(process(start=3, name="third", start_ns=8 * 10**9), 3)
    assert [getattr(lives.at(7, at * 10**9), "name", None) for at in (6, 9)] == ["second", "third"]


def test_memory_is_bounded() -> None:
    lives = Lives(50, 10**18)
    for number in range(1000):
        lives.began(process(pid=number, start=number), number)
        lives.ended(number, number)
    assert len(lives) <= 100
    lives.forget(2 * 10**18)
    assert len(lives) == 0
    ends = Endpoints(50, 10**9, 0)
    ends.begin(1)
    for port in range(1000):
        ends.held(6, b"\1\1\1\1", port, b"\2\2\2\2", 80, process())
    assert len(ends) == 50
    assert ends.refused == 950
    ends.begin(5 * 10**9)
    ends.done()
    assert len(ends) == 0
    numbers = Numbers("host", 10, lambda _: ())
    given = {numbers.process(process(pid=pid, start=pid)) for pid in range(1000)}
    assert len(given) == 11
    assert numbers.shared == 990
    assert all(number >> 31 for number in given)
    assert {
        number: name
        for item in numbers.names(0)[1]
        if item.dictionary == "gprocess"
        for number, name in item.names.items()
    }.keys() == given


def test_an_end_belongs_to_who_held_it_then() -> None:
    ends = Endpoints(100, 10**12, 2 * 10**9)
    key = (6, b"\x7f\0\0\1", 80, b"", 0)
    for second, name in ((10, "old"), (12, "old"), (14, "new"), (16, "new")):
        ends.begin(second * 10**9)
        ends.held(*key, OWNERS[name])
        ends.done()

    def at(second: float) -> str | None:
        found = ends.at(6, b"\x7f\0\0\1", 80, b"\x0a\0\0\1", 4000, int(second * 1e9))
        return found.name if found else None

    assert [at(second) for second in (5, 9, 11, 12, 13, 15, 17, 30)] == [
        None,
        "old",
        "old",
        "old",
        "new",
        "new",
        "new",
        None,
    ]


OWNERS = {name: process(name=name) for name in ("old", "new")}


@pytest.mark.parametrize(
    ("family", "kind", "address"),
    [
        (socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1"),
        (socket.AF_INET6, socket.SOCK_STREAM, "::1"),
        (socket.AF_INET, socket.SOCK_DGRAM, "127.0.0.1"),
    ],
)
def test_the_kernels_tables(family: socket.AddressFamily, kind: socket.SocketKind, address: str) -> None:
    with socket.socket(family, kind) as ours:
        ours.bind((address, 0))
        if kind == socket.SOCK_STREAM:
            ours.listen()
        [found] = [item for item in read_tables(os.getpid()) if item.inode == os.fstat(ours.fileno()).st_ino]
        assert (found.local, found.local_port) == (ipaddress.ip_address(address).packed, ours.getsockname()[1])
        assert found.open
    assert ipaddress.ip_address("127.0.0.1").packed in local_addresses(os.getpid())


def test_a_real_process() -> None:
    boot = time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    before = time.time_ns()
    with started("import time; print(flush=True); time.sleep(60)") as child:
        assert child.stdout is not None
        child.stdout.readline()  # a process has its own command line only after it has begun to run its program
        found = read_process(child.pid, boot)
        assert found is not None
        assert found.parent == os.getpid()
        assert found.uid == os.geteuid()
        assert "time.sleep(60)" in found.command_line
        assert abs(found.start_ns - before) < 2 * 10**9
        assert found.netns == Path("/proc/self/ns/net").stat().st_ino
    assert read_process(child.pid, boot) is None


@contextmanager
def started(code: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE)
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()


def rows_of(*rows: dict[str, Any], table: str = FLOWS) -> RecordBatch:
    out: dict[str, Any] = {}
    for end in ("_0", "_1", ""):
        if f"ip{end}" in rows[0]:
            addresses = [ipaddress.ip_address(row[f"ip{end}"]) for row in rows]
            out[f"ip4{end}"] = pa.array([int(a) if a.version == 4 else 0 for a in addresses], pa.uint32())
            out[f"ip6{end}"] = pa.array([a.packed if a.version == 6 else bytes(16) for a in addresses], pa.binary(16))
            out["is_ipv4"] = pa.array([a.version == 4 for a in addresses])
    for key in rows[0]:
        if not key.startswith("ip"):
            column = CATALOG.table(table).by_name.get(key)
            type_ = arrow_type(column.type) if column is not None and not key.startswith(("time", "end")) else None
            out[key] = pa.array([row[key] for row in rows], type_)
    return RecordBatch(table, pa.RecordBatch.from_pydict(out), "b/1")


@contextmanager
def tagging(**options: Any) -> Iterator[ProcessTagger]:
    made = ProcessTagger(build_context(Kind.TAGGER, "process"), ProcessTaggerConfig(sample_s=60, **options))
    loop = asyncio.new_event_loop()
    loop.run_until_complete(made.start())
    try:
        yield made
    finally:
        loop.run_until_complete(made.stop())
        loop.close()


SERVER = "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); c, _ = s.accept(); c.recv(9)"


def test_packet_rows_by_their_sockets() -> None:
    with started(SERVER) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        with socket.create_connection(("127.0.0.1", port)) as ours, tagging() as tagger:
            client_port = ours.getsockname()[1]
            now = time.time_ns()
            row = {
                "ip_0": "127.0.0.1",
                "ip_1": "127.0.0.1",
                "client_port": client_port,
                "server_port": port,
                "protocol": 6,
            }
            batch = rows_of(
                {**row, "end_time_ns": now},
                {**row, "client_port": 1, "end_time_ns": now},  # a connection that nobody saw: the one who waits there
                {**row, "client_port": 1, "ip_1": "192.0.2.1", "end_time_ns": now},  # not of this machine
                {**row, "end_time_ns": now - 3600 * 10**9},  # long before
            )
            tagged = tagger.tag(batch)
            names = tagger.dictionaries()
    shown = plain_rows(tagged.data)
    assert [(item["process_id_0"], item["process_id_1"]) for item in shown] == [
        (os.getpid(), server.pid),
        (0, server.pid),
        (0, 0),
        (0, 0),
    ]
    first = shown[0]
    assert (first["auto_service_type_1"], first["auto_instance_type_1"], first["tag_source_1"]) == (120, 120, 64)
    assert names["gprocess"][first["gprocess_id_1"]].endswith(f"/{server.pid}")
    assert names["device"][first["auto_instance_id_1"]] == names["gprocess"][first["gprocess_id_1"]]
    assert names["device"][first["auto_service_id_1"]].startswith("python")
    tags = json.loads(names["process_tag"][first["gprocess_id_1"]])
    assert tags["pid"] == str(server.pid)
    assert "create_server" in tags["command_line"]
    assert tags["tree"].split(" > ")[-1] == tags["name"] + f"/{server.pid}"
    assert f"/{os.getpid()}" in tags["tree"]
    assert shown[2]["gprocess_id_1"] == 0


def test_kernel_rows_by_the_process_number_and_its_time() -> None:
    with started("import time; time.sleep(60)") as child, tagging(sockets=False) as tagger:
        now = time.time_ns()
        batch = rows_of(
            {"ip_0": "10.0.0.1", "ip_1": "10.0.0.2", "process_id_0": 0, "process_id_1": child.pid, "process_kname_1": "python", "end_time_ns": now},
            {"ip_0": "10.0.0.1", "ip_1": "10.0.0.2", "process_id_0": 0, "process_id_1": child.pid, "process_kname_1": "other", "end_time_ns": 10**18},
            {"ip_0": "10.0.0.1", "ip_1": "10.0.0.2", "process_id_0": 99, "process_id_1": 0, "process_kname_1": "", "end_time_ns": now},
        )  # fmt: skip
        shown = plain_rows(tagger.tag(batch).data)
        names = tagger.dictionaries()
    assert names["gprocess"][shown[0]["gprocess_id_1"]].endswith(f"/{child.pid}")
    # long before it began, that number was somebody else's: the name is all that is known
    assert shown[1]["gprocess_id_1"] == 0
    assert names["device"][shown[1]["auto_service_id_1"]] == "other"
    assert [row["process_kname_1"] for row in shown] == ["python", "other", ""]
    assert shown[2]["process_id_0"] == 99


def test_a_short_connection_is_known_by_the_row_that_names_its_process() -> None:
    with started("import time; time.sleep(60)") as child, tagging() as tagger:
        now = time.time_ns()
        row = {"ip_0": "10.0.0.1", "ip_1": "10.0.0.2", "client_port": 4000, "server_port": 80, "protocol": 6}
        batch = rows_of(
            {**row, "process_id_0": 0, "end_time_ns": now},
            {**row, "process_id_0": child.pid, "end_time_ns": now},
            {**row, "process_id_0": 0, "client_port": 4001, "end_time_ns": now},
            {**row, "process_id_0": 0, "end_time_ns": now + 600 * 10**9},
        )
        shown = plain_rows(tagger.tag(batch).data)
    assert [item["process_id_0"] for item in shown] == [child.pid, child.pid, 0, 0]


def test_what_others_know_better_stays() -> None:
    with started("import time; time.sleep(60)") as child, tagging(sockets=False) as tagger:
        row = {"ip_0": "10.0.0.1", "ip_1": "10.0.0.2", "process_id_1": child.pid, "end_time_ns": time.time_ns()}
        batch = rows_of(
            {**row, "auto_service_id_1": 5, "auto_service_type_1": 102, "auto_instance_id_1": 6, "auto_instance_type_1": 10, "tag_source_1": 8},
            {**row, "auto_service_id_1": 0, "auto_service_type_1": 255, "auto_instance_id_1": 0, "auto_instance_type_1": 255, "tag_source_1": 0},
        )  # fmt: skip
        first, second = plain_rows(tagger.tag(batch).data)
    assert (first["auto_service_id_1"], first["auto_service_type_1"], first["auto_instance_id_1"]) == (5, 102, 6)
    assert first["tag_source_1"] == 8 | 64
    assert first["gprocess_id_1"] != 0
    assert (second["auto_service_type_1"], second["auto_instance_type_1"]) == (120, 120)


def test_metrics_of_one_end() -> None:
    with started(SERVER) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        with tagging() as tagger:
            # a row of metrics bears the beginning of its second, of which the process may have seen the end only
            row = {"ip": "127.0.0.1", "server_port": port, "protocol": 6, "time": int(time.time())}
            batch = rows_of({**row, "role": 1}, {**row, "role": 0}, table="flow_metrics.network")
            shown = plain_rows(tagger.tag(batch).data)
    assert shown[0]["gprocess_id"] != 0
    assert shown[0]["auto_service_type"] == 120
    assert shown[1]["gprocess_id"] == 0


def test_a_restart_gives_the_same_numbers() -> None:
    first, second = (Numbers("host", 10, lambda _: ()) for _ in range(2))
    assert first.service("x") == second.service("x")
    assert first.process(process()) == second.process(process())
    assert first.process(process(start=9)) != first.process(process())
