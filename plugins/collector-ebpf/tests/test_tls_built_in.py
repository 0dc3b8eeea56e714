"""Plain text of programs that bring their TLS themselves: Go (stripped, as it is delivered), Node.js (OpenSSL inside)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from ebpf_programs import HERE, curl, free_port, needs, running
from ebpf_segments import CONCURRENT, DATA, IN, OUT, PLAINTEXT, Segment
from ebpf_watching import Watching, why_not
from metaflow_collector_ebpf.kernel.elf import Elf
from metaflow_collector_ebpf.points import GO
from metaflow_collector_ebpf.tls.go import find_go_functions, is_go

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")]
Certificate = tuple[Path, Path]


@pytest.fixture(scope="module")
def go_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        pytest.skip("go is not installed (Debian: golang-go)")
    folder = tmp_path_factory.mktemp("go")
    shutil.copy(HERE / "servers" / "web.go", folder)
    subprocess.run(
        [go, "build", "-ldflags", "-s -w", "-o", folder / "web", folder / "web.go"],
        check=True, cwd=folder, timeout=600, capture_output=True, env={**os.environ, "GOFLAGS": "-mod=mod", "GO111MODULE": "off"},
    )  # fmt: skip
    return folder / "web"


def plain(watch: Watching, port: int, enough: int) -> list[Segment]:
    return watch.wait(
        lambda items: len(items) >= enough,
        lambda item: port in item.ports and item.kind == DATA and bool(item.flags & PLAINTEXT),
    )


def requests(found: list[Segment]) -> set[tuple[int, int, bytes]]:
    """Requests of each process and direction; Go reads the first byte of the next request by itself."""
    streams: dict[tuple[int, int, int], bytes] = {}
    for item in sorted(found, key=lambda item: item.cap_seq):
        key = (item.pid, item.direction, item.socket_id)
        streams[key] = streams.get(key, b"") + item.payload
    return {
        (pid, way, path) for (pid, way, _), text in streams.items() for path in re.findall(rb"GET (/\w+) HTTP", text)
    }


def both_ends_agree(found: list[Segment], client: int, server: int, way: int) -> bool:
    """What the one sent first is what the other received first: one way, one number on the wire.

    Go reads ahead: where the record came together with the one before, its receiver's number is that of what it reads next.
    """
    sender, receiver = (client, server) if way == 0 else (server, client)
    # the server has other clients too
    both = {i.way for i in found if i.pid == receiver} & {i.way for i in found if i.pid == sender}
    sent = min((i for i in found if i.pid == sender and i.direction == OUT and i.way in both), key=lambda i: i.cap_seq)
    received = min(
        (i for i in found if i.pid == receiver and i.direction == IN and i.way == sent.way), key=lambda i: i.cap_seq
    )
    return 0 <= received.tcp_seq - sent.tcp_seq <= (received.source == 3) * 4096


def test_go(everything: Watching, certificate: Certificate, go_program: Path) -> None:
    key, cert = certificate
    port = free_port()
    url = f"https://localhost:{port}"
    with running(go_program, "serve", str(port), cert, key, port=port) as server:
        assert wait_until_probed(everything, server.pid)
        client = subprocess.Popen(
            [go_program, "ask", cert, f"{url}/one", f"{url}/two"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert client.communicate(timeout=30)[0] == b"from /one\nfrom /two\n"
        assert curl("--http1.1", "--cacert", str(cert), f"{url}/three") == "from /three"
        found = plain(everything, port, 12)
    assert requests(found) >= {
        (server.pid, IN, b"/one"), (server.pid, IN, b"/two"), (server.pid, IN, b"/three"), (client.pid, OUT, b"/one"),
        (client.pid, OUT, b"/two"),
    }  # fmt: skip
    assert {item.source for item in found if item.pid == server.pid} == {3}
    assert both_ends_agree(found, client.pid, server.pid, 0)
    assert both_ends_agree(found, client.pid, server.pid, 1)
    # goroutines change threads: each is told by its number, and a connection is served by one
    served = [item for item in found if item.pid == server.pid]
    assert not any(item.flags & CONCURRENT for item in served)
    assert {
        len({item.coroutine_id for item in served if item.socket_id == socket})
        for socket in {item.socket_id for item in served}
    } == {1}
    assert all(item.coroutine_id for item in served)


def wait_until_probed(watch: Watching, pid: int) -> bool:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        tls = watch.collector._watch._tls  # type: ignore[union-attr]
        assert tls is not None
        if any(pid in target.users and target.held for target in list(tls._targets.values())):
            return True
        time.sleep(0.05)
    return False


def test_go_functions_end_where_the_tables_say(go_program: Path) -> None:
    data = go_program.read_bytes()
    elf = Elf(data)
    assert is_go(elf)
    assert not [item for item in elf.symbols() if "tls" in item.name]
    found = find_go_functions(elf, frozenset(GO))
    assert {item.name for item in found} == set(GO)
    for item in found:
        assert item.returns
        assert all(data[place] in (0xC3, 0xC0) for place in item.returns)
    # a damaged table of functions is refused or gives nothing, never more
    section = elf.section(".gopclntab")
    assert section is not None
    for at in range(8, 72, 8):
        bad = bytearray(data)
        bad[section.offset + at : section.offset + at + 8] = b"\xff" * 8
        try:
            assert len(find_go_functions(Elf(bytes(bad)), frozenset(GO))) <= 2
        except ValueError:
            continue


def test_node(everything: Watching, certificate: Certificate) -> None:
    needs("node")
    key, cert = certificate
    port = free_port()
    url = f"https://localhost:{port}"
    script = HERE / "servers" / "web.js"
    with running("node", script, "serve", str(port), cert, key, port=port) as server:
        assert wait_until_probed(everything, server.pid)
        client = subprocess.Popen(
            ["node", script, "ask", cert, f"{url}/one", f"{url}/two"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert client.communicate(timeout=30)[0] == b"from /one\nfrom /two\n"
        found = plain(everything, port, 8)
    assert requests(found) == {
        (server.pid, IN, b"/one"), (server.pid, IN, b"/two"), (client.pid, OUT, b"/one"), (client.pid, OUT, b"/two"),
    }  # fmt: skip
    assert both_ends_agree(found, client.pid, server.pid, 0)
