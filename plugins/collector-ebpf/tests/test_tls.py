"""Plain text of TLS connections of real programs."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from ebpf_programs import curl, free_port, needs, running, script
from ebpf_segments import CIPHERTEXT, DATA, IN, OUT, PLAINTEXT, Segment
from ebpf_watching import Watching, watching, why_not

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")]
Certificate = tuple[Path, Path]


def plain(found: list[Segment]) -> list[Segment]:
    return [item for item in found if item.flags & PLAINTEXT]


def wait_for_plain(watch: Watching, port: int, enough: int) -> list[Segment]:
    return watch.wait(lambda items: len(plain(items)) >= enough, lambda item: port in item.ports and item.kind == DATA)


def test_curl_and_python(everything: Watching, certificate: Certificate) -> None:
    key, cert = certificate
    port = free_port()
    with running(*script("web.py", port, key, cert), port=port) as server:
        url = f"https://localhost:{port}"
        assert curl("--http1.1", "--cacert", str(cert), f"{url}/one", f"{url}/two") == "from /onefrom /two"
        found = wait_for_plain(everything, port, 10)
    opened = plain(found)
    asked = [item for item in opened if item.payload.startswith(b"GET /")]
    assert sorted((item.comm == "curl", item.direction, item.payload.split()[1]) for item in asked) == [
        (False, IN, b"/one"), (False, IN, b"/two"), (True, OUT, b"/one"), (True, OUT, b"/two"),
    ]  # fmt: skip
    # both ends of a message: one way, one sequence number on the wire
    for path in (b"/one", b"/two"):
        ends = [item for item in asked if item.payload.split()[1] == path]
        assert len({(item.way, item.tcp_seq) for item in ends}) == 1
    answers = [item for item in opened if item.payload.startswith(b"HTTP/1.1 200")]
    assert len({(item.way, item.tcp_seq) for item in answers}) == 2
    # what is seen on the wire is only the beginning: names in the clear, no application data
    assert {item.payload[:1] for item in found if item.flags & CIPHERTEXT and item.payload} <= {
        b"\x14",
        b"\x15",
        b"\x16",
        b"\x01",
        b"\x02",
    }
    assert b"localhost" in b"".join(item.payload for item in found if item.flags & CIPHERTEXT)
    assert {item.source for item in opened} == {1}
    in_server = [item for item in opened if item.pid == server.pid]
    assert in_server[0].trace_id == in_server[1].trace_id != 0


def test_an_event_loop_whose_tls_is_in_memory(everything: Watching, certificate: Certificate) -> None:
    key, cert = certificate
    port = free_port()
    with running(*script("loop.py", port, "--tls", key, cert), port=port):
        subprocess.run(script("ask.py", port, cert, "/first", "/second"), check=True, timeout=30)
        found = plain(wait_for_plain(everything, port, 8))
    asked = [item for item in found if item.payload.startswith(b"GET")]
    assert sorted((item.direction, item.payload.split()[1]) for item in asked) == [
        (IN, b"/first"), (IN, b"/second"), (OUT, b"/first"), (OUT, b"/second"),
    ]  # fmt: skip
    assert len({item.socket_id for item in asked}) == 2


def test_nginx(everything: Watching, certificate: Certificate, tmp_path: Path) -> None:
    needs("nginx")
    key, cert = certificate
    port, leaf = free_port(), free_port()
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; master_process on; worker_processes 1; pid {tmp_path}/pid; error_log /dev/null; user root;\n"
        "events {}\n"
        f"http {{ access_log off; server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {cert}; ssl_certificate_key {key};\n"
        f"location /file {{ root {tmp_path}; }} location / {{ proxy_pass http://127.0.0.1:{leaf}; }} }} }}\n"
    )
    (tmp_path / "file").write_text("a file " * 1000)
    nginx = Path("/usr/sbin/nginx")
    with (
        running(*script("web.py", leaf), port=leaf),
        running(nginx, "-c", tmp_path / "nginx.conf", "-p", tmp_path, port=port),
    ):
        assert curl("--http1.1", "--cacert", str(cert), f"https://localhost:{port}/through") == "from /through"
        assert len(curl("--http1.1", "--cacert", str(cert), f"https://localhost:{port}/file")) == 7000
        found = everything.wait(
            lambda items: len([i for i in items if b"/through" in i.payload]) >= 4,
            lambda i: {port, leaf} & i.ports and i.kind == DATA,  # type: ignore[arg-type,return-value]
        )
        everything.wait(bool, lambda i: port in i.ports and b"a file" in i.payload)
    asked = {
        (item.comm, item.direction, bool(item.flags & PLAINTEXT)) for item in found if b" /through HTTP" in item.payload
    }
    assert asked >= {("curl", OUT, True), ("nginx", IN, True), ("nginx", OUT, False)}
    # one thread, one request at a time: what came in over TLS and what went out in the clear belong together
    received = next(i for i in found if i.comm == "nginx" and i.direction == IN and b"/through" in i.payload)
    passed_on = next(i for i in found if i.comm == "nginx" and i.direction == OUT and b"/through" in i.payload)
    assert received.trace_id == passed_on.trace_id != 0


def test_gnutls(everything: Watching, certificate: Certificate) -> None:
    needs("gnutls-serv")
    key, cert = certificate
    port = free_port()
    with running(
        "gnutls-serv",
        "--http",
        "--quiet",
        "--port",
        str(port),
        "--x509keyfile",
        str(key),
        "--x509certfile",
        str(cert),
        port=port,
    ):
        time.sleep(0.3)
        curl("-k", "--http1.1", f"https://localhost:{port}/gnu")
        found = plain(wait_for_plain(everything, port, 4))
    asked = [item for item in found if b"GET /gnu" in item.payload]
    assert {(item.comm, item.source, item.direction) for item in asked} == {("curl", 1, OUT), ("gnutls-serv", 2, IN)}
    assert len({item.tcp_seq for item in asked}) == 1


BUSY = """
import ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); context.load_cert_chain(sys.argv[2], sys.argv[1])
near, far = ssl.MemoryBIO(), ssl.MemoryBIO()
server = context.wrap_bio(near, far, server_side=True)
client = ssl.create_default_context(cafile=sys.argv[2]).wrap_bio(far, near, server_hostname="localhost")
for turn in range(10):
    for end in (client, server):
        try: end.do_handshake()
        except ssl.SSLWantReadError: pass
while True: client.write(b"x"); server.read(1)
"""


def test_switches_and_the_guard_of_costs(certificate: Certificate) -> None:
    key, cert = certificate
    port, other = free_port(), free_port()
    with (
        running(*script("web.py", port, key, cert), port=port),
        running(*script("loop.py", other, "--tls", key, cert), port=other),
        watching(
            tls={"processes": ["python*"], "exclude": ["curl"], "calls_per_second": 100, "rescan_s": 0.3}
        ) as watch,
    ):
        curl("--http1.1", "--cacert", str(cert), f"https://localhost:{port}/quiet")
        found = wait_for_plain(watch, port, 3)
        # only what may be looked into was looked into
        assert {item.comm for item in plain(found)} == {Path(sys.executable).resolve().name[:15]} or "curl" not in {
            item.comm for item in plain(found)
        }
        assert any(b"/quiet" in item.payload for item in plain(found))
        with running(sys.executable, "-c", BUSY, key, cert):
            end = time.monotonic() + 20
            while not watch.counter("left_out", "tls_too_busy", "processes") and time.monotonic() < end:
                time.sleep(0.1)
        assert watch.counter("left_out", "tls_too_busy", "processes") == 1
        # the others are looked into as before
        curl("--http1.1", "--cacert", str(cert), f"https://localhost:{port}/after")
        assert watch.wait(bool, lambda i: b"GET /after" in i.payload and bool(i.flags & PLAINTEXT))
