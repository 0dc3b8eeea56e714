"""Real servers, started here on loopback: etcd and ZooKeeper of Debian, and Consul where there is one."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import urllib3

from metaflow_core.testing import free_port

_HERE = Path(__file__).parent


def _load(name: str, file: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, _HERE / file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


doubles = _load("registry_doubles_2", "doubles.py")
suite = _load("registry_suite", "test_tagger_registry.py")
started, row, until = suite.started, suite.row, suite.until


@contextmanager
def running(what: Callable[[Path, int], Any], folder: Path, ready: Callable[[int], bool]) -> Iterator[int]:
    folder.mkdir(exist_ok=True)
    port = free_port()
    command = what(folder, port)
    if isinstance(command, str):
        pytest.skip(command)
    with doubles.server(command, port, folder, lambda: ready(port)):
        yield port


async def test_etcd(tmp_path: Path) -> None:
    pool = urllib3.PoolManager()

    def call(path: str, **document: str) -> None:
        from base64 import b64encode

        coded = {name: b64encode(text.encode()).decode() for name, text in document.items()}
        answer = pool.request("POST", f"http://127.0.0.1:{port}/v3/kv/{path}", json=coded)
        assert answer.status == 200, answer.data

    with running(doubles.etcd, tmp_path / "etcd", doubles.listens) as port:
        micro = {
            "name": "greeter",
            "version": "1.0",
            "endpoints": [{"name": "Greeter.Hello"}],
            "nodes": [{"id": "greeter-1", "address": "10.0.0.9:9090", "metadata": {"transport": "grpc"}}],
        }
        call("put", key="/micro/registry/greeter/greeter-1", value=json.dumps(micro))
        call("put", key="/micro/registry/broken/1", value="{")
        call("put", key="/microservices/kr/1", value='{"id":"1","name":"kr","endpoints":["http://10.0.0.8:8000"]}')
        call("put", key="naming/users/10.0.0.7:50051", value='{"Op":0,"Addr":"10.0.0.7:50051","Metadata":null}')
        call("put", key="zero.rpc/7587", value="10.0.0.6:8080")
        layouts = [
            {"prefix": "/micro/registry/", "format": "go-micro"},
            {"prefix": "/microservices/", "format": "kratos"},
            {"prefix": "naming/", "format": "grpc"},
            {"prefix": "zero", "format": "plain"},
        ]
        options = {"urls": [f"http://127.0.0.1:{port}"], "layouts": layouts}
        async with started(tmp_path, etcd=options, interval_s=60) as made:
            found = row(made, "10.9.9.9", "10.0.0.9", 9090)
            assert (found["service_1"], found["registry_1"]["interfaces"]) == ("greeter", "Greeter")
            assert row(made, "10.9.9.9", "10.0.0.8", 8000)["service_1"] == "kr"
            assert row(made, "10.9.9.9", "10.0.0.7", 50051)["service_1"] == "users"
            assert row(made, "10.9.9.9", "10.0.0.6", 8080)["service_1"] == ".rpc", "what stands behind the prefix"
            call("put", key="/microservices/kr/2", value='{"id":"2","name":"kr","endpoints":["http://10.0.0.5:8000"]}')
            await until(lambda: row(made, "10.9.9.9", "10.0.0.5", 8000)["service_1"] == "kr", "the watch")
            call("deleterange", key="/microservices/kr/2")
            await until(lambda: row(made, "10.9.9.9", "10.0.0.5", 8000)["service_1"] == "", "the end")


async def test_zookeeper(tmp_path: Path) -> None:
    from kazoo.client import KazooClient

    url = "dubbo://10.0.0.20:20880/com.shop.Orders?application=orders-app&methods=create,cancel&version=1.0.0"
    bill = {"name": "bill", "id": "abc", "address": "10.0.0.21", "port": 8081, "payload": {"metadata": {"zone": "b"}}}
    with running(doubles.zookeeper, tmp_path / "zk", doubles.listens) as port:
        client = KazooClient(f"127.0.0.1:{port}", timeout=10)
        client.start(timeout=30)
        try:
            client.create(f"/dubbo/com.shop.Orders/providers/{quote(url, safe='')}", makepath=True)
            client.create("/dubbo/com.shop.Orders/providers/nonsense", makepath=True)
            options = {"hosts": [f"127.0.0.1:{port}"]}
            async with started(tmp_path, zookeeper=options, interval_s=60, timeout_s=10) as made:
                await until(lambda: row(made, "10.9.9.9", "10.0.0.20", 20880)["service_1"] == "orders-app", "Dubbo")
                found = row(made, "10.9.9.9", "10.0.0.20", 20880)["registry_1"]
                assert (found["interfaces"], found["methods"]) == ("com.shop.Orders", "Orders.cancel,Orders.create")
                client.create("/services/bill/abc", json.dumps(bill).encode(), makepath=True)
                await until(
                    lambda: row(made, "10.9.9.9", "10.0.0.21", 8081)["service_1"] == "bill", "Curator, by a watch"
                )
                client.set("/services/bill/abc", json.dumps({**bill, "port": 8082}).encode())
                await until(lambda: row(made, "10.9.9.9", "10.0.0.21", 8082)["service_1"] == "bill", "other data")
                client.delete("/services/bill/abc")
                await until(lambda: row(made, "10.9.9.9", "10.0.0.21", 8082)["service_1"] == "", "the end")
        finally:
            client.stop()
            client.close()


async def test_consul(tmp_path: Path) -> None:
    pool = urllib3.PoolManager()

    def ready(port: int) -> bool:
        try:
            return pool.request("GET", f"http://127.0.0.1:{port}/v1/status/leader", timeout=2).data not in (b"", b'""')
        except urllib3.exceptions.HTTPError:
            return False

    with running(doubles.consul, tmp_path / "consul", ready) as port:
        base = f"http://127.0.0.1:{port}/v1/agent/service"
        item = {"Name": "orders", "ID": "o1", "Address": "10.0.0.5", "Port": 8080, "Tags": ["eu"], "Meta": {"v": "1"}}
        assert pool.request("PUT", f"{base}/register", json=item).status == 200
        options = {"urls": [f"http://127.0.0.1:{port}"], "datacenters": ["*"]}
        async with started(tmp_path, consul=options, interval_s=60) as made:
            await until(lambda: row(made, "10.9.9.9", "10.0.0.5", 8080)["service_1"] == "orders", "the service")
            found = row(made, "10.9.9.9", "10.0.0.5", 8080)["registry_1"]
            assert (found["meta.tags"], found["meta.v"], found["namespace"]) == ("eu", "1", "dc1")
            assert pool.request("PUT", f"{base}/deregister/o1").status == 200
            await until(lambda: row(made, "10.9.9.9", "10.0.0.5", 8080)["service_1"] == "", "the blocking query")
