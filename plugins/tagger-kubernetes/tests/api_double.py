"""An API server over real HTTP that does what tests tell it: lists in pages, watches, and every kind of trouble."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit


class ApiDouble:
    """Objects by path of their list. ``put`` and ``delete`` change them and tell every watch."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, dict[str, Any]]] = {}
        self.single: dict[str, dict[str, Any]] = {}
        self.forbidden: set[str] = set()
        self.expire_continue = 0
        self.gone_watches: set[str] = set()
        self.silent = False
        self.calls: list[tuple[str, dict[str, str]]] = []
        self._version = 100
        self._lock = threading.Lock()
        self._log: list[tuple[int, str, dict[str, Any]]] = []
        self._watches: dict[str, list[queue.Queue[dict[str, Any] | None]]] = {}
        self._server: ThreadingHTTPServer | None = None
        self.port = 0
        self.start()

    def start(self) -> None:
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                double.answer(self)

            def do_POST(self) -> None:
                double.write(self)

            def do_PUT(self) -> None:
                double.write(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        assert self._server is not None
        self.break_watches()
        self._server.shutdown()
        self._server.server_close()

    def put(self, path: str, item: dict[str, Any]) -> None:
        with self._lock:
            self._version += 1
            held = self.objects.setdefault(path, {})
            kind = "MODIFIED" if item["metadata"]["uid"] in held else "ADDED"
            item["metadata"]["resourceVersion"] = str(self._version)
            held[item["metadata"]["uid"]] = item
            self._tell(path, {"type": kind, "object": item})

    def delete(self, path: str, uid: str) -> None:
        with self._lock:
            self._version += 1
            item = self.objects[path].pop(uid)
            item["metadata"]["resourceVersion"] = str(self._version)
            self._tell(path, {"type": "DELETED", "object": item})

    def bookmark(self, path: str) -> None:
        with self._lock:
            self._version += 1
            self._tell(path, {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(self._version)}}})

    def raw(self, path: str, event: dict[str, Any]) -> None:
        with self._lock:
            self._tell(path, event)

    def break_watches(self) -> None:
        with self._lock:
            for waiting in self._watches.values():
                for each in waiting:
                    each.put(None)

    def _tell(self, path: str, event: dict[str, Any]) -> None:
        self._log.append((self._version, path, json.loads(json.dumps(event))))
        for each in self._watches.get(path, ()):
            # a copy of this moment
            each.put(json.loads(json.dumps(event)))

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.calls.append((parts.path, query))
        if parts.path in self.forbidden:
            self._send(handler, 403, {"kind": "Status", "code": 403})
        elif "/leases/" in parts.path:
            held = self.single.get(parts.path)
            self._send(handler, 200 if held else 404, held or {"kind": "Status", "code": 404})
        elif query.get("watch") == "true":
            self._watch(handler, parts.path, int(query["resourceVersion"]))
        else:
            self._list(handler, parts.path, query)

    def write(self, handler: BaseHTTPRequestHandler) -> None:
        """Objects that are not listed: created once, replaced by whoever read the last version."""
        item = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        path = urlsplit(handler.path).path
        if path in self.forbidden:
            self._send(handler, 403, {"kind": "Status", "code": 403})
            return
        if handler.command == "POST":
            path = f"{path}/{item['metadata']['name']}"
        with self._lock:
            held = self.single.get(path)
            expected = held["metadata"]["resourceVersion"] if held else None
            if item["metadata"].get("resourceVersion") != expected:
                self._send(handler, 409, {"kind": "Status", "code": 409})
                return
            self._version += 1
            item["metadata"]["resourceVersion"] = str(self._version)
            self.single[path] = item
        self._send(handler, 201 if handler.command == "POST" else 200, item)

    def _list(self, handler: BaseHTTPRequestHandler, path: str, query: Mapping[str, str]) -> None:
        with self._lock:
            items = [self.objects[path][uid] for uid in sorted(self.objects.get(path, {}))]
            version = str(self._version)
        begin, size = int(query.get("continue", 0)), int(query.get("limit", 500))
        if begin and self.expire_continue:
            self.expire_continue -= 1
            self._send(handler, 410, {"kind": "Status", "code": 410})
            return
        following = str(begin + size) if begin + size < len(items) else ""
        metadata = {"resourceVersion": version, **({"continue": following} if following else {})}
        self._send(handler, 200, {"metadata": metadata, "items": items[begin : begin + size]})

    def _watch(self, handler: BaseHTTPRequestHandler, path: str, since: int) -> None:
        mine: queue.Queue[dict[str, Any] | None] = queue.Queue()
        with self._lock:
            for version, of, event in self._log:
                if of == path and version > since:
                    mine.put(event)
            self._watches.setdefault(path, []).append(mine)
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        try:
            if path in self.gone_watches:
                self.gone_watches.discard(path)
                mine.put({"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}})
            while (event := mine.get()) is not None:
                line = json.dumps(event).encode() + b"\n"
                # in two parts: an event may be cut anywhere
                for part in (line[: len(line) // 2], line[len(line) // 2 :]):
                    handler.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
                    handler.wfile.flush()
        except OSError:
            pass
        finally:
            with self._lock:
                self._watches[path].remove(mine)
        # The connection breaks in the middle of the answer: no last chunk.
        handler.close_connection = True

    def _send(self, handler: BaseHTTPRequestHandler, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def kubeconfig(self, folder: Path) -> Path:
        file = folder / "kubeconfig"
        file.write_text(
            "apiVersion: v1\nkind: Config\ncurrent-context: shop\n"
            f"clusters: [{{name: c, cluster: {{server: 'http://127.0.0.1:{self.port}'}}}}]\n"
            "users: [{name: u, user: {token: t}}]\ncontexts: [{name: shop, context: {cluster: c, user: u}}]\n"
        )
        return file

    def wait_for_watch(self, path: str) -> None:
        deadline = time.monotonic() + 20
        while not self._watches.get(path):
            assert time.monotonic() < deadline, f"nobody watches {path}"
            time.sleep(0.02)
