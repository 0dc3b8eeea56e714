"""A real nginx on loopback, a real capture: the rows are the lines of the server's own log."""

from __future__ import annotations

import http.client
import socket
import time
from collections import Counter
from pathlib import Path

import pytest

from metaflow_core.testing import free_port, peers_missing, recorded, replay, running

NGINX = """
worker_processes 1; daemon off; pid {dir}/nginx.pid; error_log {dir}/error.log;
events {{ worker_connections 64; }}
http {{
  log_format plain '$request_method $request_uri $status'; access_log {dir}/access.log plain;
  client_body_temp_path {dir}/a; proxy_temp_path {dir}/b; fastcgi_temp_path {dir}/c; uwsgi_temp_path {dir}/d;
  scgi_temp_path {dir}/e; gzip on; gzip_types *; gzip_min_length 1; client_max_body_size 10m;
  server {{
    listen 127.0.0.1:{port};
    location / {{ root {dir}/www; }} location /busy {{ return 503; }} location /moved {{ return 302 /; }}
    location /put {{ proxy_pass http://127.0.0.1:{upstream}; }}
  }}
  server {{ listen 127.0.0.1:{upstream}; access_log off; location / {{ return 204; }} }}
}}
"""


NEEDS = peers_missing("nginx", "tcpdump", root=True)
pytestmark = [pytest.mark.peer, pytest.mark.root, pytest.mark.skipif(bool(NEEDS), reason=NEEDS)]


def _talk(port: int) -> None:
    """Keep-alive, errors, HEAD, compression, chunked and awaited bodies, a pipeline, a body that ends with the connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    for number in range(200):
        path = ("/small.txt", "/big.txt", "/none", "/busy", "/moved")[number % 5]
        headers = {"X-Request-ID": f"r-{number}", "Accept-Encoding": "gzip" if number % 2 else "identity"}
        connection.request("HEAD" if number % 7 == 0 else "GET", f"{path}?n={number}", headers=headers)
        connection.getresponse().read()
    connection.request(
        "PUT",
        "/put/chunked",
        body=(b"x" * 10_000 for _ in range(20)),
        encode_chunked=True,
        headers={"Transfer-Encoding": "chunked"},
    )
    connection.getresponse().read()
    connection.close()
    requests = [
        b"PUT /put/awaited HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
        b"body" + b"".join(b"GET /small.txt?p=%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(50)),
        b"GET /big.txt HTTP/1.0\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n",
    ]
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        for request in requests:
            raw.sendall(request)
            time.sleep(0.1)
        while raw.recv(65536):
            pass


def test_rows_are_the_servers_log(tmp_path: Path) -> None:
    """Every line of the access log is one paired row, and nothing else is."""
    port, upstream, capture = free_port(), free_port(), tmp_path / "http.pcap"
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "small.txt").write_text("small\n")
    (tmp_path / "www" / "big.txt").write_text("".join(f"HTTP/1.1 200 OK {number}\r\n\r\n" for number in range(20_000)))
    tmp_path.chmod(0o755)
    (tmp_path / "nginx.conf").write_text(NGINX.format(dir=tmp_path, port=port, upstream=upstream))
    with running("nginx", "-c", str(tmp_path / "nginx.conf")) as server:
        server.wait_for(port)
        with recorded(capture, f"tcp port {port}"):
            _talk(port)
    log = Counter((tmp_path / "access.log").read_text().splitlines())
    rows = replay(capture, parsers=["http"])
    found = Counter(f"{row['request_type']} {row['request_resource']} {row['response_code']}" for row in rows)
    assert found == log
    assert {row["type"] for row in rows} == {"session"}
    assert sum(row["x_request_id_0"].startswith("r-") for row in rows) == 200
