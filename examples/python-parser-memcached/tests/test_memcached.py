"""The memcached example: golden cases, every split, damage, and a real server."""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
import time

import pytest
from metaflow_parser_memcached import metaflow_parsers

from metaflow_core.api.wire import BatchBuilder, Verdict, read_checks, read_records

CLIENT = b"set a 0 0 5\r\nhello\r\nget a b\r\nset x 0 0 1 noreply\r\n1\r\nincr n 1\r\nbogus\r\nquit\r\n"
SERVER = b"STORED\r\nVALUE a 0 5\r\nhel\r\n\r\nEND\r\n43\r\nERROR\r\n"


def runtime():
    return metaflow_parsers()[0].python(None)


def parse(client, server):
    batch = BatchBuilder()
    for direction, pieces in enumerate((client, server)):
        for piece in pieces:
            batch.data(piece, direction=direction)
    batch.close()
    found = read_records(runtime().parse(memoryview(batch.finish())))
    return [{key: value for key, value in record.items() if key != "segment_index"} for record in found]


def test_golden():
    found = parse([CLIENT], [SERVER])
    assert [(item["type"], item.get("request_type"), item.get("request_resource")) for item in found[:6]] == [
        (1, "set", "a"), (1, "get", "a"), (3, "set", "x"), (1, "incr", "n"), (1, "bogus", None), (3, "quit", None),
    ]  # fmt: skip
    assert [(item["status"], item.get("result"), item.get("exception")) for item in found[6:]] == [
        (0, "STORED", None), (0, "END", None), (0, "43", None), (4, None, "ERROR"),
    ]  # fmt: skip
    assert found[0]["length"] == 20
    assert found[7]["length"] == len(b"VALUE a 0 5\r\nhel\r\n\r\nEND\r\n")


def test_every_split_gives_the_same_records():
    whole = parse([CLIENT], [SERVER])
    for at in range(max(len(CLIENT), len(SERVER))):
        assert parse([CLIENT[:at], CLIENT[at:]], [SERVER[:at], SERVER[at:]]) == whole
    assert parse([bytes([byte]) for byte in CLIENT], [bytes([byte]) for byte in SERVER]) == whole


def test_damage_never_breaks():
    source = random.Random(1)
    for _ in range(300):
        talk = bytearray(CLIENT)
        for _ in range(5):
            talk[source.randrange(len(talk))] = source.randrange(256)
        parse([bytes(talk[: source.randrange(len(talk))])], [bytes(talk)])


def test_inference():
    batch = BatchBuilder()
    for data in (b"get a\r\n", b"ge", b"GET / HTTP/1.1\r\n", b"version\r\n", b"\x80\x00"):
        batch.data(data)
    found = read_checks(runtime().check(memoryview(batch.finish())), 5)
    assert [check.verdict for check in found] == [
        Verdict.REQUEST, Verdict.MORE, Verdict.NO, Verdict.REQUEST, Verdict.NO,
    ]  # fmt: skip


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def server():
    program = shutil.which("memcached")
    if program is None:
        pytest.skip("memcached is not installed (apt install memcached)")
    port = _free_port()
    process = subprocess.Popen([program, "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-u", "nobody"])
    try:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


def test_a_real_server(server):
    requests = [
        b"set big 0 0 100000\r\n" + b"x" * 100_000 + b"\r\n",
        b"get big none\r\n",
        b"set n 0 0 1\r\n1\r\n",
        b"incr n 41\r\n",
        b"delete none\r\n",
        b"ms m 2\r\nhi\r\n",
        b"mg m v\r\n",
        b"stats\r\n",
        b"nonsense\r\n",
        b"version\r\n",
    ]
    one, found, batch = runtime(), [], BatchBuilder()
    with socket.create_connection(("127.0.0.1", server)) as peer:
        peer.settimeout(0.3)
        for request in requests:
            peer.sendall(request)
            for at in range(0, len(request), 1460):
                batch.data(request[at : at + 1460], direction=0)
            while True:
                try:
                    answer = peer.recv(1460)
                except TimeoutError:
                    break
                batch.data(answer, direction=1)
            found += read_records(one.parse(memoryview(batch.finish())))
    assert [item.get("request_type") for item in found if item["type"] == 1] == [
        request.split()[0].decode() for request in requests
    ]
    answers = [item for item in found if item["type"] == 2]
    shown = [item.get("result", item.get("exception")) for item in answers]
    assert shown == ["STORED", "END", "STORED", "42", "NOT_FOUND", "HD", "VA", "END", "ERROR", "VERSION"]
    assert answers[1]["length"] > 100_000
    assert not [item for item in found if item["type"] > 3]
