"""What real programs send and receive, as segments."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ebpf_programs import curl, free_port, needs, running, script, wait_for_port
from ebpf_segments import (
    CLIENT,
    CLOSE,
    CONCURRENT,
    DATA,
    IN,
    MIDSTREAM,
    OPEN,
    OUT,
    RETRANSMIT,
    SERVER,
    TRUNCATED,
    Segment,
)
from ebpf_watching import Watching

pytestmark = pytest.mark.root


def at(port: int, kind: int = DATA) -> Callable[[Segment], bool]:
    return lambda item: port in item.ports and item.kind == kind


def text(found: list[Segment]) -> str:
    return "\n".join(item.payload.decode(errors="replace") for item in found)


def test_http_on_both_ends(everything: Watching) -> None:
    port = free_port()
    before = time.time_ns()
    with running(*script("web.py", port), port=port) as server:
        assert curl(f"http://127.0.0.1:{port}/hello") == "from /hello"
        found = everything.wait(
            lambda items: (
                {(i.comm == "curl", i.direction) for i in items} == {(True, IN), (True, OUT), (False, IN), (False, OUT)}
            ),
            lambda i: at(port)(i) and i.comm in ("curl", "python", "python3"),
        )
        closed = everything.wait(
            lambda items: len(items) >= 4, lambda i: port in i.ports and i.kind == CLOSE and i.comm != "pytest"
        )
    client = [item for item in found if item.comm == "curl"]
    served = [item for item in found if item.pid == server.pid and item.wire_len]
    assert [item.direction for item in client][:2] == [OUT, IN]
    assert {item.role for item in client} == {CLIENT}
    assert {item.role for item in served} == {SERVER}
    assert client[0].payload.startswith(b"GET /hello HTTP/1.1")
    assert b"200 OK" in b"".join(item.payload for item in served if item.direction == OUT)
    # the same message at both ends: same way, same sequence number on the wire
    asked = next(item for item in served if item.direction == IN)
    assert (asked.way, asked.tcp_seq, asked.payload) == (client[0].way, client[0].tcp_seq, client[0].payload)
    # in the server's thread the answer follows from the question
    assert asked.trace_id == next(item for item in served if item.direction == OUT).trace_id != 0
    assert all(before < item.enter_ns <= item.time_ns or item.direction == OUT for item in found)
    assert {item.direction for item in closed} == {IN, OUT}
    assert len({item.socket_id for item in client}) == 1
    assert [item.cap_seq for item in client] == sorted({item.cap_seq for item in client})
    assert client[0].uid == os.getuid()
    assert client[0].netns == Path("/proc/self/ns/net").stat().st_ino
    assert 0 < client[0].process_start < time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def test_openings_tell_the_role_and_the_round_trip(everything: Watching) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)), running(*script("web.py", free_port())):
        curl_like = subprocess.run(
            [sys.executable, "-c", f"import socket; socket.create_connection(('127.0.0.1', {port})).close()"],
            check=True,
            timeout=20,
        )
        assert curl_like.returncode == 0
        [opened] = everything.wait(bool, at(port, OPEN))
    assert (opened.role, opened.remote_port) == (CLIENT, port)
    assert opened.rtt_us > 0


def test_ipv6_and_mapped_addresses(everything: Watching) -> None:
    port = free_port(socket.AF_INET6)
    code = (
        "import socket\n"
        f"s = socket.create_server(('::', {port}), family=socket.AF_INET6, dualstack_ipv6=True)\n"
        "for _ in range(2):\n c, _a = s.accept(); c.sendall(c.recv(99)); c.close()\n"
    )
    with running(sys.executable, "-c", code) as server:
        for host in ("::1", "127.0.0.1"):
            _try_for(lambda host=host: _echo(host, port, b"over " + host.encode()))  # type: ignore[misc]
        found = everything.wait(lambda items: len(items) >= 4, lambda i: at(port)(i) and i.pid == server.pid)
    assert [(item.family, item.remote) for item in found] == [(6, "::1")] * 2 + [(4, "127.0.0.1")] * 2


def _echo(host: str, port: int, what: bytes) -> None:
    with socket.create_connection((host, port), 5) as connection:
        connection.sendall(what)
        assert connection.recv(99) == what


def _try_for(action: Callable[[], None], seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            return action()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


CALLS = """
import os, socket, sys
a, b = socket.socket(), socket.create_server(("127.0.0.1", 0))
a.connect(b.getsockname()); c, _ = b.accept()
print(b.getsockname()[1], flush=True)
a.send(b"by sendto"); c.recv(99)
os.write(a.fileno(), b"by write"); os.read(c.fileno(), 99)
os.writev(a.fileno(), [b"by ", b"", b"wri", b"tev"]); buffers = [bytearray(4), bytearray(99)]; os.readv(c.fileno(), buffers)
a.sendmsg([b"by send", b"msg"]); c.recvmsg(99)
a.sendall(b"peeked"); c.recv(99, socket.MSG_PEEK); c.recv(99)
f = os.memfd_create("x"); os.write(f, b"from a file"); os.sendfile(a.fileno(), f, 0, 11); c.recv(99)
a.sendall(b"x" * 5000); n = 0
while n < 5000: n += len(c.recv(9999))
a.shutdown(socket.SHUT_WR); assert c.recv(9) == b""
"""


def test_every_call(everything: Watching) -> None:
    done = subprocess.run([sys.executable, "-c", CALLS], capture_output=True, check=True, timeout=30)
    port = int(done.stdout)
    found = everything.wait(lambda items: sum(i.wire_len for i in items) >= 2 * 5_000, at(port))
    sent = [item for item in found if item.direction == OUT]
    received = [item for item in found if item.direction == IN]
    expected = [b"by sendto", b"by write", b"by writev", b"by sendmsg", b"peeked", b"", b"x" * 1024]
    assert [item.payload for item in sent] == expected
    assert [item.payload for item in received][:6] == [*expected[:5], b"from a file"]
    assert [bool(item.flags & TRUNCATED) for item in sent] == [False] * 5 + [True, True]
    assert (sent[5].wire_len, sent[6].wire_len) == (11, 5000)
    # sequence numbers follow each other without a hole
    at_ = sent[0].tcp_seq
    for item in sent:
        assert item.tcp_seq == at_
        at_ = (at_ + item.wire_len) & 0xFFFFFFFF
    ends = everything.wait(lambda items: len(items) >= 4, at(port, CLOSE))
    assert sorted((item.role, item.direction) for item in ends)[:4] == [(1, IN), (1, OUT), (2, IN), (2, OUT)]


def test_datagrams_and_many_in_one_call(everything: Watching) -> None:
    needs("dnsmasq", "dig")
    port = free_port(kind=socket.SOCK_DGRAM)
    with running("dnsmasq", "--no-daemon", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--address=/mf.test/10.1.2.3",
                 f"--port={port}", "--listen-address=127.0.0.1", "--bind-interfaces", "--user=root", port=port):  # fmt: skip
        done = subprocess.run(
            ["dig", "@127.0.0.1", "-p", str(port), "+short", "www.mf.test"], capture_output=True, check=True, timeout=30
        )
        assert done.stdout == b"10.1.2.3\n"
        found = everything.wait(lambda i: len(i) >= 4, lambda i: at(port)(i) and i.protocol == 17)
    assert {item.comm for item in found} >= {"dnsmasq"}
    assert {(item.role, item.direction) for item in found} == {(CLIENT, OUT), (SERVER, IN), (SERVER, OUT), (CLIENT, IN)}
    assert all(b"mf\x04test" in item.payload and item.remote_port and item.tcp_seq == 0 for item in found)
    ways = {item.way for item in found if item.role == CLIENT}
    assert all(item.remote == "127.0.0.1" for item in found if item.role == SERVER)
    assert len(ways) == 2


SENDMMSG = """
import ctypes, socket, struct, sys
b = socket.socket(type=socket.SOCK_DGRAM); b.bind(("127.0.0.1", 0)); a = socket.socket(type=socket.SOCK_DGRAM); a.connect(b.getsockname())
print(b.getsockname()[1]); libc = ctypes.CDLL(None)
texts = [ctypes.create_string_buffer(f"message {n}".encode()) for n in range(40)]
iovs = [ctypes.create_string_buffer(struct.pack("QQQQ", ctypes.addressof(t), 3, ctypes.addressof(t) + 3, len(t.value) - 3)) for t in texts]
heads = b"".join(struct.pack("QIIQQQQIIII", 0, 0, 0, ctypes.addressof(v), 2, 0, 0, 0, 0, 0, 0) for v in iovs)
assert libc.sendmmsg(a.fileno(), ctypes.create_string_buffer(heads, len(heads)), 40, 0) == 40
"""


def test_sendmmsg(everything: Watching) -> None:
    done = subprocess.run([sys.executable, "-c", SENDMMSG], capture_output=True, check=True, timeout=30)
    found = everything.wait(lambda items: len(items) >= 40, at(int(done.stdout)))
    most = 4 if everything.collector.backend == "bcc" else 40
    assert [item.payload for item in found] == [f"message {n}".encode() for n in range(most)]


PEERS = """
import os, socket, sys
far = [socket.socket(type=socket.SOCK_DGRAM) for _ in range(200)]
for s in far: s.bind(("127.0.0.1", 0))
near = socket.socket(type=socket.SOCK_DGRAM)
for n in range(3):
    for s in far: near.sendto(b"round %d" % n, s.getsockname())
a, b = socket.socketpair(); c = socket.create_server(("127.0.0.1", 0)); d = socket.create_connection(c.getsockname()); e, _ = c.accept()
os.writev(d.fileno(), [b"%02d" % n for n in range(48)]); e.recv(999)
print(near.getsockname()[1], d.getsockname()[1])
"""


def test_each_of_many_peers_of_one_socket_keeps_its_number(everything: Watching) -> None:
    done = subprocess.run([sys.executable, "-c", PEERS], capture_output=True, check=True, timeout=30)
    near, client = (int(item) for item in done.stdout.split())
    found = everything.wait(lambda items: len(items) >= 600, lambda item: item.local_port == near and item.kind == 0)
    assert len(found) == 600
    assert len({item.socket_id for item in found}) == 200
    assert {(item.socket_id, item.remote_port) for item in found[:200]} == {
        (item.socket_id, item.remote_port) for item in found[400:]
    }
    parts = everything.wait(bool, lambda item: item.local_port == client and item.kind == 0)
    assert parts[0].payload == b"".join(b"%02d" % n for n in range(48))


def counted(watch: Watching, stage: str, reason: str = "", unit: str = "records") -> int:
    """A counter as soon as it counts something: the kernel's are looked at every second."""
    end = time.monotonic() + 30
    while not watch.counter(stage, reason, unit) and time.monotonic() < end:
        time.sleep(0.1)
    return watch.counter(stage, reason, unit)


URING = """
import ctypes, mmap, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
parameters = ctypes.create_string_buffer(120)
ring = libc.syscall(425, 8, parameters)
if ring < 0: print("io_uring_setup: errno", ctypes.get_errno()); sys.exit()
entries, answers = struct.unpack_from("2I", parameters, 0)
head, tail, mask, _, _, _, array = struct.unpack_from("7I", parameters, 40)
ahead, atail, amask, _, _, first = struct.unpack_from("6I", parameters, 80)
queue = mmap.mmap(ring, max(array + 4 * entries, first + 16 * answers), flags=mmap.MAP_SHARED, offset=0)
calls = mmap.mmap(ring, 64 * entries, flags=mmap.MAP_SHARED, offset=0x10000000)
done = 0
def submit(operation, fd, address, length, flags=0):
    at, = struct.unpack_from("I", queue, tail)
    struct.pack_into("BBHiQQIIQ", calls, 64 * (at % entries), operation, 0, 0, fd, 2 ** 64 - 1 if operation in (22, 23) else 0, address, length, flags, at)
    struct.pack_into("I", queue, array + 4 * (at % entries), at % entries); struct.pack_into("I", queue, tail, at + 1)
    assert libc.syscall(426, ring, 1, 0, 0, None, 0) == 1
def result():
    global done
    while struct.unpack_from("I", queue, atail)[0] == done: libc.syscall(426, ring, 0, 1, 1, None, 0)
    answer = struct.unpack_from("QiI", queue, first + 16 * (done % answers))[1]
    done += 1; struct.pack_into("I", queue, ahead, done)
    return answer
listening = socket.create_server(("127.0.0.1", 0)); port = listening.getsockname()[1]
print("port", port, flush=True)
submit(13, listening.fileno(), 0, 0)
near = socket.create_connection(("127.0.0.1", port))
far = socket.socket(fileno=result())
room = ctypes.create_string_buffer(200)
submit(27, far.fileno(), ctypes.addressof(room), 200)            # waits, until there is something
text = ctypes.create_string_buffer(b"sent through a ring")
submit(26, near.fileno(), ctypes.addressof(text), 19)
assert sorted((result(), result())) == [19, 19] and room.value == b"sent through a ring"
answer = ctypes.create_string_buffer(b"written through a ring")
submit(23, far.fileno(), ctypes.addressof(answer), 22); assert result() == 22
submit(22, near.fileno(), ctypes.addressof(room), 200); assert result() == 22
parts = ctypes.create_string_buffer(struct.pack("QQQQ", ctypes.addressof(text), 4, ctypes.addressof(answer), 3))
submit(2, near.fileno(), ctypes.addressof(parts), 2); assert result() == 7
assert far.recv(99) == b"sentwri"
near.shutdown(socket.SHUT_WR); submit(27, far.fileno(), ctypes.addressof(room), 200); assert result() == 0
print("sent"); sys.stdin.read()
"""


def test_what_goes_through_io_uring_is_seen_and_what_is_not_is_told(
    everything: Watching, caplog: pytest.LogCaptureFixture
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", URING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        said = child.stdout.readline().split()
        if said[0] != "port":
            child.communicate()
            pytest.skip(f"this kernel does not let processes use io_uring ({' '.join(said)})")
        assert child.stdout.readline().strip() == "sent"
        end = time.monotonic() + 60
        while f"Process {child.pid} " not in caplog.text and time.monotonic() < end:
            time.sleep(0.1)
        child.communicate()
    port = int(said[1])
    found = everything.wait(lambda items: len(items) >= 6, at(port))
    one, two, list_ = b"sent through a ring", b"written through a ring", b""
    assert sorted((item.role, item.direction, item.payload) for item in found) == sorted(
        [
            (CLIENT, OUT, one),
            (SERVER, IN, one),
            (SERVER, OUT, two),
            (CLIENT, IN, two),
            (CLIENT, OUT, list_),
            (SERVER, IN, b"sentwri"),
        ]
    )
    assert [item.wire_len for item in found if not item.payload] == [7]
    # where the bytes stand in the stream is told alike by both ends
    for text in (one, two):
        assert len({item.tcp_seq for item in found if item.payload == text}) == 1
    assert everything.wait(bool, lambda item: at(port, CLOSE)(item) and (item.role, item.direction) == (SERVER, IN))
    assert counted(everything, "left_out", "io_uring", "calls")
    assert f"Process {child.pid} " in caplog.text
    assert "through io_uring" in caplog.text


SPLICE = """
import os, socket, sys
listening = socket.create_server(("127.0.0.1", 0)); near = socket.create_connection(listening.getsockname()); far, _ = listening.accept()
print(listening.getsockname()[1])
out, into = os.pipe(); os.write(into, b"x" * 1000)
assert os.splice(out, near.fileno(), 1000) == 1000
assert os.splice(far.fileno(), into, 1000) == 1000
near.send(b"after"); far.recv(99)
"""


def test_splice_tells_lengths_both_ways(everything: Watching) -> None:
    done = subprocess.run([sys.executable, "-c", SPLICE], capture_output=True, check=True, timeout=30)
    found = everything.wait(lambda items: len(items) >= 4, at(int(done.stdout)))
    told = sorted((item.direction, item.wire_len, item.cap_len) for item in found)
    assert told == [(IN, 5, 5), (IN, 1000, 0), (OUT, 5, 5), (OUT, 1000, 0)]
    # both ends say the same of where the bytes stand in the stream
    assert len({item.tcp_seq for item in found}) == 2


END = """
import socket
listening = socket.create_server(("127.0.0.1", 0)); near = socket.create_connection(listening.getsockname()); far, _ = listening.accept()
print(listening.getsockname()[1])
near.sendall(b"first"); assert far.recv(99) == b"first"
near.sendall(b"last"); near.shutdown(socket.SHUT_WR)
import time; time.sleep(0.1)
assert far.recv(99) == b"last"; far.sendall(b"answer"); near.recv(99)
"""


def test_the_end_of_a_stream_read_with_its_last_bytes_moves_no_number(everything: Watching) -> None:
    done = subprocess.run([sys.executable, "-c", END], capture_output=True, check=True, timeout=30)
    found = everything.wait(lambda items: len(items) >= 6, at(int(done.stdout)))
    for text in (b"first", b"last", b"answer"):
        assert len({item.tcp_seq for item in found if item.payload == text}) == 1, text


AGAIN = """
import ctypes, socket, struct, time
listening = socket.create_server(("127.0.0.1", 0)); near = socket.create_connection(listening.getsockname()); far, _ = listening.accept()
print(listening.getsockname()[1])
near.sendall(b"arrives"); far.recv(99)
# a filter that keeps nothing: what comes is dropped before TCP sees it
nothing = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))
far.setsockopt(socket.SOL_SOCKET, 26, struct.pack("HxxxxxxQ", 1, ctypes.addressof(nothing)))
near.sendall(b"is lost"); time.sleep(0.5)
far.setsockopt(socket.SOL_SOCKET, 27, struct.pack("i", 0))
assert far.recv(99) == b"is lost"
"""


def test_what_is_sent_again_is_told_where_it_happens(everything: Watching) -> None:
    done = subprocess.run([sys.executable, "-c", AGAIN], capture_output=True, check=True, timeout=30)
    port = int(done.stdout)
    found = everything.wait(bool, lambda item: port in item.ports and item.kind == RETRANSMIT)
    lost = everything.wait(
        bool, lambda item: port in item.ports and item.payload == b"is lost" and item.direction == OUT
    )
    assert found
    assert {(item.direction, item.tcp_seq, item.socket_id) for item in found} == {
        (OUT, lost[0].tcp_seq, lost[0].socket_id)
    }
    assert all(item.rtt_us for item in found)
    assert counted(everything, "retransmitted", unit="segments")


PORTS = """
import socket, struct
listening = socket.create_server(("127.0.0.1", 0)); port = 0
for number in range(3):
    near = socket.socket(); near.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); near.bind(("127.0.0.1", port))
    port = near.getsockname()[1]; near.connect(listening.getsockname()); far, _ = listening.accept()
    near.sendall(b"number %d" % number); far.recv(99)
    near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)); near.close(); far.close()
print(listening.getsockname()[1])
"""


def test_the_same_ports_again_are_another_connection(everything: Watching) -> None:
    done = subprocess.run([sys.executable, "-c", PORTS], capture_output=True, check=True, timeout=30)
    found = everything.wait(lambda items: len(items) >= 6, at(int(done.stdout)))
    assert sorted(item.payload for item in found) == sorted([b"number 0", b"number 1", b"number 2"] * 2)
    assert len({item.way for item in found}) == 1
    assert len({item.socket_id for item in found}) == 6
    assert all(item.cap_seq <= 3 for item in found)


def test_redis(everything: Watching) -> None:
    needs("redis-server", "redis-cli")
    port = free_port()
    with running("redis-server", "--port", str(port), "--save", "", "--bind", "127.0.0.1", port=port):
        subprocess.run(
            ["redis-cli", "-p", str(port), "SET", "mf:key", "a value"], check=True, capture_output=True, timeout=20
        )
        found = everything.wait(lambda i: len([x for x in i if b"mf:key" in x.payload]) >= 2, at(port))
    assert {item.comm for item in found if b"mf:key" in item.payload} == {"redis-cli", "redis-server"}
    assert any(item.payload == b"+OK\r\n" and item.role == SERVER for item in found)


def test_mariadb(everything: Watching, tmp_path: Path) -> None:
    needs("mariadbd", "mariadb-install-db", "mariadb")
    port = free_port()
    data = tmp_path / "data"
    subprocess.run(["mariadb-install-db", f"--datadir={data}", "--user=root", "--auth-root-authentication-method=normal"],
                   check=True, capture_output=True, timeout=120)  # fmt: skip
    with running("mariadbd", "--no-defaults", f"--datadir={data}", f"--port={port}", f"--socket={tmp_path}/s", "--user=root",
                 "--bind-address=127.0.0.1", "--skip-log-bin", port=port):  # fmt: skip
        done = subprocess.run(["mariadb", "--no-defaults", "-h127.0.0.1", f"-P{port}", "-uroot", "--skip-ssl", "-e", "select 'seen by mf'"],
                              capture_output=True, timeout=30, check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr
        found = everything.wait(lambda i: len([x for x in i if b"seen by mf" in x.payload]) >= 3, at(port))
    asked = [item for item in found if b"select 'seen by mf'" in item.payload]
    assert {(item.role, item.direction) for item in asked} == {(CLIENT, OUT), (SERVER, IN)}


def test_a_connection_from_before_is_known_as_such(everything: Watching) -> None:
    """The collector runs already, so this asks for a connection that was made where it does not look: in its own process."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as ours:
        port = server.getsockname()[1]
        theirs, _ = server.accept()
        code = f"import os; os.write({theirs.fileno()}, b'inherited')"
        subprocess.run([sys.executable, "-c", code], pass_fds=[theirs.fileno()], check=True, timeout=20)
        [item] = everything.wait(bool, at(port))
        theirs.close()
        assert ours.recv(99) == b"inherited"
    assert item.flags & MIDSTREAM
    assert item.role == SERVER
    assert item.payload == b"inherited"


REUSE = """
import os, socket
s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1], flush=True)
fds = set()
for n in range(20):
    c = socket.create_connection(s.getsockname()); fds.add(c.fileno()); d, _ = s.accept()
    c.sendall(b"round %d" % n); d.recv(99); c.close(); d.close()
assert len(fds) == 1
"""


def test_a_descriptor_used_again_is_another_connection(everything: Watching) -> None:
    done = subprocess.run([sys.executable, "-c", REUSE], capture_output=True, check=True, timeout=30)
    found = everything.wait(lambda items: len(items) >= 40, at(int(done.stdout)))
    assert len(found) == 40
    assert len({item.socket_id for item in found}) == 40
    assert len({item.way for item in found}) == 20


HANDED_ON = """
import os, socket, sys
near = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
def say(what, name):
    open("/proc/self/comm", "w").write(name)
    near.sendall(what)
    near.recv(100)
say(b"first", "one")
child = os.fork()
if not child:
    say(b"second", "another")
    os._exit(0)
os.waitpid(child, 0)
say(b"third", "one again")
say(b"fourth", "one again")
print(os.getpid(), child)
"""


def test_who_uses_a_connection_may_change(everything: Watching) -> None:
    """What holds for a connection is said once, and anew with each change."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with subprocess.Popen(
            [sys.executable, "-c", HANDED_ON, str(port)], stdout=subprocess.PIPE, text=True
        ) as process:
            peer, _ = server.accept()
            with peer:
                while peer.recv(100):
                    peer.sendall(b"heard")
            assert process.stdout is not None
            parent, child = (int(word) for word in process.stdout.read().split())
    found = everything.wait(
        lambda items: len(items) >= 8, lambda i: at(port)(i) and i.role == CLIENT and bool(i.wire_len)
    )
    assert [(i.payload, i.pid, i.tid, i.comm) for i in found if i.direction == OUT] == [
        (b"first", parent, parent, "one"),
        (b"second", child, child, "another"),
        (b"third", parent, parent, "one again"),
        (b"fourth", parent, parent, "one again"),
    ]
    assert [i.pid for i in found if i.direction == IN] == [parent, child, parent, parent]
    assert len({(i.socket_id, i.local_port, i.local, i.netns) for i in found}) == 1
    assert len({(i.pid, i.process_start) for i in found}) == 2
    assert [i.cap_seq for i in found] == sorted({i.cap_seq for i in found})


def test_a_process_that_dies_inside_a_call(everything: Watching) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = (
            f"import socket; s = socket.create_connection(('127.0.0.1', {port})); s.sendall(b'last words'); s.recv(9)"
        )
        with running(sys.executable, "-c", code) as client:
            theirs, _ = server.accept()
            assert theirs.recv(99) == b"last words"
            client.send_signal(signal.SIGKILL)
            client.wait()
            assert theirs.recv(9) == b""
            theirs.close()
        ends = everything.wait(lambda items: len(items) >= 2, lambda i: at(port, CLOSE)(i) and i.role == CLIENT)
    assert {item.direction for item in ends} == {IN, OUT}
    assert {item.pid for item in ends} == {client.pid}


def test_the_collector_does_not_watch_itself(everything: Watching) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as ours:
        ours.sendall(b"of its own")
        port = server.getsockname()[1]
        time.sleep(0.3)
        assert everything.segments(at(port)) == []


def test_a_threaded_server_is_no_event_loop_and_a_loop_is(everything: Watching) -> None:
    leaf, threaded, looping = free_port(), free_port(), free_port()
    with (
        running(*script("web.py", leaf), port=leaf),
        running(*script("web.py", threaded, "--backend", leaf), port=threaded) as threads,
        running(*script("loop.py", looping, "--backend", leaf), port=looping) as loop,
    ):
        for port in (threaded, looping):
            workers = [threading.Thread(target=_ask, args=(port, worker)) for worker in range(8)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()

        def whole(items: list[Segment]) -> bool:
            return all(
                len([i for i in items if i.pid == pid and b"GET /for/" in i.payload]) >= 80
                for pid in (threads.pid, loop.pid)
            )

        found = everything.wait(whole, lambda i: i.kind == DATA and i.pid in (threads.pid, loop.pid))
    right = wrong = 0
    received = {
        item.trace_id: item.payload.split()[1]
        for item in found
        if item.pid == threads.pid and item.direction == IN and item.payload[:3] == b"GET"
    }
    for item in found:
        if item.pid == threads.pid and item.direction == OUT and item.payload.startswith(b"GET /for"):
            path = item.payload.split()[1].removeprefix(b"/for")
            right += received.get(item.trace_id) == path
            wrong += received.get(item.trace_id) != path
            assert not item.flags & CONCURRENT
    assert (right, wrong) == (80, 0)
    # on the loop no link without the flag is wrong
    received = {
        item.trace_id: item.payload.split()[1]
        for item in found
        if item.pid == loop.pid and item.direction == IN and item.payload[:3] == b"GET"
    }
    unsure = {item.trace_id for item in found if item.pid == loop.pid and item.flags & CONCURRENT}
    asked = [
        item
        for item in found
        if item.pid == loop.pid and item.direction == OUT and item.payload.startswith(b"GET /for")
    ]
    assert len(asked) == 80
    assert any(item.flags & CONCURRENT for item in asked)
    for item in asked:
        if item.trace_id not in unsure:
            assert received.get(item.trace_id) == item.payload.split()[1].removeprefix(b"/for")


def _ask(port: int, worker: int) -> None:
    for number in range(10):
        with socket.create_connection(("127.0.0.1", port), 20) as connection:
            # through a descriptor of this process, which is not watched: only the servers are
            connection.sendall(f"GET /{worker}/{number} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            with contextlib.suppress(OSError):
                connection.recv(999)


def test_a_storm_of_forks_is_survived(everything: Watching) -> None:
    started = time.monotonic()
    subprocess.run(
        ["/bin/sh", "-c", "i=0; while [ $i -lt 1500 ]; do /bin/true & i=$((i+1)); done; wait"], check=True, timeout=60
    )
    port = free_port()
    with running(*script("web.py", port), port=port):
        curl(f"http://127.0.0.1:{port}/after")
        found = everything.wait(bool, lambda i: at(port)(i) and b"/after" in i.payload, seconds=20)
    assert found
    assert time.monotonic() - started < 60
    wait_until = time.monotonic() + 10
    while len(everything.collector._watch._known) > 1000 and time.monotonic() < wait_until:  # type: ignore[union-attr]
        time.sleep(0.1)
    assert len(everything.collector._watch._known) < 1000  # type: ignore[union-attr]


def test_wait_for_port_is_used() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        wait_for_port(server.getsockname()[1], "127.0.0.1")
