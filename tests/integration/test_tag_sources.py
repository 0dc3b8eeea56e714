"""Six taggers on one address: who says what, whose word counts; and a registry's tags in SQL and in PromQL."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import metaflow_core as mf

ROOT = Path(__file__).resolve().parents[2]
MYSQL, SHOP = 13306, 18080
MINUTE_AFTER = 1795246080  # 2026-11-21T07:28:00Z: the capture is of the minute before
POD = {
    "metadata": {"name": "db-0", "namespace": "shop", "uid": "u", "labels": {"app": "db"}},
    "spec": {"nodeName": "node-1"},
    "status": {"podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}], "phase": "Running"},
}
SELF = {
    "id": 7,
    "name": "cloud-host",
    "zone": "projects/1/zones/eu-west1-b",
    "networkInterfaces": [{"ip": "127.0.0.1", "network": "projects/1/networks/shop-vpc"}],
    "tags": ["edge"],
}


def _consul(name: str, port: int) -> dict[str, Any]:
    return {
        "Node": {"Node": "rack-7", "Address": "127.0.0.1", "Datacenter": "dc1"},
        "Service": {"ID": name, "Service": name, "Address": "127.0.0.1", "Port": port, "Meta": {"team": "money"}},
        "Checks": [],
    }


class Peers:
    """Kubernetes' API, Consul's, and Google's metadata service, at one address."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {
            "/api/v1/pods": {"metadata": {"resourceVersion": "1"}, "items": [POD]},
            "/computeMetadata/v1/instance/": SELF,
        }
        self.ended = threading.Event()
        peers = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                if "watch=true" in parts.query:
                    # nothing happens
                    self.send_response(200)
                    self.end_headers()
                    peers.ended.wait(60)
                    return
                if "index=" in parts.query:
                    peers.ended.wait(60)
                empty: Any = {"metadata": {"resourceVersion": "1"}, "items": []}
                body = json.dumps(peers.answers.get(parts.path, empty)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def register(self, name: str, port: int) -> None:
        self.answers.setdefault("/v1/catalog/services", {})[name] = []
        self.answers[f"/v1/health/service/{name}"] = [_consul(name, port)]

    def stop(self) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def peers() -> Iterator[Peers]:
    made = Peers()
    yield made
    made.stop()


ALL = ("file", "kubernetes", "registry", "cloud", "process", "seen")


def explain(folder: Path, peers: Peers, port: int, order: tuple[str, ...]) -> dict[str, Any]:
    (folder / "cmdb.yaml").write_text(
        "subnets: [{name: loop, cidr: 127.0.0.0/8, region: desk}]\nhosts: [{name: bench, addresses: 127.0.0.9}]\n"
    )
    (folder / "kubeconfig").write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: k\n"
        f"clusters: [{{name: c, cluster: {{server: '{peers.url}'}}}}]\n"
        "users: [{name: u, user: {token: t}}]\ncontexts: [{name: k, context: {cluster: c, user: u}}]\n"
    )
    options = {
        "file": "{files: [cmdb.yaml]}",
        "kubernetes": "{kubeconfig: kubeconfig, cluster: east}",
        "registry": f"{{consul: {{urls: ['{peers.url}']}}}}",
        "cloud": f"{{metadata: {{provider: gcp, url: '{peers.url}'}}}}",
        "process": "{}",
        "seen": "{}",
    }
    taggers = "\n".join(f"  {name}: {options[name]}" for name in order)
    (folder / "metaflow.yaml").write_text(
        f"collectors:\n  pcap: {{files: [x.pcap]}}\ntaggers:\n{taggers}\nstorages:\n  memory: {{}}\npipelines:\n"
        f'  main: {{collectors: [pcap], parsers: ["*"], taggers: [{", ".join(order)}], storages: [memory]}}\n'
    )
    command = [sys.executable, "-m", "metaflow_core", "explain", "tag", "--config", "metaflow.yaml"]
    asked = subprocess.run(
        [*command, "127.0.0.1", "--port", str(port), "--json"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert asked.returncode == 0, asked.stderr
    return {each["tagger"]: each for each in json.loads(asked.stdout)}


@pytest.fixture
def port() -> Iterator[int]:
    """A port of this process, so that there is a process to name."""
    with socket.socket() as waiting:
        waiting.bind(("127.0.0.1", 0))
        waiting.listen()
        yield waiting.getsockname()[1]


def test_six_sources_of_one_address(tmp_path: Path, peers: Peers, port: int) -> None:
    peers.register("orders", port)
    said = explain(tmp_path, peers, port, ALL)
    tags = {name: each["tags"] for name, each in said.items()}
    assert not {name: each["problem"] for name, each in said.items() if each["problem"]}
    assert (tags["file"]["region"], tags["file"]["subnet"]) == ("desk", "loop")
    assert tags["kubernetes"]["auto_instance"] == "db-0"
    assert (tags["registry"]["auto_service"], tags["registry"]["auto_instance"]) == ("orders", "rack-7")
    assert json.loads(tags["registry"]["registry"])["meta.team"] == "money"
    assert (tags["cloud"]["auto_instance"], tags["cloud"]["vpc"]) == ("cloud-host", "shop-vpc")
    assert json.loads(tags["cloud"]["cloud.tag"]) == {"edge": ""}
    counted = {name: set(each["counted"]) for name, each in said.items()}
    assert "region" in counted["file"], "the first that knows it"
    assert "region" not in counted["cloud"], "though it says another"
    assert {"auto_instance", "pod"} <= counted["kubernetes"]
    assert "service" in counted["registry"], "of the services, only the registry knows one at this port"
    assert {"vpc", "az"} <= counted["cloud"], "what nobody before it knows"
    if sys.platform == "linux":
        assert tags["process"].get("gprocess"), "this process waits on the port"
        assert "gprocess" in counted["process"]


def test_the_order_of_the_pipeline_decides(tmp_path: Path, peers: Peers, port: int) -> None:
    peers.register("orders", port)
    said = explain(tmp_path, peers, port, ("registry", "cloud", "kubernetes", "file", "seen", "process"))
    assert {"auto_service", "auto_instance"} <= set(said["registry"]["counted"])
    assert "region" in said["cloud"]["counted"]
    assert "region" not in said["file"]["counted"]
    assert "pod" in said["kubernetes"]["counted"], "other tags of the same address are added"


async def test_in_sql_and_promql(peers: Peers) -> None:
    peers.register("accounts", MYSQL)
    peers.register("shop", SHOP)
    config = {
        "collectors": {"pcap": {"files": [str(ROOT / "tests/captures/shop.pcap")]}},
        "taggers": {"registry": {"consul": {"urls": [peers.url]}}},
        "storages": {"memory": {}},
        "dialects": {"sql": {}, "promql": {}},
        "pipelines": {
            "shop": {"collectors": ["pcap"], "parsers": ["*"], "taggers": ["registry"], "storages": ["memory"]}
        },
    }
    async with mf.App(config, autoload=True) as app:
        await app.wait()
        tags = await app.query("sql", "SHOW TAGS FROM l7_flow_log")
        names = {row["name"] for row in tags.table.to_pylist()}
        assert {"registry_0", "registry_1"} <= names or "registry" in names
        answer = await app.query(
            "sql",
            "SELECT registry.service_1, registry.meta.team_1, auto_service_1, Count(row) AS n FROM l7_flow_log "
            "WHERE registry.type_1 = 'consul' GROUP BY registry.service_1, registry.meta.team_1, auto_service_1 ORDER BY n",
        )
        found = [tuple(row.values()) for row in answer.table.to_pylist()]
        assert found == [("shop", "money", "shop", 24), ("accounts", "money", "accounts", 40)]
        text = "sum by (service_1) (flow_metrics__application_map__request__1m)"
        by_service = (await app.query("promql", text, time=MINUTE_AFTER)).table.to_pylist()
        assert {row["service_1"]: row["value"] for row in by_service} == {"": 72, "accounts": 40, "shop": 24}
