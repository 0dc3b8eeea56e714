"""ClickHouse's HTTP interface over chDB, as much of it as clients need: ``python http_double.py DIR``; prints its port.

A double of a server, for no ClickHouse server is to be had here: the parser, the engine and the functions are the real ones, the network
interface is this file.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import threading
import urllib.parse
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import chdb

PATH = sys.argv[1]
LOCAL = threading.local()
ROOT = chdb.connect(PATH)
NOT_SETTINGS = {
    "database", "query", "session_id", "compress", "decompress", "client_protocol_version", "send_progress_in_http_headers",
    "wait_end_of_query", "query_id", "enable_http_compression", "http_headers_progress_interval_ms", "user", "password", "role",
    "default_format", "buffer_size",
}  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._run(b"")

    def do_POST(self) -> None:
        length = self.headers.get("content-length")
        if length is None:
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(length))
        if self.headers.get("content-encoding") == "gzip":
            body = zlib.decompress(body, 31)
        self._run(body)

    def _run(self, body: bytes) -> None:
        parts = urllib.parse.urlsplit(self.path)
        if parts.path == "/ping":
            self._answer(200, b"Ok.\n")
            return
        query = {key: values[0] for key, values in urllib.parse.parse_qs(parts.query, keep_blank_values=True).items()}
        if not hasattr(LOCAL, "session"):
            LOCAL.session = chdb.connect(PATH)
        try:
            self._answer(200, self._statement(query, body))
        except Exception as error:
            message = str(error)
            found = re.search(r"Code: (\d+)", message)
            self._answer(500, message.encode(), found.group(1) if found else "1000")

    def _statement(self, query: dict[str, str], body: bytes) -> bytes:
        whole = query["query"].encode() + b"\n" + body if "query" in query else body
        insert = re.match(rb"(?is)\s*insert\s+into\s.*?\sformat\s+native\s?", whole)
        if insert is not None:
            with tempfile.NamedTemporaryFile() as file:
                file.write(whole[insert.end() :])
                file.flush()
                head = re.sub(
                    r"(?i)\s(settings\s.*?)?\s?format\s+native\s*$",
                    rf" FROM INFILE '{file.name}' \1 FORMAT Native",
                    insert.group().decode(),
                    flags=re.DOTALL,
                )
                LOCAL.session.query(head, "CSV")
            return b""
        sql = whole.decode()
        wanted = re.search(r"(?is)\bformat\s+(\w+)\s*;?\s*$", sql)
        shape = wanted.group(1) if wanted else query.get("default_format", "TabSeparated")
        sql = sql[: wanted.start()] if wanted else sql
        settings = {
            key: value for key, value in query.items() if key not in NOT_SETTINGS and not key.startswith("param_")
        }
        if "query_id" in query:
            settings["log_comment"] = query["query_id"]
        sql = re.sub(r"(?i)^KILL QUERY WHERE query_id", "KILL QUERY WHERE Settings['log_comment']", sql.strip())
        if settings and re.match(r"(?is)\s*(select|with)\b", sql) and not re.search(r"(?is)\bsettings\s+\w+\s*=", sql):
            shown = (
                f"{key} = {value}" if re.fullmatch(r"-?[0-9.]+", value) else f"{key} = '{value}'"
                for key, value in settings.items()
            )
            sql += f" SETTINGS {', '.join(shown)}"
        result = LOCAL.session.query(sql, shape)
        return bytes(result.bytes()) if result is not None and result.size() else b""

    def _answer(self, status: int, body: bytes, code: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-ClickHouse-Timezone", "UTC")
        if code:
            self.send_header("X-ClickHouse-Exception-Code", code)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True


if __name__ == "__main__":
    server = Server(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 0), Handler)
    os.write(1, f"{server.server_address[1]}\n".encode())
    server.serve_forever()
