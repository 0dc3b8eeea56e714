"""Servers in Python for the test of protocols in the kernel: ``python servers.py NAME PORT`` says the port, then serves until it is ended."""

from __future__ import annotations

import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any


def grpc(port: int) -> int:
    """Methods that take and give plain bytes: the first byte of what is asked is the status."""
    library: Any = import_module("grpc")
    codes = {code.value[0]: code for code in library.StatusCode}

    def get(request: bytes, context: Any) -> bytes:
        if request and request[0]:
            context.abort(codes[request[0]], "as asked")
        return request[:10] * 2

    def listed(request: bytes, _: Any) -> Any:
        for number in range(request[0]):
            yield bytes(number * 100)

    handlers = {
        "Get": library.unary_unary_rpc_method_handler(get),
        "List": library.unary_stream_rpc_method_handler(listed),
    }
    server = library.server(ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((library.method_handlers_generic_handler("shop.v1.Cart", handlers),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    globals()["kept"] = server
    return port


def kafka(port: int) -> int:
    """The broker inside librdkafka, on a port of its own choice."""
    library: Any = import_module("confluent_kafka")
    host = library.Producer({"bootstrap.servers": "127.0.0.1:1", "test.mock.num.brokers": 1, "log_level": 0})
    (only,) = host.list_topics(timeout=10).brokers.values()
    globals()["kept"] = host
    return int(only.port)


if __name__ == "__main__":
    print({"grpc": grpc, "kafka": kafka}[sys.argv[1]](int(sys.argv[2])), flush=True)
    signal.pause()
