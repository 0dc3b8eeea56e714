"""What real clients say for the test of protocols in the kernel: ``python talks.py NAME PORT`` talks and prints its exchanges.

An exchange is a row as it must be, the columns that matter. Clients are processes of their own, since the collector leaves itself out.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

Exchanges = list[dict[str, Any]]


def _curl(*arguments: str) -> list[int]:
    """The codes of each address."""
    command = ["curl", "-sk", "--max-time", "20", "-w", "%{http_code}\n", *arguments]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=40).stdout
    return [int(line) for line in out.split()]


def _web(port: int, scheme: str, *options: str) -> list[tuple[str, int]]:
    """A small file, one of 300 kB, one that is not there; each curl is a connection, or two with what is asked again."""
    paths = ["/small.txt?1", "/big.bin?2", "/none?3", "/small.txt?4"]
    asked = [part for path in paths for part in ("-o", "/dev/null", f"{scheme}://localhost:{port}{path}")]
    codes = _curl(*options, "--ipv4", *asked)
    assert codes == [200, 200, 404, 200]
    return list(zip(paths, codes, strict=True))


def http(port: int) -> Exchanges:
    """nginx and curl over one connection."""
    return [_http("HTTP", path, code) for path, code in _web(port, "http", "--http1.1")]


def _http(protocol: str, path: str, code: int) -> dict[str, Any]:
    return {"l7_protocol": protocol, "request_type": "GET", "request_resource": path, "response_code": code}


def https(port: int) -> Exchanges:
    """The plain text of TLS, of HTTP/1.1 and HTTP/2, and each handshake."""
    found: Exchanges = []
    for protocol, option in (("HTTP", "--http1.1"), ("HTTP2", "--http2")):
        found += [{**_http(protocol, path, code), "is_tls": True} for path, code in _web(port, "https", option)]
    return found


def tls(port: int) -> Exchanges:
    """Handshakes of three kinds."""
    found: Exchanges = []
    for version, options in (("TLS 1.3", []), ("TLS 1.2", ["--tls-max", "1.2"])):
        _web(port, "https", "--http1.1", *options)
        found.append({"l7_protocol": "TLS", "request_domain": "localhost", "version": version, "response_status": "ok"})
    return found


def http2(port: int) -> Exchanges:
    """nghttpd asked by nghttp (many streams at once) and by curl."""
    # One curl a path: curl 7.88 cannot use a connection of prior knowledge again.
    base = f"http://127.0.0.1:{port}"
    found = []
    for path, code in (("/small.txt?1", 200), ("/big.bin?2", 200), ("/none?3", 404)):
        assert _curl("--http2-prior-knowledge", "-o", "/dev/null", base + path) == [code]
        found.append(_http("HTTP2", path, code))
    subprocess.run(["nghttp", "-n", "-m", "5", f"{base}/small.txt?many"], check=True, timeout=30)
    return found + [_http("HTTP2", "/small.txt?many", 200)] * 5


def grpc(port: int) -> Exchanges:
    """Calls of both kinds, their statuses, and a big message."""
    library: Any = import_module("grpc")
    found = []
    with library.insecure_channel(f"127.0.0.1:{port}") as channel:
        get, listed = channel.unary_unary("/shop.v1.Cart/Get"), channel.unary_stream("/shop.v1.Cart/List")
        for code in (0, 5, 13, 0, 16):
            with contextlib.suppress(library.RpcError):
                get(bytes([code]), metadata=(("x-request-id", f"r-{code}"),))
            found.append(("Get", code))
        for count in (0, 3):
            assert len(list(listed(bytes([count])))) == count
            found.append(("List", 0))
        get(bytes(100_000))
        get(bytes(1))
        found += [("Get", 0)] * 2
    return [
        {"l7_protocol": "gRPC", "endpoint": f"/shop.v1.Cart/{method}", "response_code": code} for method, code in found
    ]


def dubbo(port: int) -> Exchanges:
    """npm's provider and consumer are started by the test itself."""
    calls = [{"endpoint": "shop.CartService/plus", "response_code": 20}] * 203
    return [*calls, {"endpoint": "shop.CartService/fail", "response_code": 80}]


def kafka(port: int) -> Exchanges:
    """A producer and a group of librdkafka; what it counted itself of what both asked."""
    library: Any = import_module("confluent_kafka")
    told: dict[str, list[str]] = {"producer": [], "consumer": []}
    base = {"bootstrap.servers": f"127.0.0.1:{port}", "client.id": "shop", "statistics.interval.ms": 100}
    producer = library.Producer({**base, "linger.ms": 5, "stats_cb": told["producer"].append})
    for number in range(200):
        producer.produce("orders", b"value %d" % number * 20)
        if number % 20 == 0:
            producer.poll(0.02)
    assert producer.flush(20) == 0
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        producer.poll(0.05)
    del producer
    apis: dict[str, int] = {}
    for broker in json.loads(told["producer"][-1])["brokers"].values():
        for name, count in broker["req"].items():
            apis[name] = apis.get(name, 0) + count
    consumer = library.Consumer({**base, "group.id": "billing", "auto.offset.reset": "earliest"})
    consumer.subscribe(["orders"])
    got, until = 0, time.monotonic() + 20
    while got < 200 and time.monotonic() < until:
        got += len(consumer.consume(200, 0.2))
    assert got == 200
    consumer.commit(asynchronous=False)
    consumer.close()
    found: Exchanges = [{"request_type": "Produce", "request_domain": "orders", "response_status": "ok"}] * apis[
        "Produce"
    ]
    for api in ("JoinGroup", "SyncGroup", "LeaveGroup"):
        domain = "" if api == "LeaveGroup" else "orders"
        found.append({"request_type": api, "request_domain": domain, "response_status": "ok"})
    return found


def mqtt(port: int) -> Exchanges:
    """paho as 3.1.1 and 5: every quality of service, both ways, longer than what is kept of a call."""
    paho: Any = import_module("paho.mqtt.client")
    found: list[tuple[str, str]] = []
    for version in (paho.MQTTv311, paho.MQTTv5):
        received: list[str] = []
        acknowledged: list[int] = []
        client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=f"till-{version}", protocol=version)
        client.on_message = lambda *told, received=received: received.append(told[2].topic)
        client.on_subscribe = lambda *told, acknowledged=acknowledged: acknowledged.append(told[2])
        client.connect("127.0.0.1", port)
        client.loop_start()
        client.subscribe("a/#", 2)
        _until(lambda acknowledged=acknowledged: bool(acknowledged))
        for number, (topic, qos) in enumerate((("a/zero", 0), ("a/one", 1), ("a/two", 2))):
            client.publish(topic, b"p" * 3000, qos=qos).wait_for_publish(10)
            _until(lambda received=received, number=number: len(received) > number)
        # What a quality of 2 still has to say.
        time.sleep(0.2)
        client.disconnect()
        client.loop_stop()
        assert received == ["a/zero", "a/one", "a/two"]
        found += [("CONNECT", ""), ("SUBSCRIBE", "a/#"), ("DISCONNECT", "")]
        found += [("PUBLISH", topic) for topic in received * 2] + [("PUBREL", "a/two")] * 2
    return [{"request_type": kind, "request_resource": topic, "response_status": "ok"} for kind, topic in found]


def _until(done: Callable[[], bool]) -> None:
    for _ in range(500):
        if done():
            return
        time.sleep(0.02)
    raise AssertionError("the server did not answer")


def postgresql(port: int) -> Exchanges:
    """Both kinds of statements, errors, a long statement, a long result."""
    library: Any = import_module("psycopg")
    where = {"host": "127.0.0.1", "port": port, "user": "postgres", "dbname": "postgres"}
    found: list[tuple[str, str, str]] = [("startup", "user=postgres database=postgres", "")]
    with library.connect(**where, sslmode="disable", gssencmode="disable", autocommit=True) as made:
        simple = library.ClientCursor(made)
        statements = [
            ("CREATE TABLE orders (id int, name text)", ""),
            ("SELECT nope FROM orders", "42703"),
            ("SELEC 1", "42601"),
        ]
        statements += [(f"INSERT INTO orders SELECT n, '{'x' * 5000}' FROM generate_series(1, 50) n", "")]
        statements += [("SELECT id, name FROM orders", ""), ("UPDATE orders SET id = 1 WHERE id < 10", "")]
        for text, code in statements:
            with contextlib.suppress(library.Error):
                simple.execute(text)
            found.append(("simple query", text[:30], code))
        for number in range(5):
            made.execute("SELECT name FROM orders WHERE id = %s", (number,))
            found += [
                ("parse", "SELECT name FROM orders WHERE ", ""),
                ("execute", "SELECT name FROM orders WHERE ", ""),
            ]
    found.append(("terminate", "", ""))
    return [{"request_type": kind, "request_resource": text, "response_result": code} for kind, text, code in found]


def mysql(port: int) -> Exchanges:
    """Statements, errors, one longer than a packet of the network, a result of 500 kB."""
    library: Any = import_module("pymysql")
    made = library.connect(host="127.0.0.1", port=port, user="root", autocommit=True, ssl_disabled=True)
    found: list[tuple[str, int]] = []
    with made.cursor() as cursor:
        statements = [("CREATE DATABASE shop", 0), ("CREATE TABLE shop.orders (id INT, name LONGTEXT)", 0)]
        statements += [(f"INSERT INTO shop.orders VALUES ({number}, '{'y' * 50_000}')", 0) for number in range(10)]
        statements += [("SELECT * FROM shop.orders", 0), ("SELECT nope FROM shop.orders", 1054), ("SELEC 1", 1064)]
        statements += [(f"SELECT name FROM shop.orders WHERE id = {number + 50}", 0) for number in range(20)]
        for text, code in statements:
            with contextlib.suppress(library.Error):
                cursor.execute(text)
            found.append((text[:30], code))
    made.close()
    return [
        {"request_type": "COM_QUERY", "request_resource": text, "response_code": code or None} for text, code in found
    ]


def redis(port: int) -> Exchanges:
    """Commands, an error, a pipeline, a value of 100 kB."""
    library: Any = import_module("redis")
    client = library.Redis(host="127.0.0.1", port=port, protocol=2)
    found: list[tuple[str, str]] = []
    for number in range(20):
        client.set(f"key:{number}", "x" * number)
        client.get(f"key:{number}")
        found += [("SET", "ok"), ("GET", "ok")]
    client.set("big", "y" * 100_000)
    assert len(client.get("big")) == 100_000
    client.set("text", "hello")
    with contextlib.suppress(library.ResponseError):
        client.incr("text")
    found += [("SET", "ok"), ("GET", "ok"), ("SET", "ok"), ("INCRBY", "server_error")]
    with client.pipeline(transaction=False) as pipeline:
        for number in range(10):
            pipeline.set(f"p{number}", number).get(f"p{number}")
        pipeline.execute()
    client.close()
    found += [("SET", "ok"), ("GET", "ok")] * 10
    return [{"request_type": kind, "response_status": status} for kind, status in found]


def dns(port: int) -> Exchanges:
    """Questions over UDP and TCP."""
    asked = (
        ("a.test", 1, "A", 0, "192.0.2.1"),
        ("sub.a.test", 28, "AAAA", 0, "2001:db8::1"),
        ("no.nx.test", 1, "A", 3, ""),
    )

    def query(number: int, name: str, kind: int) -> bytes:
        labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
        return struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", kind, 1)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.settimeout(5)
        datagrams.connect(("127.0.0.1", port))
        for number, (name, kind, *_) in enumerate(asked * 5):
            datagrams.send(query(number, name, kind))
            datagrams.recv(4096)
    with socket.create_connection(("127.0.0.1", port), timeout=5) as stream, stream.makefile("rb") as reader:
        for number, (name, kind, *_) in enumerate(asked):
            data = query(number, name, kind)
            stream.sendall(struct.pack(">H", len(data)) + data)
            reader.read(int.from_bytes(reader.read(2), "big"))
    return [
        {"request_type": kind, "request_domain": name, "response_code": code, "response_result": told}
        for name, _, kind, code, told in asked * 6
    ]


TALKS = {
    each.__name__: each for each in (http, https, tls, http2, grpc, dubbo, kafka, mqtt, postgresql, mysql, redis, dns)
}

if __name__ == "__main__":
    print(json.dumps(TALKS[sys.argv[1]](int(sys.argv[2]))))
