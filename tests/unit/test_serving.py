"""Listening for HTTP: the port, who may ask, and that it is given back."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from metaflow_core.api import HttpListener, SecretStr, host_and_port, is_bearer, is_loopback, joined
from metaflow_core.errors import StartError


async def _hello(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


async def _ask(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer


@pytest.mark.parametrize(
    ("text", "found"),
    [("127.0.0.1:80", ("127.0.0.1", 80)), ("[::1]:0", ("::1", 0)), ("localhost:65535", ("localhost", 65535))],
)
def test_a_host_and_port_are_read_and_written(text: str, found: tuple[str, int]) -> None:
    assert host_and_port(text) == found
    assert joined(*found) == text


@pytest.mark.parametrize("text", ["", "80", ":80", "host:", "host:x", "host:65536", "host:²", "[]:1"])
def test_what_is_no_address_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="is no address and port such as 127.0.0.1:8088"):
        host_and_port(text)


def test_loopback() -> None:
    assert all(is_loopback(host) for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost"))
    assert not any(is_loopback(host) for host in ("0.0.0.0", "::", "10.0.0.1", "example.com", ""))


def test_a_token_is_compared_whole() -> None:
    token = SecretStr("s3cret")
    assert is_bearer("Bearer s3cret", token)
    assert is_bearer(b"bearer  s3cret ", token)
    assert not any(
        is_bearer(sent, token) for sent in ("", "s3cret", "Bearer", "Bearer s3cre", "Basic s3cret", "Bearer \udc80")
    )


def test_it_serves_stops_and_gives_the_port_back() -> None:
    async def run() -> None:
        listener = HttpListener("127.0.0.1", 0)
        assert listener.url == ""
        await listener.start(_hello)
        _, port = listener.address
        assert listener.url == f"http://127.0.0.1:{port}"
        assert (await _ask(port)).endswith(b"hello")
        await listener.stop()
        await listener.stop()
        with socket.socket() as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            again.bind(("127.0.0.1", port))

    asyncio.run(run())


def test_serving_ends_with_its_task() -> None:
    async def run() -> None:
        listener = HttpListener("127.0.0.1", 0)
        listener.bind()
        _, port = listener.address
        task = asyncio.create_task(listener.serve(_hello))
        assert (await _ask(port)).endswith(b"hello")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert listener.url == ""
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", port)

    asyncio.run(run())


def test_two_who_stop_it_at_once(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        listener = HttpListener("127.0.0.1", 0)
        task = asyncio.create_task(listener.serve(_hello))
        while not listener.url or not await _ask(listener.address[1]):
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, listener.stop(), listener.stop(), return_exceptions=True)

    asyncio.run(run())
    assert not caplog.records


def test_a_port_that_is_taken_and_a_missing_certificate_are_sentences(tmp_path: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use; say another"):
            HttpListener("127.0.0.1", port, advice="say another").bind()
    with pytest.raises(StartError, match="there is no file .*gone.pem"):
        HttpListener("127.0.0.1", 0, certificate=tmp_path / "gone.pem", key=tmp_path / "gone.key").bind()
    for name in ("bad.pem", "bad.key"):
        (tmp_path / name).write_text("nothing")
    bad = HttpListener("127.0.0.1", 0, certificate=tmp_path / "bad.pem", key=tmp_path / "bad.key")
    with pytest.raises(StartError, match="TLS cannot be set up from"):
        asyncio.run(bad.start(_hello))
    asyncio.run(bad.stop())
