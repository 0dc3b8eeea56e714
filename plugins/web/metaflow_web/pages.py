"""The ASGI application that sends the pages."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from metaflow_web.assets import Asset
from metaflow_web.headers import security_headers

__all__ = ["NOT_BUILT", "Pages"]

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]

NOT_BUILT = (
    "The pages were not built in this installation. Build them with plugins/web/build.sh (it needs Node 20 or newer and "
    "npm), then start MetaFlow again. The HTTP API works without them: POST /v1/query."
)
_SCREEN = re.compile(r"/[a-z]*")  # a screen's address: the page itself knows which there are


class Pages:
    """Sends built files by GET and HEAD; a path with one plain word is a screen, and gets the page.

    :param assets: by path; empty when nothing was built, and then every screen says so in a sentence.
    """

    def __init__(self, assets: Mapping[str, Asset]) -> None:
        self._assets = assets

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        path = str(scope["path"]).removeprefix(str(scope.get("root_path", ""))) or "/"
        with_body = scope["method"] != "HEAD"
        if scope["method"] not in ("GET", "HEAD"):
            text = f"{scope['method']} is not taken here; these are pages, to be read with GET."
            await _send_text(send, 405, text, with_body, (b"allow", b"GET, HEAD"))
            return
        is_screen = _SCREEN.fullmatch(path) is not None
        asset = self._assets.get("/index.html" if is_screen else path)
        if asset is not None:
            await _send_asset(send, asset, scope, with_body)
        elif is_screen and not self._assets:
            await _send_text(send, 503, NOT_BUILT, with_body)
        else:
            await _send_text(send, 404, "There is nothing at this address; the pages begin at /.", with_body)


async def _send_asset(send: Send, asset: Asset, scope: Mapping[str, Any], with_body: bool) -> None:
    asked = {name.lower(): value for name, value in scope.get("headers", ())}
    headers = [
        (b"content-type", asset.media_type.encode()),
        (b"etag", asset.etag.encode()),
        (b"vary", b"accept-encoding"),
        (b"cache-control", b"public, max-age=31536000, immutable" if asset.forever else b"no-cache"),
    ]
    known = asked.get(b"if-none-match", b"").decode("latin-1")
    if asset.etag in (part.strip().removeprefix("W/") for part in known.split(",")):
        await _answer(send, 304, headers, b"")
        return
    body = asset.body
    if asset.packed and re.search(rb"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))", asked.get(b"accept-encoding", b"")):
        body = asset.packed
        headers.append((b"content-encoding", b"gzip"))
    headers.append((b"content-length", str(len(body)).encode()))
    await _answer(send, 200, headers, body if with_body else b"")


async def _send_text(send: Send, status: int, text: str, with_body: bool, *more: tuple[bytes, bytes]) -> None:
    """A page of one sentence. The sentences are this module's own: nothing of the request is repeated unescaped."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    body = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>MetaFlow</title><h1>MetaFlow</h1><p>{escaped}</p></html>"
    ).encode()
    headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", str(len(body)).encode()), *more]
    await _answer(send, status, [*headers, (b"cache-control", b"no-store")], body if with_body else b"")


async def _answer(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *security_headers()]})
    await send({"type": "http.response.body", "body": body})
