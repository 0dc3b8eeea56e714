"""Every protocol in the kernel: a real client asks a real server, and the rows of both processes are exactly its exchanges.

One collector and one engine for all; each client and server is a process of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

import metaflow_core as mf
from metaflow_core.sdk import Rows
from metaflow_core.testing import free_port

HERE = Path(__file__).parent
PLUGINS = HERE.parents[2] / "plugins"
PATH = ":".join([*map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"))), os.environ["PATH"], "/usr/sbin"])
TABLE = "flow_log.l7_flow_log"
PEERS = PLUGINS / "parser-dubbo" / "tests" / "peers"


def may_watch() -> str:
    """Why the kernel cannot be watched here, empty when it can."""
    try:
        from metaflow_collector_ebpf.probe import examine
    except ImportError as error:
        return f"needs metaflow-collector-ebpf: {error}"
    return "; ".join(item.sentence for item in examine() if item.needed and not item.ok)


pytestmark = [
    pytest.mark.root,
    pytest.mark.peer,
    pytest.mark.skipif(bool(may_watch()), reason=may_watch() or "-"),
]


class Place:
    """Where servers are started: a folder, processes that end with it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._stack = stack
        (folder / "www").mkdir()
        (folder / "www" / "small.txt").write_text("small\n")
        (folder / "www" / "big.bin").write_bytes(bytes(range(256)) * 1200)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "key.pem", "-out", folder / "cert.pem",
             "-days", "2", "-subj", "/CN=localhost"],
            check=True, capture_output=True,
        )  # fmt: skip

    def run(self, *command: object, **options: Any) -> subprocess.Popen[str]:
        """A program until the end of the tests."""
        words = [str(each) for each in command]
        words[0] = shutil.which(words[0], path=PATH) or words[0]
        return self._stack.enter_context(_running(words, options))


@contextmanager
def _running(words: list[str], options: dict[str, Any]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL, text=True, **{"stdout": subprocess.DEVNULL, **options})
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(port: int) -> None:
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"nobody listens on port {port}")


def nginx(place: Place, port: int, tls: bool) -> None:
    home = place.folder / f"nginx-{port}"
    home.mkdir()
    listen = f"listen 127.0.0.1:{port}" + (
        f" ssl http2; ssl_certificate {place.folder}/cert.pem; ssl_certificate_key {place.folder}/key.pem;"
        " ssl_protocols TLSv1.2 TLSv1.3;"
        if tls
        else ";"
    )
    (home / "nginx.conf").write_text(
        f"daemon off; user root; worker_processes 1; pid {home}/pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; server {{ {listen} root {place.folder}/www; }} }}\n"
    )
    place.run("nginx", "-p", home, "-c", home / "nginx.conf")


def python(place: Place, name: str, port: int) -> int:
    served = place.run(sys.executable, HERE / "servers.py", name, port, stdout=subprocess.PIPE)
    assert served.stdout is not None
    return int(served.stdout.readline())


def mosquitto(place: Place, port: int) -> None:
    (place.folder / "mosquitto.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n")
    place.run("mosquitto", "-c", place.folder / "mosquitto.conf")


def postgres(place: Place, port: int) -> None:
    home = place.folder / "postgres"
    home.mkdir()
    shutil.chown(home, "nobody")
    initdb = [
        shutil.which("initdb", path=PATH) or "initdb",
        "-D",
        home / "data",
        "-U",
        "postgres",
        "--auth=trust",
        "-N",
    ]
    subprocess.run(initdb, user="nobody", cwd=home, capture_output=True, check=True, timeout=120)
    options = ["-c", f"port={port}", "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={home}"]
    place.run("postgres", "-D", home / "data", *options, "-c", "fsync=off", user="nobody", cwd=home)


def mariadb(place: Place, port: int) -> None:
    data = place.folder / "mariadb"
    install = ["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--user=root", "--skip-test-db"]
    install.append("--auth-root-authentication-method=normal")
    subprocess.run(install, capture_output=True, check=True, timeout=120)
    server = ("mariadbd", "--no-defaults", "--user=root", f"--datadir={data}", f"--port={port}", "--skip-log-bin")
    place.run(*server, f"--socket={place.folder}/mariadb.sock", "--bind-address=127.0.0.1")


def dnsmasq(place: Place, port: int) -> None:
    options = ["--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--bind-interfaces", "--user=root"]
    options += ["--listen-address=127.0.0.1", f"--port={port}", f"--pid-file={place.folder}/dnsmasq.pid"]
    records = ["--address=/a.test/192.0.2.1", "--address=/a.test/2001:db8::1", "--local=/nx.test/"]
    place.run("dnsmasq", *options, *records)


def nghttpd(place: Place, port: int) -> None:
    place.run("nghttpd", "--no-tls", "-a", "127.0.0.1", "-d", place.folder / "www", port)


def redis(place: Place, port: int) -> None:
    place.run("redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", place.folder, "--save", "")


def dubbo(place: Place, port: int) -> subprocess.Popen[str]:
    return place.run("node", PEERS / "talk.js", port, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


# What must be installed, and what starts the server.
SERVERS: Mapping[str, tuple[tuple[str, ...], Callable[[Place, int], Any]]] = {
    "http": (("nginx", "curl"), lambda place, port: nginx(place, port, tls=False)),
    "https": (("nginx", "curl"), lambda place, port: nginx(place, port, tls=True)),
    "tls": (("nginx", "curl"), lambda place, port: nginx(place, port, tls=True)),
    "http2": (("nghttpd", "nghttp", "curl"), nghttpd),
    "grpc": (("python:grpc",), lambda place, port: python(place, "grpc", port)),
    "dubbo": (("node", f"{PEERS}/node_modules/dubbo-remoting"), dubbo),
    "kafka": (("python:confluent_kafka",), lambda place, port: python(place, "kafka", port)),
    "mqtt": (("mosquitto", "python:paho"), mosquitto),
    "postgresql": (("initdb", "postgres", "python:psycopg"), postgres),
    "mysql": (("mariadbd", "mariadb-install-db", "python:pymysql"), mariadb),
    "redis": (("redis-server", "python:redis"), redis),
    "dns": (("dnsmasq",), dnsmasq),
}
# Rows that a client or library adds by itself, as many as it likes.
BESIDE: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "https": lambda row: row["l7_protocol"] == "TLS",
    "tls": lambda row: row["l7_protocol"] != "TLS",
    "dubbo": lambda row: row["request_type"] == "heartbeat",
    "kafka": lambda row: row["request_type"] not in ("Produce", "JoinGroup", "SyncGroup", "LeaveGroup"),
    "mysql": lambda row: row["request_type"] != "COM_QUERY" or row["endpoint"] == "SET",
    "redis": lambda row: row["request_type"] in ("HELLO", "CLIENT"),
}


def lacks(name: str) -> str:
    """What is not installed here, empty when everything is."""
    for need in SERVERS[name][0]:
        kind, _, module = need.partition(":")
        there = (
            find_spec(module) if kind == "python" and module else Path(need).exists() or shutil.which(need, path=PATH)
        )
        if not there:
            return f"not installed: {need.removeprefix('python:')}"
    return ""


class Watched:
    """The servers' ports, and the rows that the kernel's way gave so far."""

    def __init__(
        self, app: mf.SyncApp, catalog: mf.Catalog, ports: Mapping[str, int], dubbo: subprocess.Popen[str] | None
    ) -> None:
        self.ports = ports
        self.dubbo = dubbo
        self._rows: list[Mapping[str, Any]] = []
        self._app = app
        self._catalog = catalog
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for batch in self._app.tap("kernel", 4096):
            if batch.table == TABLE:
                one = [batch.data]
                self._rows += Rows(TABLE, lambda one=one: iter(one), self._catalog, self._catalog.table(TABLE))

    def talk(self, name: str) -> list[dict[str, Any]]:
        """What the client says that it asked and was told."""
        if name == "dubbo":
            assert self.dubbo is not None
            self.dubbo.communicate("go\n", timeout=60)
        command = [sys.executable, str(HERE / "talks.py"), name, str(self.ports[name])]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found

    def rows(self, name: str, enough: int) -> list[Mapping[str, Any]]:
        """The rows about a server that are not beside the matter: when they are enough and no more come, or after a while."""
        is_beside = BESIDE.get(name, lambda row: False)
        found: list[Mapping[str, Any]] = []
        for _ in range(80):
            before = len(found)
            found = [row for row in list(self._rows) if row["server_port"] == self.ports[name] and not is_beside(row)]
            if len(found) >= enough and len(found) == before:
                break
            time.sleep(0.25)
        return found


@pytest.fixture(scope="module")
def watched() -> Iterator[Watched]:
    # Not pytest's folder, which is its user's alone: PostgreSQL does not run as root.
    with TemporaryDirectory(prefix="metaflow-protocols-") as folder, ExitStack() as stack:
        Path(folder).chmod(0o755)
        place = Place(Path(folder), stack)
        ports = {name: free_port() for name in SERVERS if not lacks(name)}
        # Databases make their files first: all at once.
        with ThreadPoolExecutor(4) as pool:
            pending = {name: pool.submit(SERVERS[name][1], place, port) for name, port in ports.items()}
        started = {name: each.result() for name, each in pending.items()}
        # librdkafka's broker chooses its port itself.
        if "kafka" in started:
            ports["kafka"] = started["kafka"]
        for port in ports.values():
            wait_for(port)
        config = {
            "collectors": {"ebpf": {"ports": tuple(ports.values())}},
            "pipelines": {"kernel": {"collectors": ["ebpf"], "parsers": ["*"], "storages": ["memory"]}},
        }
        app = mf.App(config, autoload=True)
        running = stack.enter_context(mf.SyncApp(app))
        yield Watched(running, app.catalog, ports, started.get("dubbo"))


@pytest.mark.parametrize("name", SERVERS)
def test_rows_are_the_exchanges_of_the_client(watched: Watched, name: str) -> None:
    """Nothing more, nothing less, at both ends, with names and codes."""
    if lacks(name):
        pytest.skip(lacks(name))
    told = watched.talk(name)
    columns = sorted(told[0])
    expected = Counter(tuple(str(each[column])[:30] for column in columns) for each in told)
    rows = watched.rows(name, 2 * len(told))
    for point in ("c-p", "s-p"):
        seen = Counter(
            tuple(str(row[column])[:30] for column in columns) for row in rows if row["observation_point"] == point
        )
        assert seen == expected, f"{point}: {columns}: not asked: {seen - expected}, missing: {expected - seen}"
    assert {row["type"] for row in rows} == {"session"}
    assert {row["signal_source"] for row in rows} == {"ebpf"}
