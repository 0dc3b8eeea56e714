"""Clients: each asks a tier some times, one request after the other, each with an id of its own.

python ask.py HOST:PORT CLIENTS EACH HEADERS [http | kept | grpc]
"""

from __future__ import annotations

import http.client
import os
import sys
import threading
from typing import Any

PLACE, CLIENTS, EACH, HEADERS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
failed: list[BaseException] = []


def over_http(*, kept: bool = False) -> None:
    """A connection for each request, or one for all."""
    connection = http.client.HTTPConnection(PLACE, timeout=60)
    for _ in range(EACH):
        trace = os.urandom(16).hex()
        extra = {"X-B3-TraceId": trace, "X-B3-SpanId": os.urandom(8).hex()} if HEADERS == "b3" else {}
        connection.request("GET", f"/id-{os.urandom(6).hex()}", headers=extra)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{PLACE} answered {answer.status}")
        if not kept:
            connection.close()
    connection.close()


def over_grpc() -> None:
    """Streams of three messages on one connection."""
    import grpc

    with grpc.insecure_channel(PLACE) as channel:
        for _ in range(EACH):
            call: Any = channel.stream_stream(f"/bench.Tier/id-{os.urandom(6).hex()}")
            list(call(iter([b"one", b"two", b"three"]), timeout=60))


def run() -> None:
    """One client."""
    try:
        over_grpc() if sys.argv[5:] == ["grpc"] else over_http(kept=sys.argv[5:] == ["kept"])
    except BaseException as error:
        failed.append(error)


threads = [threading.Thread(target=run) for _ in range(CLIENTS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if failed:
    raise failed[0]
