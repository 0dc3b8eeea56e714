"""A gRPC tier: of each stream's messages, every one makes a call to each of those behind.

python stream.py TRUTH [HOST:PORT ...]
"""

from __future__ import annotations

import http.client
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

TRUTH = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
BEHIND = sys.argv[2:]


class Handler(grpc.GenericRpcHandler):
    """Any method is a stream; its name is the id."""

    def service(self, handler_call_details: Any) -> Any:
        """The method asked for."""
        parent = handler_call_details.method.rsplit("/", 1)[1]

        def talk(messages: Iterator[bytes], context: Any) -> Iterator[bytes]:
            del context
            for message in messages:
                for place in BEHIND:
                    child = f"id-{os.urandom(6).hex()}"
                    os.write(TRUTH, f"{parent} {child}\n".encode())
                    connection = http.client.HTTPConnection(place, timeout=30)
                    connection.request("GET", f"/{child}")
                    connection.getresponse().read()
                    connection.close()
                yield message

        return grpc.stream_stream_rpc_method_handler(talk)


server = grpc.server(ThreadPoolExecutor(16), handlers=[Handler()])
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
server.wait_for_termination()
