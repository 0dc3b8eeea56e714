"""AWS as moto's server on loopback, and instance metadata services that answer as documented."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@contextmanager
def moto() -> Iterator[str]:
    """Its URL."""
    # the images that AWS offers are some megabytes of JSON, and nobody asks for them
    os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


class MetadataDouble:
    """``answers[path]`` is a text; ``tokens`` names the header that must carry ``T``, which a PUT to the path of tokens gives."""

    def __init__(self, answers: dict[str, str], token: str = "", needs: dict[str, str] | None = None) -> None:
        double = self
        self.answers, self.token, self.needs = answers, token, needs or {}
        self.calls: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                double.calls.append(self.path)
                good = all(self.headers.get(name) == value for name, value in double.needs.items())
                if double.token:
                    good = good and self.headers.get(double.token) == "T"
                text = double.answers.get(self.path)
                status = 401 if not good else 404 if text is None else 200
                self._send(status, text or "")

            def do_PUT(self) -> None:
                good = self.path == "/latest/api/token" and self.headers.get(double.token + "-ttl-seconds")
                self._send(200 if double.token and good else 405, "T")

            def _send(self, status: int, text: str) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Thing:
    """An object of an SDK: the attributes that are given, None for all others."""

    def __init__(self, **more: Any) -> None:
        self.__dict__.update(more)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return None
