"""A server for the tests: the app as users run it, with the pages in front of its HTTP API."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from metaflow_web.assets import BUILT, load_assets
from metaflow_web.pages import Pages

from metaflow_core import App
from metaflow_core.testing import free_port

sys.path.insert(0, str(Path(__file__).parent))  # web_browser.py

ROOT = Path(__file__).parents[3]
CAPTURE = ROOT / "tests" / "captures" / "shop.pcap"
Message = MutableMapping[str, Any]


class Front:
    """Pages, and the real querier's answers under /v1: one origin, as where the querier mounts the pages itself.

    Bodies may be changed on their way by ``change``, so that a test can put hostile names into real answers.
    """

    def __init__(self, upstream: str) -> None:
        self._upstream = httpx.AsyncClient(base_url=upstream, timeout=60)
        self._pages = Pages(load_assets(BUILT))
        self.change: Callable[[str], str] = lambda body: body
        self.tail: list[str] = []

    async def _follow(self, send: Callable[[Message], Awaitable[None]]) -> None:
        """Events one after the other, as the querier sends them for a pipeline that runs; a capture's has ended."""
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for event in self.tail:
            await send({"type": "http.response.body", "body": self.change(event).encode(), "more_body": True})
            await asyncio.sleep(0.05)
        await send({"type": "http.response.body", "body": b"event: end\ndata: {}\n\n"})

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """An ASGI application."""
        if scope["path"] == "/v1/tail" and self.tail:
            await self._follow(send)
            return
        if not scope["path"].startswith(("/v1", "/prom")):
            await self._pages(scope, receive, send)
            return
        body = b""
        while (message := await receive()).get("more_body") or message["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        kept = {k.decode(): v.decode() for k, v in scope["headers"] if k in (b"content-type", b"accept")}
        url = scope["path"] + (f"?{scope['query_string'].decode()}" if scope["query_string"] else "")
        answer = await self._upstream.request(scope["method"], url, content=body, headers=kept)
        await send(
            {
                "type": "http.response.start",
                "status": answer.status_code,
                "headers": [(b"content-type", b"application/json")],
            }
        )
        await send({"type": "http.response.body", "body": self.change(answer.text).encode()})


class Running:
    """An app with a capture in it and the front, in a thread of its own.

    :ivar url: of the front. :ivar querier: of the app's own HTTP service.
    """

    def __init__(self) -> None:
        port, front_port = free_port(), free_port()
        self.querier = f"http://127.0.0.1:{port}"
        self.url = f"http://127.0.0.1:{front_port}/"
        self.front = Front(self.querier)
        self._config = {
            "version": 1,
            "collectors": {"pcap": {"files": [str(CAPTURE)]}},
            "pipelines": {"live": {"collectors": ["pcap"], "parsers": ["*"], "storages": ["memory"]}},
            "storages": {"memory": {}},
            "dialects": {"sql": {}, "promql": {}},
            "services": {"querier": {"listen": f"127.0.0.1:{port}"}, "prometheus_api": {}, "tracing": {}, "web": {}},
        }
        config = uvicorn.Config(self.front, port=front_port, log_level="error", lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    async def _run(self) -> None:
        async with App(self._config, autoload=True):
            await self._server.serve()

    def start(self) -> None:
        """Until the front answers and the capture is in the store."""
        self._thread.start()
        for _ in range(600):
            if self._rows() > 0:
                return
            threading.Event().wait(0.1)
        raise RuntimeError("the test's server did not come up within a minute")

    def _rows(self) -> int:
        try:
            asked = {"db": "flow_log", "sql": "SELECT Count(row) AS n FROM l7_flow_log"}
            return int(httpx.post(f"{self.url}v1/query", json=asked, timeout=60).json()["result"]["values"][0][0])
        except (httpx.HTTPError, KeyError, ValueError, IndexError):
            return 0

    def stop(self) -> None:
        """Everything down."""
        self._server.should_exit = True
        self._thread.join(20)


@pytest.fixture(scope="session")
def running() -> Iterator[Running]:
    """The app with the shop's capture."""
    pytest.importorskip(
        "metaflow_querier", reason="metaflow-querier is not installed, and the pages show what it answers"
    )
    for name in ("metaflow_dialect_promql", "metaflow_doctor", "metaflow_tracing"):
        pytest.importorskip(name, reason=f"{name} is not installed, and the pages show what it answers")
    server = Running()
    server.start()
    yield server
    server.stop()
