"""The Helm chart installed by Helm's own code into a real control plane: it is accepted, its pods are made, its rights are what they say."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from metaflow_core.api import Kind, SystemClock
from metaflow_core.testing import build_context

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "packaging" / "kubernetes" / "metaflow"
PLANE = ROOT / "plugins" / "tagger-kubernetes" / "tests" / "control_plane"
NAMESPACE = "watch"
RELEASE = "demo"
AGENT, SERVER = f"{RELEASE}-metaflow-agent", f"{RELEASE}-metaflow-server"
CORE, APPS = f"/api/v1/namespaces/{NAMESPACE}", f"/apis/apps/v1/namespaces/{NAMESPACE}"
LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
# what a chart's values may ask for; each is put to the API server
CHOICES: dict[str, dict[str, Any]] = {
    "ebpf": {"agent": {"ebpf": True, "filter": "not port 22", "priorityClassName": "system-node-critical"}},
    "ebpf and TLS": {"agent": {"ebpf": True, "ebpfTls": True, "image": {"repository": "metaflow-agent"}}},
    "least": {"agent": {"enabled": False}, "server": {"kubernetesTags": False}, "networkPolicy": {"enabled": False}},
    "own token": {
        "tokenSecret": "mine",
        "imagePullSecrets": [{"name": "registry"}],
        "server": {"clusterName": "east", "storage": {"className": "fast"}, "tolerations": [{"operator": "Exists"}]},
        "networkPolicy": {"httpFrom": [{"namespaceSelector": {"matchLabels": {"team": "ops"}}}]},
    },
}
ELSEWHERE = {
    "agent": {"kubernetesTags": True, "server": "metaflow.example:20133", "clusterName": "east"},
    "server": {"kubernetesTags": False},
}


def _beside(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"control_plane_{name}", PLANE / f"{name}.py")
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


@dataclass
class Cluster:
    """A control plane, and Helm with the administrator's rights."""

    plane: Any
    helm: Any

    def token(self, account: str) -> str:
        """A token of a service account, as its pods are given one."""
        path = f"{CORE}/serviceaccounts/{account}/token"
        answer = self.plane.call("POST", path, {"spec": {"expirationSeconds": 3600}})
        return str(answer["status"]["token"])

    def rules(self, account: str, namespace: str) -> set[tuple[str, str, str, str]]:
        """Group, resource, name and verb of everything that an account may do in a namespace, by its own question."""
        question = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectRulesReview",
            "spec": {"namespace": namespace},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
        status, answer = self.ask(self.token(account), "POST", path, question)
        assert status == 201, answer
        assert not answer["status"]["incomplete"]
        return {
            (group, resource, name, verb)
            for rule in answer["status"]["resourceRules"]
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for name in rule.get("resourceNames") or [""]
            for verb in rule["verbs"]
        }

    def ask(self, token: str, method: str, path: str, item: Any = None) -> tuple[int, Any]:
        """A request with a token: status and answer."""
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        data = None if item is None else json.dumps(item).encode()
        request = urllib.request.Request(f"{self.plane.url}{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30, context=self.plane._context) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def pods(self, component: str) -> list[dict[str, Any]]:
        selector = f"?labelSelector=app.kubernetes.io/component={component}"
        found: list[dict[str, Any]] = self.plane.list(f"{CORE}/pods{selector}")
        return found


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    helm = pytest.importorskip(
        "helm_python", reason="helm-python-sdk is not installed; run: pip install helm-python-sdk"
    )
    plane = _beside("plane").Plane(tmp_path_factory.mktemp("plane"))
    try:
        plane.start()
        # a server's pod is to pass the strictest of Kubernetes' own profiles, an agent's the one for infrastructure
        plane.call("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        for number in (1, 2):
            plane.node(f"node-{number}", f"192.168.7.{number}", "eu-a")
            # the kubelet's own label, which the chart selects by
            label = {"metadata": {"labels": {"kubernetes.io/os": "linux"}}}
            plane.call("PATCH", f"/api/v1/nodes/node-{number}", label, "application/merge-patch+json")
        with helm.Config(kubeconfig_path=plane.kubeconfig(), namespace=NAMESPACE) as config:
            yield Cluster(plane, config)
    finally:
        plane.stop()


@pytest.fixture
def installed(cluster: Cluster) -> Iterator[Cluster]:
    """The chart with its defaults, from nothing."""
    cluster.helm.install(CHART, RELEASE, {}, namespace=NAMESPACE)
    yield cluster
    cluster.helm.uninstall(RELEASE, ignore_not_found=True)


@pytest.mark.parametrize("name", CHOICES)
def test_the_api_server_takes_every_choice(name: str, cluster: Cluster) -> None:
    """Server-side dry run, strict: an unknown field or a value out of range is refused."""
    manifest = cluster.helm.install(CHART, RELEASE, CHOICES[name], namespace=NAMESPACE, dry_run="server")["manifest"]
    documents = [each for each in yaml.safe_load_all(manifest) if each]
    assert documents
    for item in documents:
        group, _, version = item["apiVersion"].rpartition("/")
        base = f"/apis/{group}/{version}" if group else f"/api/{version}"
        plural = {"NetworkPolicy": "networkpolicies"}.get(item["kind"], f"{item['kind'].lower()}s")
        scope = "" if item["kind"].startswith("Cluster") else f"/namespaces/{NAMESPACE}"
        warned = _put(cluster, f"{base}{scope}/{plural}?dryRun=All&fieldValidation=Strict&fieldManager=test", item)
        assert not warned, f"{item['kind']}: {warned}"


def _put(cluster: Cluster, path: str, item: dict[str, Any]) -> str:
    """What the API server warns of."""
    headers = {"Authorization": "Bearer admin-token", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{cluster.plane.url}{path}", json.dumps(item).encode(), headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30, context=cluster.plane._context) as answer:
            return answer.headers.get("Warning") or ""
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{path}: {error.code} {error.read().decode()[:2000]}") from None


def test_pods_are_made_and_the_server_passes_the_strictest_profile(installed: Cluster) -> None:
    plane = installed.plane
    server = plane.until(lambda: installed.pods("server"), "the server's pod", 60)[0]
    agents = plane.until(lambda: [each for each in [installed.pods("agent")] if len(each) == 2], "an agent a node", 60)[
        0
    ]
    assert server["spec"]["serviceAccountName"] == SERVER
    assert {each["spec"]["serviceAccountName"] for each in agents} == {AGENT}
    # a namespace that enforces the profile: a copy of the pod is put there, and the API server judges it
    for profile, pod, passes in (("restricted", server, True), ("baseline", agents[0], False)):
        labels = {"pod-security.kubernetes.io/enforce": profile}
        plane.call("POST", "/api/v1/namespaces", {"metadata": {"name": profile, "labels": labels}})
        copy = {"metadata": {"name": "judged"}, "spec": {**pod["spec"], "serviceAccountName": "", "serviceAccount": ""}}
        status, answer = installed.ask("admin-token", "POST", f"/api/v1/namespaces/{profile}/pods?dryRun=All", copy)
        assert (status == 201) is passes, answer
        if not passes:
            # the node's network, its folder for the spool and raw sockets, and nothing else
            reasons = answer["message"]
            assert "hostNetwork" in reasons
            assert "NET_RAW" in reasons
            assert "privileged container" not in reasons


def test_the_token_outlives_an_upgrade(installed: Cluster) -> None:
    path = f"{CORE}/secrets/{RELEASE}-metaflow-token"
    token = installed.plane.call("GET", path)["data"]["token"]
    assert len(token) > 40
    installed.helm.upgrade(CHART, RELEASE, {"agent": {"ebpf": True}}, namespace=NAMESPACE)
    assert installed.plane.call("GET", path)["data"]["token"] == token
    agent = installed.plane.call("GET", f"{APPS}/daemonsets/{AGENT}")["spec"]["template"]["spec"]
    assert agent["hostPID"] is True
    installed.helm.rollback(RELEASE, version=1)
    assert not installed.plane.call("GET", f"{APPS}/daemonsets/{AGENT}")["spec"]["template"]["spec"].get("hostPID")
    assert installed.plane.call("GET", path)["data"]["token"] == token


def test_nothing_is_left_behind(cluster: Cluster) -> None:
    cluster.helm.install(CHART, RELEASE, {}, namespace=NAMESPACE)
    cluster.helm.uninstall(RELEASE)
    for path in (
        f"{CORE}/secrets",
        f"{CORE}/configmaps",
        f"{CORE}/serviceaccounts",
        f"{APPS}/statefulsets",
        f"{APPS}/daemonsets",
    ):
        names = [each["metadata"]["name"] for each in cluster.plane.list(path)]
        assert not [name for name in names if name.startswith(RELEASE)], path
    names = [each["metadata"]["name"] for each in cluster.plane.list("/apis/rbac.authorization.k8s.io/v1/clusterroles")]
    assert f"{NAMESPACE}-{RELEASE}-metaflow" not in names


def test_rights_are_these_and_no_others(installed: Cluster) -> None:
    """Every account is asked for what it may do; what one without a role may do as well is Kubernetes' own."""
    resources = pytest.importorskip(
        "metaflow_tagger_kubernetes.resources", reason="metaflow-tagger-kubernetes is not installed"
    ).resources
    installed.plane.call("POST", f"{CORE}/serviceaccounts", {"metadata": {"name": "nobody"}})
    try:
        everybody = installed.rules("nobody", NAMESPACE)
        assert installed.rules(AGENT, NAMESPACE) == everybody
        for namespace in (NAMESPACE, "kube-system"):
            own = installed.rules(SERVER, namespace) - installed.rules("nobody", namespace)
            assert {verb for *_, verb in own} == {"list", "watch"}
            assert {name for _, _, name, _ in own} == {""}
            watched = {
                (each.prefix.rpartition("/")[0].removeprefix("/apis/").removeprefix("/api"), each.plural)
                for each in resources(())
            }
            assert {(group, resource) for group, resource, *_ in own} == watched
        for path in (f"{CORE}/secrets", "/api/v1/configmaps", f"{CORE}/pods/x/log", "/api/v1/persistentvolumes"):
            assert installed.ask(installed.token(SERVER), "GET", path)[0] == 403, path
        assert installed.ask(installed.token(AGENT), "GET", "/api/v1/pods")[0] == 403
    finally:
        installed.plane.call("DELETE", f"{CORE}/serviceaccounts/nobody")


def _watches(plane: Any, token: str, folder: Path, **options: Any) -> tuple[list[tuple[str, str]], int]:
    """Run the tagger with a token: what it reported, and how many addresses it knows."""
    from metaflow_tagger_kubernetes.config import KubernetesConfig
    from metaflow_tagger_kubernetes.tagger import KubernetesTagger

    file = folder / "kubeconfig.json"
    file.write_text(json.dumps(plane.kubeconfig_of(token)))
    reports: list[tuple[str, str]] = []

    async def work() -> int:
        context = build_context(Kind.TAGGER, "kubernetes", clock=SystemClock(), data_dir=folder, reports=reports)
        made = KubernetesTagger(context, KubernetesConfig(kubeconfig=file, settle_s=0.1, cluster="east", **options))
        await made.start()
        try:
            for _ in range(600):
                if entries := made.report().entries:
                    return len(entries)
                await asyncio.sleep(0.1)
            return 0
        finally:
            await made.stop()

    return reports, asyncio.run(work())


def test_the_servers_tagger_runs_with_its_account(installed: Cluster, tmp_path: Path) -> None:
    pytest.importorskip("metaflow_tagger_kubernetes", reason="metaflow-tagger-kubernetes is not installed")
    installed.plane.until(lambda: installed.pods("server"), "the server's pod")
    reports, known = _watches(installed.plane, installed.token(SERVER), tmp_path)
    assert known > 0
    # nothing was refused
    assert not [said for said in reports if "403" in str(said) or "orbidden" in str(said)]


def test_an_elected_agent_runs_with_its_account(cluster: Cluster, tmp_path: Path) -> None:
    pytest.importorskip("metaflow_tagger_kubernetes", reason="metaflow-tagger-kubernetes is not installed")
    cluster.helm.install(CHART, RELEASE, ELSEWHERE, namespace=NAMESPACE)
    try:
        token = cluster.token(AGENT)
        reports, known = _watches(cluster.plane, token, tmp_path, elect=True, lease_namespace=NAMESPACE, lease_s=3)
        assert known > 0
        assert not [said for said in reports if "403" in str(said) or "orbidden" in str(said)]
        lease = cluster.plane.call("GET", f"{LEASES}/metaflow-tagger")
        assert "holderIdentity" in lease["spec"]
        # a lease of somebody else's is neither read nor taken nor deleted
        cluster.plane.call("POST", LEASES, {"metadata": {"name": "other"}, "spec": {}})
        for method in ("GET", "DELETE"):
            assert cluster.ask(token, method, f"{LEASES}/other")[0] == 403
        assert cluster.ask(token, "DELETE", f"{LEASES}/metaflow-tagger")[0] == 403
    finally:
        cluster.helm.uninstall(RELEASE)
