"""The tagger by its contract, and against an API server that misbehaves over real HTTP."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from metaflow_tagger_kubernetes.config import CustomWorkload, KubernetesConfig
from metaflow_tagger_kubernetes.objects import trim
from metaflow_tagger_kubernetes.plugin import metaflow_taggers
from metaflow_tagger_kubernetes.sharing import Shared
from metaflow_tagger_kubernetes.tagger import KubernetesTagger

from metaflow_core.api import Kind, RecordBatch, SystemClock
from metaflow_core.errors import StartError
from metaflow_core.testing import build_context
from metaflow_core.testing.contracts import TaggerContract

_SPEC = importlib.util.spec_from_file_location("api_double", Path(__file__).with_name("api_double.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
_MODULE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)
ApiDouble = _MODULE.ApiDouble

PODS, NODES, SERVICES = "/api/v1/pods", "/api/v1/nodes", "/api/v1/services"
SETS, DEPLOYMENTS = "/apis/apps/v1/replicasets", "/apis/apps/v1/deployments"
SLICES = "/apis/discovery.k8s.io/v1/endpointslices"


@pytest.fixture
def api() -> Iterator[Any]:
    double = ApiDouble()
    yield double
    double.stop()


@pytest.fixture
def kubeconfig(api: Any, tmp_path: Path) -> Path:
    file: Path = api.kubeconfig(tmp_path)
    return file


class TestContract(TaggerContract):
    factory = next(iter(metaflow_taggers()))

    @pytest.fixture(autouse=True)
    def _access(self, kubeconfig: Path) -> None:
        self.options = {"kubeconfig": str(kubeconfig)}


def meta(name: str, uid: str = "", namespace: str = "default", **more: Any) -> dict[str, Any]:
    return {"name": name, "namespace": namespace, "uid": uid or f"uid-{namespace}-{name}", **more}


def pod(
    name: str,
    ip: str,
    *,
    owner: tuple[str, str] | None = ("ReplicaSet", "web-5d9f"),
    start: str = "2026-01-01T00:00:00Z",
    **more: Any,
) -> dict[str, Any]:
    owners = [{"kind": owner[0], "name": owner[1], "controller": True}] if owner else []
    labels = more.pop("labels", {"app": "web", "pod-template-hash": "5d9f"})
    return {
        "metadata": meta(name, ownerReferences=owners, labels=labels, annotations=more.pop("annotations", {})),
        "spec": {
            "nodeName": "node-1",
            "hostNetwork": more.pop("host_network", False),
            "containers": [{"env": [{"name": "TIER", "value": "front"}, {"name": "SECRET", "valueFrom": {}}]}],
        },
        "status": {"podIP": ip, "podIPs": [{"ip": ip}], "startTime": start, "phase": more.pop("phase", "Running")},
    }


def workload(kind: str, name: str, owner: tuple[str, str] | None = None) -> dict[str, Any]:
    owners = [{"kind": owner[0], "name": owner[1], "controller": True}] if owner else []
    return {"kind": kind, "metadata": meta(name, uid=f"{kind}-{name}", ownerReferences=owners)}


def fill(api: Any) -> None:
    node = {
        "metadata": {
            **meta("node-1", namespace=""),
            "labels": {"topology.kubernetes.io/region": "eu", "topology.kubernetes.io/zone": "eu-a"},
        }
    }
    api.put(
        NODES,
        {
            **node,
            "spec": {"podCIDR": "10.1.0.0/24"},
            "status": {
                "addresses": [
                    {"type": "InternalIP", "address": "192.168.0.1"},
                    {"type": "Hostname", "address": "node-1"},
                ]
            },
        },
    )
    api.put(DEPLOYMENTS, workload("Deployment", "web"))
    api.put(SETS, workload("ReplicaSet", "web-5d9f", ("Deployment", "web")))
    api.put(PODS, pod("web-5d9f-a", "10.1.0.5"))
    api.put(PODS, pod("agent-x", "192.168.0.1", owner=("DaemonSet", "agent"), host_network=True))
    api.put(PODS, pod("done", "10.1.0.9", owner=("Job", "once"), phase="Succeeded"))
    api.put(
        SERVICES,
        {
            "metadata": meta("shop", labels={"team": "money"}),
            "spec": {
                "clusterIP": "10.96.0.7",
                "clusterIPs": ["10.96.0.7"],
                "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30080}],
            },
        },
    )
    api.put(
        SLICES,
        {
            "metadata": meta("shop-1", labels={"kubernetes.io/service-name": "shop"}),
            "endpoints": [{"addresses": ["10.1.0.5"]}],
            "ports": [{"port": 8080, "protocol": "TCP"}],
        },
    )


async def _tagger(kubeconfig: Path, tmp_path: Path, **options: Any) -> KubernetesTagger:
    context = build_context(
        Kind.TAGGER, "kubernetes", clock=SystemClock(), data_dir=tmp_path / "data", reports=options.pop("reports", None)
    )
    made = KubernetesTagger(context, KubernetesConfig(kubeconfig=kubeconfig, settle_s=0.05, **options))
    await made.start()
    return made


@pytest.fixture
async def tagger(api: Any, kubeconfig: Path, tmp_path: Path) -> AsyncIterator[KubernetesTagger]:
    fill(api)
    made = await _tagger(kubeconfig, tmp_path, env=True, annotations=True)
    await until(lambda: all(each.listed.is_set() for each in made._watchers), "every list")
    await until(lambda: made._learnt == made._world.changes, "the first picture")
    yield made
    await made.stop()


def rows(made: KubernetesTagger, client: str, server: str, port: int = 0, at: datetime | None = None) -> dict[str, Any]:
    """One row's tags, numbers with a dictionary as names."""
    moment = at or datetime.now(UTC)
    data = pa.record_batch(
        {
            "end_time": pa.array([moment], pa.timestamp("us", "UTC")),
            "ip4_0": pa.array([int(ip_address(client))], pa.uint32()),
            "ip4_1": pa.array([int(ip_address(server))], pa.uint32()),
            "is_ipv4": [True],
            "server_port": pa.array([port], pa.uint16()),
            "protocol": pa.array([6], pa.uint8()),
        }
    )
    tagged = made.tag(RecordBatch("flow_log.l7_flow_log", data)).data.to_pylist()[0]
    names = made.dictionaries()
    kinds = {
        "pod_id": "pod",
        "pod_ns_id": "pod_ns",
        "pod_group_id": "pod_group",
        "pod_node_id": "pod_node",
        "pod_cluster_id": "pod_cluster",
        "service_id": "service",
        "auto_instance_id": "device",
        "auto_service_id": "device",
        "region_id": "region",
        "az_id": "az",
        "subnet_id": "subnet",
    }
    out: dict[str, Any] = {}
    for name, value in tagged.items():
        kind = kinds.get(name[:-2])
        out[name] = names.get(kind, {}).get(value, "") if kind else value
    return out


async def until(true: Callable[[], bool], what: str) -> None:
    for _ in range(400):
        if true():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{what} did not happen")


async def test_both_ends_of_a_row(tagger: KubernetesTagger) -> None:
    row = rows(tagger, "10.1.0.5", "10.96.0.7", 80)
    assert (row["pod_id_0"], row["pod_ns_id_0"], row["pod_group_id_0"], row["pod_node_id_0"]) == (
        "web-5d9f-a",
        "default",
        "web",
        "node-1",
    )
    assert (row["pod_cluster_id_0"], row["region_id_0"], row["az_id_0"], row["subnet_id_0"]) == (
        "shop",
        "eu",
        "eu-a",
        "10.1.0.0/24",
    )
    assert (row["auto_instance_id_0"], row["auto_instance_type_0"]) == ("web-5d9f-a", 10)
    assert (row["auto_service_id_0"], row["auto_service_type_0"]) == ("web", 130), (
        "a client is its workload, a Deployment"
    )
    assert (row["service_id_1"], row["auto_service_id_1"], row["auto_service_type_1"]) == ("shop", "shop", 11)
    behind = rows(tagger, "10.1.0.5", "10.1.0.5", 8080)
    assert (behind["pod_id_1"], behind["service_id_1"], behind["auto_service_type_1"]) == ("web-5d9f-a", "shop", 11)
    other = rows(tagger, "10.1.0.5", "10.1.0.5", 9999)
    assert (other["service_id_1"], other["auto_service_id_1"], other["auto_service_type_1"]) == ("", "web", 130)


async def test_nodes_and_what_has_no_address_of_its_own(tagger: KubernetesTagger) -> None:
    row = rows(tagger, "192.168.0.1", "192.168.0.1", 30080)
    assert (row["pod_node_id_0"], row["pod_id_0"], row["auto_instance_type_0"]) == ("node-1", "", 14), (
        "host network is the node"
    )
    assert (row["auto_service_id_0"], row["auto_service_type_0"]) == ("shop", 103), "a node stands for its cluster"
    assert (row["service_id_1"], row["auto_service_type_1"]) == ("shop", 11), "the port on the node is the service's"
    ended = rows(tagger, "10.1.0.9", "10.1.0.8")
    assert (ended["pod_id_0"], ended["pod_node_id_1"]) == ("", "node-1"), (
        "an ended pod owns nothing; its range is the node's"
    )


async def test_labels_annotations_and_variables(tagger: KubernetesTagger) -> None:
    names = tagger.dictionaries()
    (pod_number,) = [number for number, name in names["pod"].items() if name == "web-5d9f-a"]
    assert json.loads(names["pod_label"][pod_number])["app"] == "web"
    assert json.loads(names["pod_env"][pod_number]) == {"TIER": "front"}
    (service_number,) = [number for number, name in names["pod_service"].items() if name == "shop"]
    assert json.loads(names["pod_label"][service_number]) == {"team": "money"}


async def test_an_address_that_another_pod_gets_keeps_its_history(tagger: KubernetesTagger, api: Any) -> None:
    api.wait_for_watch(PODS)
    before = datetime.now(UTC)
    api.delete(PODS, "uid-default-web-5d9f-a")
    await until(lambda: rows(tagger, "10.1.0.5", "10.0.0.1")["pod_id_0"] == "", "the end of the pod")
    api.put(PODS, pod("cart-1", "10.1.0.5", owner=("StatefulSet", "cart"), start=datetime.now(UTC).isoformat()))
    await until(lambda: rows(tagger, "10.1.0.5", "10.0.0.1")["pod_id_0"] == "cart-1", "the new pod")
    now = rows(tagger, "10.1.0.5", "10.0.0.1")
    assert (now["pod_group_id_0"], now["auto_service_type_0"]) == ("cart", 131)
    assert rows(tagger, "10.1.0.5", "10.0.0.1", at=before)["pod_id_0"] == "web-5d9f-a"


async def test_changed_labels_are_told_with_their_moment(tagger: KubernetesTagger, api: Any) -> None:
    api.wait_for_watch(PODS)
    position, _ = tagger.names(0)
    api.put(PODS, pod("web-5d9f-a", "10.1.0.5", labels={"app": "web2"}))
    await until(lambda: tagger.names(position)[0] > position, "a new name")
    (told,) = [each for each in tagger.names(position)[1] if each.dictionary == "pod_label"]
    assert told.valid_from_s is not None
    assert [json.loads(text) for text in told.names.values()] == [{"app": "web2"}]


async def test_trouble_of_watches(tagger: KubernetesTagger, api: Any) -> None:
    """Broken connections resume where they were; 410 lists again; bookmarks, unknown and malformed objects do no harm."""
    api.wait_for_watch(PODS)
    api.bookmark(PODS)
    api.raw(PODS, {"type": "ADDED", "object": {"metadata": {"uid": "x"}}})
    api.raw(PODS, {"type": "ADDED", "object": {"metadata": "?"}})
    api.break_watches()
    await until(
        lambda: any(q.get("watch") and int(q["resourceVersion"]) > 108 for p, q in api.calls if p == PODS), "resuming"
    )
    api.wait_for_watch(PODS)
    api.gone_watches.add(PODS)
    lists = sum(path == PODS and "watch" not in query for path, query in api.calls)
    api.objects[PODS].pop("uid-default-web-5d9f-a")  # missed while it was away
    api.break_watches()
    await until(lambda: sum(path == PODS and "watch" not in query for path, query in api.calls) > lists, "a new list")
    await until(lambda: rows(tagger, "10.1.0.5", "10.0.0.1")["pod_id_0"] == "", "what was missed")


async def test_pages_and_an_expired_page(api: Any, kubeconfig: Path, tmp_path: Path) -> None:
    for number in range(25):
        api.put(PODS, pod(f"p{number:02}", f"10.1.1.{number}"))
    api.expire_continue = 1
    made = await _tagger(kubeconfig, tmp_path, page_size=10)
    try:
        await until(lambda: rows(made, "10.1.1.24", "10.1.1.0")["pod_id_0"] == "p24", "every page")
        assert rows(made, "10.1.1.24", "10.1.1.0")["pod_id_1"] == "p00"
    finally:
        await made.stop()


async def test_missing_rights_are_named_and_the_rest_works(api: Any, kubeconfig: Path, tmp_path: Path) -> None:
    fill(api)
    api.forbidden |= {SETS, "/apis/batch/v1/cronjobs"}
    reports: list[tuple[str, str]] = []
    made = await _tagger(kubeconfig, tmp_path, reports=reports)
    try:
        assert rows(made, "10.1.0.5", "10.0.0.1")["pod_group_id_0"] == "web", (
            "by the hash in the name of the ReplicaSet"
        )
        await until(lambda: any("replicasets of the API group 'apps'" in text for _, text in reports), "the report")
        assert any("cronjobs of the API group 'batch'" in text for _, text in reports)
    finally:
        await made.stop()


async def test_an_api_server_that_goes_away_and_comes_back(tagger: KubernetesTagger, api: Any) -> None:
    api.wait_for_watch(PODS)
    api.stop()
    await until(lambda: any(watcher.problem for watcher in tagger._watchers), "a problem")
    assert rows(tagger, "10.1.0.5", "10.0.0.1")["pod_id_0"] == "web-5d9f-a", "the last known tags stay"
    api.start()
    api.put(PODS, pod("late", "10.1.0.77"))
    await until(lambda: rows(tagger, "10.1.0.77", "10.0.0.1")["pod_id_0"] == "late", "the return")


async def test_pods_that_share_an_address(api: Any, kubeconfig: Path, tmp_path: Path) -> None:
    api.put(PODS, pod("old", "10.1.0.5", start="2026-01-01T00:00:00Z"))
    api.put(PODS, pod("young", "10.1.0.5", start="2026-01-02T00:00:00Z"))
    made = await _tagger(kubeconfig, tmp_path)
    try:
        assert rows(made, "10.1.0.5", "10.0.0.1")["pod_id_0"] == "young"
        assert rows(made, "10.1.0.5", "10.0.0.1", at=datetime(2026, 1, 1, 12, tzinfo=UTC))["pod_id_0"] == "old"
    finally:
        await made.stop()


async def test_custom_workloads_and_namespaces(api: Any, kubeconfig: Path, tmp_path: Path) -> None:
    api.put("/apis/apps.kruise.io/v1alpha1/namespaces/default/clonesets", workload("CloneSet", "cs"))
    api.put("/api/v1/namespaces/default/pods", pod("cs-1", "10.1.0.5", owner=("CloneSet", "cs")))
    kruise = CustomWorkload(group="apps.kruise.io", version="v1alpha1", plural="clonesets", kind="CloneSet")
    made = await _tagger(kubeconfig, tmp_path, namespaces=["default"], custom_workloads=[kruise], cluster="east")
    try:
        row = rows(made, "10.1.0.5", "10.0.0.1")
        assert (row["pod_group_id_0"], row["auto_service_type_0"], row["pod_cluster_id_0"]) == ("cs", 135, "east")
    finally:
        await made.stop()


async def test_no_access_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"no access to a Kubernetes cluster by the kubeconfig .*nowhere"):
        await _tagger(tmp_path / "nowhere", tmp_path)


def test_huge_and_hostile_tags_are_bounded() -> None:
    hostile = pod(
        "p", "10.0.0.1", labels={"<script>": "'\"\\", "a": "b"}, annotations={"big": "x" * 1_000_000, "small": "y"}
    )
    made = trim("Pod", hostile, KubernetesConfig(annotations=True), Shared())
    assert made is not None
    assert made.tags["pod_annotation"] == {"small": "y"}  # type: ignore[union-attr]
    assert made.tags["pod_label"] == {"<script>": "'\"\\", "a": "b"}  # type: ignore[union-attr]


@given(
    st.sampled_from(["Pod", "Node", "Service", "EndpointSlice", "Ingress", "Deployment"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "metadata",
                        "spec",
                        "status",
                        "uid",
                        "name",
                        "ports",
                        "port",
                        "podIP",
                        "labels",
                        "endpoints",
                        "addresses",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=20,
    ),
)
def test_any_object_is_taken_or_refused(kind: str, item: Any) -> None:
    with_head = (
        {**item, "metadata": {"uid": "u", "name": "n", **(item.get("metadata") or {})}}
        if isinstance(item, dict) and isinstance(item.get("metadata") or {}, dict)
        else item
    )
    for each in (item, with_head):
        try:
            trim(kind, each, KubernetesConfig(env=True, annotations=True), Shared())
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
