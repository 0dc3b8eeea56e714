"""One tier with a thread for each connection: asks those behind it one after the other, then answers.

    python tier.py TRUTH HEADERS HOW [HOST:PORT ...]

Appends ``PARENT CHILD`` to the file TRUTH for every call that it makes. HEADERS is ``none`` or ``b3``. HOW is ``fresh`` (a connection a
call), ``pool`` (all threads share a few connections in turn), ``handoff`` (another thread makes the call) or ``pipeline`` (those behind
are Redis; three commands in one piece). Listens on $HOST and $PORT, and prints the port.
"""

from __future__ import annotations

import http.client
import os
import queue
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import redis

TRUTH = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
HEADERS, HOW, BEHIND = sys.argv[2], sys.argv[3], sys.argv[4:]
WORKERS = ThreadPoolExecutor(8)
POOLS: dict[str, queue.LifoQueue[http.client.HTTPConnection]] = {each: queue.LifoQueue() for each in BEHIND}
if HOW == "pool":
    for place in BEHIND:
        for _ in range(6):
            POOLS[place].put(http.client.HTTPConnection(place, timeout=30))


def child_of(parent: str) -> str:
    """A new id, told to the file of truth before it is used."""
    child = f"id-{os.urandom(6).hex()}"
    os.write(TRUTH, f"{parent} {child}\n".encode())
    return child


def passed_on(headers: Message) -> dict[str, str]:
    """Headers for the next tier."""
    if HEADERS == "b3" and headers.get("x-b3-traceid"):
        names = {"X-B3-TraceId": headers["x-b3-traceid"], "X-B3-ParentSpanId": headers["x-b3-spanid"]}
        return {**names, "X-B3-SpanId": os.urandom(8).hex()}
    return {}


def ask(place: str, child: str, headers: dict[str, str]) -> None:
    """One call."""
    held = POOLS[place].get() if HOW == "pool" else http.client.HTTPConnection(place, timeout=30)
    try:
        held.request("GET", f"/{child}", headers=headers)
        held.getresponse().read()
    finally:
        POOLS[place].put(held) if HOW == "pool" else held.close()


def pipelined(place: str, parent: str) -> None:
    """Three commands to Redis in one piece."""
    host, port = place.split(":")
    with redis.Redis(host=host, port=int(port), protocol=2) as client:
        pipe = client.pipeline(transaction=False)
        for _ in range(3):
            pipe.get(child_of(parent))
        pipe.execute()


class Tier(BaseHTTPRequestHandler):
    """Answers once those behind have."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parent = self.path[1:]
        for place in BEHIND:
            if HOW == "pipeline":
                pipelined(place, parent)
            elif HOW == "handoff":
                WORKERS.submit(ask, place, child_of(parent), passed_on(self.headers)).result()
            else:
                ask(place, child_of(parent), passed_on(self.headers))
        time.sleep(0.001)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing."""


class Server(ThreadingHTTPServer):
    """Takes a burst of clients."""

    request_queue_size = 256
    daemon_threads = True


server = Server((os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "0"))), Tier)
print(server.server_address[1], flush=True)
server.serve_forever()
