"""Makes the small captures of real servers next to this file, with what the servers were asked in ``conversations.json``.

Run as root from the repository: ``.venv/bin/python plugins/engine-flow/tests/captures/make_conversations.py``. Needs nginx,
curl, redis-server, mariadbd, sysbench, dnsmasq, dnsperf and tcpdump; works in two namespaces that it makes and removes.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[3]))

from bench import captures as servers  # noqa: E402
from bench.namespaces import Process, Wire, run  # noqa: E402


def http(wire: Wire, folder: Path) -> int:
    """Forty requests on keep-alive connections: found, not found, HEAD, POST that is not allowed."""
    www = folder / "www"
    www.mkdir()
    (www / "small.html").write_text("x" * 200)
    (www / "middle.json").write_text("y" * 3000)
    (folder / "nginx.conf").write_text(servers.NGINX.format(dir=folder, address=wire.server.address, port=8080))
    base = f"http://{wire.server.address}:8080"
    with Process(wire.server.command("nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"))):
        time.sleep(1)
        with wire.capture(HERE / "http.pcap", "tcp port 8080"):
            for _ in range(5):
                urls = [f"{base}/small.html", f"{base}/middle.json?id=7", f"{base}/missing", f"{base}/small.html?a=b"]
                run(*wire.client.command("curl", "-s", *urls))
                run(*wire.client.command("curl", "-s", "-I", urls[0], urls[2]))
                run(*wire.client.command("curl", "-s", "-d", "a=1", urls[0], urls[1]))
            time.sleep(1)
    return 40


def redis(wire: Wire, folder: Path) -> int:
    """A short benchmark, plain and pipelined; the count is the server's."""
    words = wire.server.command("redis-server", "--port", "6379", "--bind", wire.server.address, "--protected-mode", "no",
                                "--save", "", "--dir", str(folder))  # fmt: skip
    client = wire.client.command("redis-cli", "-h", wire.server.address)
    bench = wire.client.command("redis-benchmark", "-h", wire.server.address, "-q", "-c", "4")
    with Process(words):
        time.sleep(1)
        run(*client, "config", "resetstat")
        with wire.capture(HERE / "redis.pcap", "tcp port 6379"):
            run(*bench, "-n", "40", "-t", "set,get,lpush")
            run(*bench, "-n", "80", "-P", "8", "-t", "set,get")
            time.sleep(1)
        stats = run(*client, "info", "commandstats")
    return sum(int(line.split("calls=")[1].split(",")[0]) for line in stats.splitlines() if "calls=" in line) - 1


def dns(wire: Wire, folder: Path) -> int:
    """A hundred questions, half of them for names that do not exist."""
    (folder / "hosts").write_text("".join(f"10.9.0.{n} host{n}.example.test\n" for n in range(1, 51)))
    (folder / "queries").write_text("".join(f"host{n}.example.test A\n" for n in range(100)))
    words = wire.server.command("dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null",
                                f"--addn-hosts={folder / 'hosts'}", "--port=5353", "--local=/example.test/", "--user=root",
                                f"--listen-address={wire.server.address}", "--bind-interfaces",
                                f"--pid-file={folder / 'pid'}")  # fmt: skip
    with Process(words):
        time.sleep(1)
        with wire.capture(HERE / "dns.pcap", "udp port 5353"):
            run(*wire.client.command("dnsperf", "-s", wire.server.address, "-p", "5353", "-d", str(folder / "queries"), "-n", "1",
                                     "-c", "3"))  # fmt: skip
            time.sleep(1)
    return 100


def mysql(wire: Wire, folder: Path) -> int:
    """Logins, text statements and prepared ones. Counted: statements and prepares by the server, and the logins."""
    data = folder / "data"
    run(
        "mariadb-install-db",
        "--no-defaults",
        f"--datadir={data}",
        "--user=root",
        "--auth-root-authentication-method=normal",
    )
    words = wire.server.command("mariadbd", "--no-defaults", f"--datadir={data}", "--user=root", "--port=3306", "--skip-name-resolve",
                                f"--bind-address={wire.server.address}", f"--socket={folder / 's'}",
                                f"--pid-file={folder / 'pid'}")  # fmt: skip
    admin = ["mariadb", "--no-defaults", f"--socket={folder / 's'}", "-uroot", "-NBe"]
    sysbench = wire.client.command("sysbench", "--db-driver=mysql", f"--mysql-host={wire.server.address}", "--mysql-user=sb",
                                   "--mysql-password=sb", "--tables=1", "--table-size=100", "--threads=2", "--time=0")  # fmt: skip
    with Process(words):
        time.sleep(4)
        run(*admin, "create database sbtest; create user sb@'%' identified by 'sb'; grant all on *.* to sb@'%'")
        run(*sysbench, "oltp_read_write", "prepare")
        status = "show global status where Variable_name in ('Com_select','Com_insert','Com_update','Com_delete','Com_begin'," \
                 "'Com_commit','Com_stmt_prepare')"  # fmt: skip
        before = run(*admin, status)
        with wire.capture(HERE / "mysql.pcap", "tcp port 3306"):
            run(*sysbench, "oltp_read_write", "--db-ps-mode=disable", "--events=4", "run")
            run(*sysbench, "oltp_point_select", "--db-ps-mode=auto", "--events=20", "run")
            time.sleep(1)
        after = run(*admin, status)
    return _sum(after) - _sum(before) + 4


def _sum(text: str) -> int:
    return sum(int(line.split("\t")[1]) for line in text.splitlines())


MAKERS: dict[str, Callable[[Wire, Path], int]] = {"http": http, "redis": redis, "mysql": mysql, "dns": dns}


def main() -> None:
    """Make them all."""
    truth: dict[str, int] = {}
    with Wire("e3ns") as wire:
        for name, make in MAKERS.items():
            with tempfile.TemporaryDirectory() as folder:
                Path(folder).chmod(0o755)
                truth[name] = make(wire, Path(folder))
    (HERE / "conversations.json").write_text(json.dumps(truth, indent=2) + "\n")


if __name__ == "__main__":
    main()
