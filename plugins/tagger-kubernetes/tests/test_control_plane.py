"""Against a real Kubernetes control plane: every row has the pod, workload, service, node and labels that were true at its time."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import threading
import time
import urllib.error
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pytest
from metaflow_tagger_kubernetes.config import KubernetesConfig
from metaflow_tagger_kubernetes.resources import resources
from metaflow_tagger_kubernetes.tagger import KubernetesTagger

from metaflow_core.api import Kind, RecordBatch, SystemClock
from metaflow_core.testing import build_context


def _beside(name: str) -> Any:
    path = Path(__file__).parent / "control_plane" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"control_plane_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_LACKING = _beside("control_plane_binaries").missing()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(_LACKING), reason=_LACKING),
    pytest.mark.filterwarnings("ignore:Unverified HTTPS request"),
]

PODS, DEPLOYMENTS = "/api/v1/namespaces/shop/pods", "/apis/apps/v1/namespaces/shop/deployments"
SERVICES, INGRESSES = "/api/v1/namespaces/shop/services", "/apis/networking.k8s.io/v1/namespaces/shop/ingresses"
RULES = "/apis/rbac.authorization.k8s.io/v1"
_REUSED_AFTER_S = 2.0


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    made = _beside("plane").Plane(tmp_path_factory.mktemp("plane"), {"blind": "blind-token", "agent": "agent-token"})
    try:
        made.start()
        made.call("POST", "/api/v1/namespaces", {"metadata": {"name": "shop"}})
        for number, zone in ((1, "eu-a"), (2, "eu-b")):
            made.node(f"node-{number}", f"192.168.7.{number}", zone)
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module", autouse=True)
def bookmarks(plane: Any) -> Iterator[list[int]]:
    """The versions of bookmarks, from the beginning on."""
    from metaflow_tagger_kubernetes.access import Failed, connect

    seen: list[int] = []
    ended = threading.Event()
    access, _ = connect(plane.kubeconfig(), "")

    def watch() -> None:
        while not ended.is_set() and not seen:
            try:
                version = list(access.pages("/api/v1/pods", 500))[-1][1]
                for kind, item in access.watch("/api/v1/pods", version):
                    if ended.is_set():
                        return
                    if kind == "BOOKMARK":
                        seen.append(int(item["metadata"]["resourceVersion"]) - int(version) + 1)
                        return
            except Failed:
                # the API server is killed by a test
                ended.wait(0.2)

    threading.Thread(target=watch, daemon=True).start()
    yield seen
    ended.set()
    access.close()


@dataclass
class Row:
    """A row that somebody made, and what was true of it then."""

    address: str
    time_ns: int
    pod: str
    node: str
    workload: str
    labels: dict[str, str]
    port: int = 8080


@dataclass
class Nodes:
    """What kubelets do: a thread that runs pods and buries them, and another that makes traffic at those that run."""

    plane: Any
    rows: list[Row] = field(default_factory=list)
    running: dict[str, tuple[dict[str, Any], str, str]] = field(default_factory=dict)
    free: deque[tuple[float, str]] = field(default_factory=lambda: deque((0.0, f"10.9.0.{n}") for n in range(1, 7)))
    stop: threading.Event = field(default_factory=threading.Event)
    failure: BaseException | None = None

    def __enter__(self) -> Self:
        self._threads = [
            threading.Thread(target=self._guarded, args=(each,)) for each in (self._kubelet, self._traffic)
        ]
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for each in self._threads:
            each.join()
        if self.failure is not None:
            raise self.failure

    def _guarded(self, look: Callable[[], None]) -> None:
        try:
            while not self.stop.is_set():
                look()
                time.sleep(0.05)
        except BaseException as error:
            self.failure = error

    def _kubelet(self) -> None:
        for pod in self.plane.list(PODS):
            uid = pod["metadata"]["uid"]
            if pod["metadata"].get("deletionTimestamp"):
                held = self.running.pop(uid, None)
                self.plane.bury(pod)
                if held is not None:
                    self.free.append((time.monotonic() + _REUSED_AFTER_S, held[1]))
            elif uid not in self.running and self.free and self.free[0][0] < time.monotonic():
                _, address = self.free.popleft()
                node = f"node-{1 + int(address.rpartition('.')[2]) % 2}"
                try:
                    self.running[uid] = self.plane.bind(pod, node, address), address, node
                except urllib.error.HTTPError as error:
                    # deleted meanwhile
                    self.free.appendleft((0.0, address))
                    if error.code not in (404, 409):
                        raise

    def _traffic(self) -> None:
        for pod, address, node in list(self.running.values()):
            meta = pod["metadata"]
            owner = meta["ownerReferences"][0]["name"]
            workload = owner.removesuffix(f"-{meta['labels'].get('pod-template-hash', '')}")
            self.rows.append(Row(address, time.time_ns(), meta["name"], node, workload, meta["labels"]))


def deployment(name: str, replicas: int, version: str) -> dict[str, Any]:
    labels = {"app": name, "version": version}
    return {
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "c", "image": "none", "ports": [{"containerPort": 8080}]}]},
            },
        },
    }


async def tagger(plane: Any, folder: Path, token: str = "admin-token", **more: Any) -> KubernetesTagger:
    reports = more.pop("reports", None)
    context = build_context(Kind.TAGGER, "kubernetes", clock=SystemClock(), data_dir=folder, reports=reports)
    config = KubernetesConfig(kubeconfig=plane.kubeconfig(token), settle_s=0.1, cluster="real", **more)
    made = KubernetesTagger(context, config)
    await made.start()
    return made


def tagged(made: KubernetesTagger, rows: list[Row]) -> list[dict[str, Any]]:
    data = pa.record_batch(
        {
            "end_time": pa.array([row.time_ns // 1000 for row in rows], pa.int64()).cast(pa.timestamp("us", "UTC")),
            "ip4_1": pa.array([int(ip_address(row.address)) for row in rows], pa.uint32()),
            "is_ipv4": pa.array([True] * len(rows)),
            "server_port": pa.array([row.port for row in rows], pa.uint16()),
            "protocol": pa.array([6] * len(rows), pa.uint8()),
        }
    )
    found = made.tag(RecordBatch("flow_log.l7_flow_log", data)).data.to_pylist()
    names = made.dictionaries()
    kinds = {"pod_id_1": "pod", "pod_node_id_1": "pod_node", "pod_group_id_1": "pod_group", "service_id_1": "service"}
    return [
        {kind: names.get(kind, {}).get(row.get(column, 0), "") for column, kind in kinds.items()}
        | {"labels": json.loads(names.get("pod_label", {}).get(row.get("pod_id_1", 0), "{}"))}
        | {"kind": row.get("auto_service_type_1", 0)}
        | {"namespace": json.loads(names.get("pod_ns_label", {}).get(row.get("pod_ns_id_1", 0), "{}"))}
        for row in found
    ]


async def until(true: Callable[[], Any], what: str, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if await asyncio.to_thread(true):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{what} did not happen")


async def test_versions_that_were_compacted_are_listed_anew(plane: Any, tmp_path: Path) -> None:
    """The API server is away, etcd forgets, and what happened meanwhile is known when it is back."""
    made = await tagger(plane, tmp_path)
    maps = "/api/v1/namespaces/shop/configmaps"
    try:
        plane.kill_api()
        await until(lambda: all(each.problem for each in made._watchers), "that every watch breaks")
        plane.start_api()
        for number in range(3):
            plane.call("POST", maps, {"metadata": {"name": f"m{number}-{time.time_ns()}"}, "data": {"a": "b"}})
        plane.compact()
        plane.call("POST", PODS, _pod("after"))
        pod = plane.call("GET", f"{PODS}/after")
        plane.bind(pod, "node-1", "10.9.0.77")
        row = Row("10.9.0.77", time.time_ns() + 1_000_000_000, "after", "node-1", "", {})
        await until(lambda: tagged(made, [row])[0]["pod"] == "after", "what came after")
        await until(lambda: not any(each.problem for each in made._watchers), "that all is well")
    finally:
        plane.bury({"metadata": {"name": "after", "namespace": "shop"}})
        await made.stop()


async def test_a_deployment_rolled_scaled_and_deleted_under_traffic(plane: Any, tmp_path: Path) -> None:
    made = await tagger(plane, tmp_path)
    call = plane.call
    try:
        with Nodes(plane) as nodes:

            def are(count: int, version: str) -> Callable[[], bool]:
                def check() -> bool:
                    living = [pod for pod, _, _ in list(nodes.running.values())]
                    return len(living) == count == len(plane.list(PODS)) and all(
                        pod["metadata"]["labels"]["version"] == version for pod in living
                    )

                return check

            service = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}
            await asyncio.to_thread(
                call, "POST", "/api/v1/namespaces/shop/services", {"metadata": {"name": "front"}, "spec": service}
            )
            await asyncio.to_thread(call, "POST", DEPLOYMENTS, deployment("web", 3, "1"))
            await until(are(3, "1"), "three pods")
            merge = "application/merge-patch+json"
            await asyncio.to_thread(call, "PATCH", f"{DEPLOYMENTS}/web", deployment("web", 3, "2"), merge)
            await until(are(3, "2"), "the roll-out")
            await asyncio.to_thread(call, "PATCH", f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 5}}, merge)
            await until(are(5, "2"), "five pods")
            await asyncio.to_thread(call, "PATCH", f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 1}}, merge)
            await until(are(1, "2"), "one pod")
            await asyncio.to_thread(call, "POST", DEPLOYMENTS, deployment("cart", 5, "9"))
            await until(lambda: len(nodes.running) == 6, "the second deployment, on addresses of the first")
            await until(lambda: any(row.workload == "cart" for row in nodes.rows), "its traffic")
            await asyncio.to_thread(call, "DELETE", f"{DEPLOYMENTS}/web")
            await asyncio.to_thread(call, "DELETE", f"{DEPLOYMENTS}/cart")
            await until(lambda: not nodes.running and not plane.list(PODS), "the end")
        # everything has gone; every row is tagged now, by what was true at its time
        await until(lambda: made._world.count("Pod") == 0, "the last event")
        await asyncio.sleep(0.5)
        rows = nodes.rows
        assert len({row.pod for row in rows}) >= 13, "three, three of the roll-out, two more, five of the other"
        assert len(rows) > 100
        shared = Counter(address for _, address in {(row.pod, row.address) for row in rows})
        assert max(shared.values()) > 1, "addresses changed their owners"
        wrong = []
        without_service = 0
        for row, found in zip(rows, tagged(made, rows), strict=True):
            expected = {"pod": row.pod, "pod_node": row.node, "pod_group": row.workload, "labels": row.labels}
            if any(found[name] != value for name, value in expected.items()):
                wrong.append((row, found))
            if row.workload == "web":
                without_service += found["service"] != "front"
            elif found["service"]:
                wrong.append((row, found))
        assert not wrong, f"{len(wrong)} of {len(rows)} rows, the first: {wrong[0]}"
        # a pod that was never ready long enough to be an endpoint has no service
        assert without_service == 0, f"{without_service} of {len(rows)} rows lack the service"
        print(f"{len(rows)} rows of {len({row.pod for row in rows})} pods at {len(shared)} addresses, none wrong")
    finally:
        await made.stop()


async def test_every_kind_of_address(plane: Any, tmp_path: Path) -> None:
    """Cluster addresses, node ports, load balancers, ingresses, headless services, pods of the host network, endpoints outside."""
    call, merge = plane.call, "application/merge-patch+json"
    call("PATCH", "/api/v1/namespaces/shop", {"metadata": {"labels": {"team": "red"}}}, merge)

    def service(name: str, app: str, **more: Any) -> dict[str, Any]:
        ports = [{"port": 80, "targetPort": 8080}]
        spec = {"ports": ports, **({"selector": {"app": app}} if app else {}), **more}
        found: dict[str, Any] = call("POST", SERVICES, {"metadata": {"name": name}, "spec": spec})
        return found

    def ingress(name: str, address: str) -> None:
        backend = {"service": {"name": "plain", "port": {"number": 80}}}
        call("POST", INGRESSES, {"metadata": {"name": name}, "spec": {"defaultBackend": backend}})
        call("PATCH", f"{INGRESSES}/{name}/status", {"status": {"loadBalancer": {"ingress": [{"ip": address}]}}}, merge)

    plain = service("plain", "none")["spec"]["clusterIP"]
    node_port = service("by-node", "none", type="NodePort")["spec"]["ports"][0]["nodePort"]
    service("balanced", "none", type="LoadBalancer")
    balancer = {"status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.5"}]}}}
    call("PATCH", f"{SERVICES}/balanced/status", balancer, merge)
    service("db-headless", "db", clusterIP="None")
    service("db", "db")
    service("exporter", "exporter")
    service("outside", "")
    slice_ = {
        "metadata": {"name": "outside-1", "labels": {"kubernetes.io/service-name": "outside"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["172.20.0.1"]}],
        "ports": [{"port": 5432}],
    }
    call("POST", "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices", slice_)
    ingress("alone", "203.0.113.9")
    ingress("shared-1", "203.0.113.10")
    ingress("shared-2", "203.0.113.10")
    names = ("db-0", "exporter-1")
    for name in names:
        pod = _pod(name)
        pod["metadata"]["labels"] = {"app": name.partition("-")[0]}
        pod["spec"]["hostNetwork"] = name == "exporter-1"
        call("POST", PODS, pod)
        plane.bind(call("GET", f"{PODS}/{name}"), "node-1", "192.168.7.1" if name == "exporter-1" else "10.9.1.1")
    made = await tagger(plane, tmp_path)
    now = time.time_ns() + 2_000_000_000
    # address, port, service, kind of auto_service, pod, node
    wanted = [
        (plain, 80, "plain", 11, "", ""),
        (plain, 81, "", 255, "", ""),
        ("192.168.7.1", node_port, "by-node", 11, "", "node-1"),
        ("192.168.7.2", node_port, "by-node", 11, "", "node-2"),
        ("192.168.7.2", 22, "", 103, "", "node-2"),
        ("203.0.113.5", 80, "balanced", 11, "", ""),
        ("10.9.1.1", 8080, "db", 11, "db-0", "node-1"),
        ("10.9.1.1", 9, "", 10, "db-0", "node-1"),
        ("192.168.7.1", 8080, "exporter", 11, "", "node-1"),
        ("172.20.0.1", 5432, "outside", 11, "", ""),
        ("172.20.0.1", 5433, "", 255, "", ""),
        ("203.0.113.9", 443, "alone", 11, "", ""),
        ("203.0.113.10", 443, "", 0, "", ""),
    ]
    rows = [Row(address, now, "", "", "", {}, port) for address, port, *_ in wanted]

    def found() -> list[tuple[Any, ...]]:
        told = [tuple(each.values()) for each in tagged(made, rows)]
        return [(*row[:2], each[3], each[5], each[0], each[1]) for row, each in zip(wanted, told, strict=True)]

    try:
        # the controllers need a while for their slices
        await until(lambda: found() == wanted, f"what was wanted; it is {found()}", 30)
        assert tagged(made, rows[6:7])[0]["namespace"]["team"] == "red"
        call("PATCH", "/api/v1/namespaces/shop", {"metadata": {"labels": {"team": "blue"}}}, merge)
        await until(lambda: tagged(made, rows[6:7])[0]["namespace"]["team"] == "blue", "the namespace's new label")
    finally:
        await made.stop()
        for name in names:
            plane.bury({"metadata": {"name": name, "namespace": "shop"}})


async def test_a_version_that_is_too_old_is_410(plane: Any, tmp_path: Path) -> None:
    """What the tagger does after a 410 is tested with the double; that this is what a real server says, here."""
    from metaflow_tagger_kubernetes.access import Gone, connect

    access, _ = connect(plane.kubeconfig(), "")
    try:
        plane.compact()
        with pytest.raises(Gone):
            for _ in access.watch("/apis/apps/v1/deployments", "1"):
                pass
    finally:
        access.close()


async def test_each_missing_right_is_named(plane: Any, tmp_path: Path) -> None:
    """With RBAC's own authorizer: a user that may nothing hears of every resource; with the rights of the chart all is well."""
    reports: list[tuple[str, str]] = []
    made = await tagger(plane, tmp_path / "blind", "blind-token", reports=reports)
    wanted = list(resources(()))
    try:
        await until(lambda: all(each.problem for each in made._watchers), "every refusal")
        for resource, watcher in zip(wanted, made._watchers, strict=True):
            group = f" of the API group '{resource.group}'" if resource.group else ""
            assert f"may not list and watch {resource.plural}{group}" in watcher.problem
        await until(lambda: any("and 10 more" in text for _, text in reports), "the report")
    finally:
        await made.stop()
    for name, rules in (("watch", _rules(wanted)), ("lease", _lease_rules())):
        role = {"metadata": {"name": f"mf-{name}"}, "rules": rules}
        plane.call("POST", f"{RULES}/clusterroles", role)
        subject = {"kind": "User", "name": "agent", "apiGroup": "rbac.authorization.k8s.io"}
        reference = {"kind": "ClusterRole", "name": f"mf-{name}", "apiGroup": "rbac.authorization.k8s.io"}
        binding = {"metadata": {"name": f"mf-{name}"}, "subjects": [subject], "roleRef": reference}
        plane.call("POST", f"{RULES}/clusterrolebindings", binding)
    made = await tagger(plane, tmp_path / "seeing", "agent-token", elect=True, lease_s=2)
    try:
        await until(lambda: made.report().entries is not None, "its election, by the rights of the chart")
        assert not any(each.problem for each in made._watchers)
    finally:
        await made.stop()


async def test_an_election_by_a_real_api_server(plane: Any, tmp_path: Path) -> None:
    made = [await tagger(plane, tmp_path / str(n), elect=True, lease_s=5, lease="mf-test") for n in range(3)]
    try:

        def speaking() -> list[KubernetesTagger]:
            return [each for each in made if each.report().entries is not None]

        await until(lambda: len(speaking()) == 1, "the first election")
        (first,) = speaking()
        assert {"node-1", "node-2"} <= {each.name for each in first.report().entries or ()}
        await first.stop()
        await until(lambda: len(speaking()) == 1, "the second election")
        lease = plane.call("GET", "/apis/coordination.k8s.io/v1/namespaces/default/leases/mf-test")
        assert lease["spec"]["leaseTransitions"] == speaking()[0].report().reign > 1
    finally:
        for each in made:
            await each.stop()


async def test_bookmarks_move_the_version(bookmarks: list[int]) -> None:
    """A server sends one about once a minute, whatever happens: it was watched for while the others ran, so this stands last."""
    await until(lambda: bookmarks, "a bookmark", 150)
    assert bookmarks[0] > 0


def _pod(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "none"}]}}


def _rules(wanted: list[Any]) -> list[dict[str, Any]]:
    return [{"apiGroups": [each.group], "resources": [each.plural], "verbs": ["list", "watch"]} for each in wanted]


def _lease_rules() -> list[dict[str, Any]]:
    verbs = ["get", "create", "update"]
    return [{"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": verbs}]
