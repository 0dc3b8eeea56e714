"""Captures with a known truth: real servers under load, and what they themselves counted.

Each maker runs its server in one namespace, its load generator in the other, captures at the server and returns the
file with the number of exchanges that the *server* says it answered.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.namespaces import Process, Wire, run

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Capture:
    """A capture file, its protocol, packets in it, and the exchanges that the server counted."""

    protocol: str
    path: Path
    port: int
    packets: int
    exchanges: int
    truth: str


NGINX = """
worker_processes 1; daemon off; error_log {dir}/error.log; pid {dir}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
  access_log {dir}/access.log; keepalive_requests 1000; client_body_temp_path {dir}/body;
  fastcgi_temp_path {dir}/f; proxy_temp_path {dir}/p; scgi_temp_path {dir}/s; uwsgi_temp_path {dir}/u;
  server {{ listen {address}:{port}; root {dir}/www; }}
}}
"""

WRK = """
local n = 0
local paths = {"/small.html", "/middle.json", "/small.html", "/large.bin", "/missing", "/middle.json?id=", "/small.html"}
request = function()
  n = n + 1
  local path = paths[n % #paths + 1]
  if path:sub(-1) == "=" then path = path .. n end
  if n % 7 == 0 then return wrk.format("POST", path, nil, "a=1&b=2") end
  return wrk.format("GET", path)
end
"""


def http(wire: Wire, folder: Path, scale: float) -> Capture:
    """nginx under wrk: 200 B, 1 kB and 20 kB bodies, GET and POST, 200, 404 and 405, keep-alive of 1000 requests."""
    port, www = 8080, folder / "www"
    www.mkdir(parents=True, exist_ok=True)
    for name, size in (("small.html", 200), ("middle.json", 1000), ("large.bin", 20_000)):
        (www / name).write_bytes(b"x" * size)
    (folder / "access.log").unlink(missing_ok=True)
    (folder / "nginx.conf").write_text(NGINX.format(dir=folder, address=wire.server.address, port=port))
    (folder / "mix.lua").write_text(WRK)
    server = Process(wire.server.command("nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")))
    with server:
        _wait(wire, port)
        (folder / "access.log").write_text("")
        path = folder / "http.pcap"
        with wire.capture(path, f"tcp port {port}"):
            url = f"http://{wire.server.address}:{port}/"
            seconds = max(1, round(12 * scale))
            run(*wire.client.command("wrk", "-t1", "-c40", f"-d{seconds}s", "-s", str(folder / "mix.lua"), url))
            time.sleep(1)
    answered = sum(
        1 for line in (folder / "access.log").open() if '" 499 ' not in line and '"-"' not in line.split('"', 2)[1]
    )
    return Capture("http", path, port, count(path), answered, "lines of the access log")


def redis(wire: Wire, folder: Path, scale: float) -> Capture:
    """redis-server under redis-benchmark, plain and pipelined."""
    port = 6379
    words = wire.server.command("redis-server", "--port", str(port), "--bind", wire.server.address, "--protected-mode", "no",
                                "--save", "", "--appendonly", "no", "--dir", str(folder))  # fmt: skip
    client = wire.client.command("redis-cli", "-h", wire.server.address, "-p", str(port))
    with Process(words):
        _wait(wire, port)
        run(*client, "config", "resetstat")
        path = folder / "redis.pcap"
        bench = wire.client.command("redis-benchmark", "-h", wire.server.address, "-p", str(port), "-q")
        with wire.capture(path, f"tcp port {port}"):
            run(*bench, "-n", str(int(50_000 * scale)), "-c", "50", "-t", "set,get,incr,lpush,hset")
            run(*bench, "-n", str(int(100_000 * scale)), "-c", "50", "-P", "8", "-t", "set,get")
            time.sleep(1)
        stats = run(*client, "info", "commandstats") + run(*client, "info", "errorstats")
    calls = sum(int(number) for number in re.findall(r"^cmdstat_\S*?:calls=(\d+)", stats, re.MULTILINE))
    # The client that resets and reads the statistics is outside the capture but inside the counts: resetstat itself,
    # and the two INFO calls (the first is not yet counted when it answers).
    return Capture("redis", path, port, count(path), calls - 1, "commandstats")


def dns(wire: Wire, folder: Path, scale: float) -> Capture:
    """dnsmasq under dnsperf: names that exist, names that do not, A and AAAA."""
    port = 5353
    hosts = "".join(f"10.9.{n // 250}.{n % 250 + 1} host{n}.example.test\n" for n in range(500))
    (folder / "hosts").write_text(hosts)
    lines = "".join(f"host{n}.example.test {'A' if n % 3 else 'AAAA'}\n" for n in range(1000))
    (folder / "queries").write_text(lines)
    words = wire.server.command("dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null",
                                f"--addn-hosts={folder / 'hosts'}", f"--port={port}", "--local=/example.test/",
                                f"--listen-address={wire.server.address}", "--bind-interfaces", "--user=root",
                                f"--pid-file={folder / 'dnsmasq.pid'}")  # fmt: skip
    path = folder / "dns.pcap"
    with Process(words):
        time.sleep(1)
        with wire.capture(path, f"udp port {port}"):
            output = run(*wire.client.command("dnsperf", "-s", wire.server.address, "-p", str(port), "-d",
                                              str(folder / "queries"), "-n", str(max(1, int(125 * scale))), "-c", "10",
                                              "-q", "100"))  # fmt: skip
            time.sleep(1)
    found = re.search(r"Queries completed:\s+(\d+)", output)
    return Capture("dns", path, port, count(path), int(found[1]) if found else 0, "answers that dnsperf received")


def mysql(wire: Wire, folder: Path, scale: float) -> Capture:
    """MariaDB under sysbench: transactions and point selects by text, point selects by prepared statements."""
    port, data = 3306, folder / "mysql"
    if not data.exists():
        run(
            "mariadb-install-db",
            "--no-defaults",
            f"--datadir={data}",
            "--user=root",
            "--auth-root-authentication-method=normal",
        )
    words = wire.server.command("mariadbd", "--no-defaults", f"--datadir={data}", "--user=root", f"--port={port}",
                                f"--bind-address={wire.server.address}", f"--socket={folder / 'mysql.sock'}",
                                f"--pid-file={folder / 'mysql.pid'}", "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0",
                                "--skip-log-bin")  # fmt: skip
    admin = ["mariadb", "--no-defaults", f"--socket={folder / 'mysql.sock'}", "-uroot", "-NBe"]
    with Process(words):
        _wait(wire, port)
        run(*admin, "create database if not exists sbtest; create or replace user sb@'%' identified by 'sb';"
                    " grant all on *.* to sb@'%'")  # fmt: skip
        common = wire.client.command("sysbench", "--db-driver=mysql", f"--mysql-host={wire.server.address}", f"--mysql-port={port}",
                                     "--mysql-user=sb", "--mysql-password=sb", "--tables=1", "--table-size=1000", "--threads=8",
                                     "--time=0")  # fmt: skip
        run(*common, "oltp_read_write", "cleanup")
        run(*common, "oltp_read_write", "prepare")
        path = folder / "mysql.pcap"
        before = _commands(run(*admin, "show global status like 'Com_%'; show global status like 'Connections'"))
        with wire.capture(path, f"tcp port {port}"):
            run(*common, "oltp_read_write", "--db-ps-mode=disable", f"--events={int(2_500 * scale)}", "run")
            run(*common, "oltp_point_select", "--db-ps-mode=disable", f"--events={int(60_000 * scale)}", "run")
            run(*common, "oltp_point_select", "--db-ps-mode=auto", f"--events={int(40_000 * scale)}", "run")
            time.sleep(1)
        after = _commands(run(*admin, "show global status like 'Com_%'; show global status like 'Connections'"))
    gone = {name: after[name] - before.get(name, 0) for name in after}
    # Executing a prepared select counts as Com_stmt_execute and as Com_select. The second status query came by a
    # connection of its own, inside the counts but outside the capture.
    names = ("select", "insert", "delete", "update", "begin", "commit", "stmt_prepare")
    statements = sum(gone.get(f"Com_{name}", 0) for name in names)
    logins = gone.get("Connections", 1) - 1
    return Capture("mysql", path, port, count(path), statements + logins, "Com_* counters and logins")


MAKERS: dict[str, Callable[[Wire, Path, float], Capture]] = {"http": http, "redis": redis, "mysql": mysql, "dns": dns}


def count(path: Path) -> int:
    """Packets in a classic little-endian pcap file."""
    packets = 0
    with path.open("rb") as stream:
        stream.seek(24)
        while len(head := stream.read(16)) == 16:
            stream.seek(int.from_bytes(head[8:12], "little"), 1)
            packets += 1
    return packets


def _commands(text: str) -> dict[str, int]:
    rows = (line.split("\t") for line in text.splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}


def _wait(wire: Wire, port: int) -> None:
    probe = f"import socket; socket.create_connection(('{wire.server.address}', {port}), 1).close()"
    for _ in range(100):
        try:
            run(*wire.client.command("python3", "-c", probe))
        except RuntimeError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(
        f"nothing listens on {wire.server.address}:{port} in namespace {wire.server.namespace} after 20 s"
    )
