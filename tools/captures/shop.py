"""``python -m tools.captures.shop FILE``: a small shop on loopback, captured while people buy.

nginx stands in front of a service written in Python, which asks Redis, MariaDB and a DNS server (dnsmasq). Some requests fail,
some are slow. Needs root (tcpdump) and the servers; everything it starts is stopped by process id.
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pymysql
import redis

NGINX, SHOP, REDIS, MYSQL, DNS = 18080, 18081, 16379, 13306, 15353


@contextlib.contextmanager
def program(*command: str, port: int | None = None) -> Iterator[None]:
    """Run a server until the block ends; wait until it listens."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            if port is None:
                break
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
                break
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(20)


def lookup(name: str) -> int:
    """Ask the DNS server for an address; returns the response code."""
    query = struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0)
    query += b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0\0\x01\0\x01"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(2)
        sock.sendto(query, ("127.0.0.1", DNS))
        return sock.recv(512)[3] & 15


def database(user: str, name: str | None = None) -> Any:
    """A new connection, as careless services make them."""
    return pymysql.connect(host="127.0.0.1", port=MYSQL, user=user, password="", database=name, autocommit=True)


class Shop(http.server.BaseHTTPRequestHandler):
    """The service behind nginx."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer a request by asking the stores."""
        path = self.path.partition("?")[0]
        status, body = self._answer(path)
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Request-ID", self.headers.get("X-Request-ID", ""))
        self.end_headers()
        self.wfile.write(data)

    def _answer(self, path: str) -> tuple[int, object]:
        cache = redis.Redis(port=REDIS, protocol=2)
        if path.startswith("/cart"):
            cache.incr("cart:1")
            return 200, {"items": int(cache.get("cart:1") or 0)}
        if path.startswith("/catalog"):
            with database("shop", "shop") as db, db.cursor() as cursor:
                cursor.execute("SELECT id, name, price FROM item WHERE price < 100 ORDER BY price")
                return 200, cursor.fetchall()
        if path.startswith("/pay"):
            time.sleep(0.12)
            lookup("bank.shop.test")
            return 200, {"paid": True}
        if path.startswith("/broken"):
            with contextlib.suppress(redis.ResponseError):
                cache.lpush("cart:1", "x")
            with database("shop", "shop") as db, contextlib.suppress(pymysql.Error), db.cursor() as cursor:
                cursor.execute("SELECT * FROM no_such_table")
            lookup("nowhere.shop.test")
            return 500, {"error": "broken"}
        return 404, {"error": "no such page"}

    def log_message(self, format: str, *args: object) -> None:
        """Be silent."""


def servers(folder: Path) -> Sequence[tuple[tuple[str, ...], int]]:
    """The servers' command lines and ports."""
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/nginx.pid; error_log /dev/null; events {{}}\n"
        "http { access_log off; client_body_temp_path " + f"{folder}/body; proxy_temp_path {folder}/proxy;"
        f" fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n"
        f" upstream shop {{ server 127.0.0.1:{SHOP}; keepalive 4; }}\n"
        f" server {{ listen 127.0.0.1:{NGINX}; location / {{ proxy_pass http://shop; proxy_http_version 1.1;\n"
        "  proxy_set_header Connection ''; proxy_set_header Host $host; proxy_set_header X-Request-ID $request_id; } } }\n"
    )
    data = folder / "mysql"
    subprocess.run(
        ["mariadb-install-db", f"--datadir={data}", "--user=root", "--auth-root-authentication-method=normal"],
        check=True, capture_output=True,
    )  # fmt: skip
    return (
        (("redis-server", "--port", str(REDIS), "--save", "", "--dir", str(folder)), REDIS),
        (
            ("mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={folder}/s.sock", "--user=root",
             f"--port={MYSQL}", "--bind-address=127.0.0.1", "--skip-log-bin"),
            MYSQL,
        ),
        (
            ("dnsmasq", "--no-daemon", "--no-resolv", "--no-hosts", f"--port={DNS}", "--listen-address=127.0.0.1",
             "--bind-interfaces", "--address=/bank.shop.test/10.0.0.7", "--local=/shop.test/", "--user=root"),
            DNS,
        ),
        (("nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder)), NGINX),
    )  # fmt: skip


def prepare() -> None:
    """A table to sell from."""
    statements = (
        "CREATE DATABASE shop",
        "CREATE TABLE shop.item (id INT PRIMARY KEY, name VARCHAR(40), price INT)",
        "INSERT INTO shop.item VALUES (1,'lamp',30),(2,'chair',90),(3,'table',300)",
        "CREATE USER shop@'127.0.0.1' IDENTIFIED BY ''",
        "CREATE USER shop@'localhost' IDENTIFIED BY ''",
        "GRANT ALL ON shop.* TO shop@'127.0.0.1'",
        "GRANT ALL ON shop.* TO shop@'localhost'",
    )
    with database("root") as db, db.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def buy() -> None:
    """What people do in the shop: 24 requests, of which two find nothing and two break."""
    connection = http.client.HTTPConnection("127.0.0.1", NGINX)
    pages = ["/catalog/lamps", "/cart/1", "/catalog/chairs", "/cart/1", "/pay/1?by=card", "/missing"]
    for number in range(24):
        path = "/broken/1" if number in {11, 20} else pages[number % 6 if number < 12 else number % 5]
        connection.request("GET", path, headers={"User-Agent": "shop-demo"})
        connection.getresponse().read()
    connection.close()


def main(target: Path) -> None:
    """Make the capture."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        service = http.server.ThreadingHTTPServer(("127.0.0.1", SHOP), Shop)
        threading.Thread(target=service.serve_forever, daemon=True).start()
        stack.callback(service.shutdown)
        for command, port in servers(folder):
            stack.enter_context(program(*command, port=None if port == DNS else port))
        time.sleep(0.5)
        prepare()
        ports = " or ".join(f"port {port}" for port in (NGINX, SHOP, REDIS, MYSQL, DNS))
        with program("tcpdump", "-i", "lo", "-s", "0", "-U", "-w", str(target), ports):
            time.sleep(1)
            buy()
            time.sleep(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
