"""A Kubernetes control plane on loopback: etcd, kube-apiserver and kube-controller-manager as processes of a test.

There is no kubelet: :meth:`Plane.bind` does for pods what kwok does, through the API.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from control_plane_binaries import folder

ADMIN = "admin-token"
_MERGE = "application/strategic-merge-patch+json"


class Plane:
    """Start it, and stop it.

    :param tokens: further bearer tokens by user.
    """

    def __init__(self, home: Path, tokens: dict[str, str] | None = None) -> None:
        self._home = home
        self._tokens = tokens or {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        # ports stay over a restart of the API server, as they do in a cluster
        self.port, self._client, self._peer, self._manager = _free(4)
        self._context = ssl._create_unverified_context()
        self.url = f"https://127.0.0.1:{self.port}"

    def start(self) -> None:
        home = self._home
        home.mkdir(parents=True, exist_ok=True)
        lines = [f'{ADMIN},admin,1,"system:masters"\n']
        lines += [f"{token},{user},{number}\n" for number, (user, token) in enumerate(self._tokens.items(), 10)]
        (home / "tokens.csv").write_text("".join(lines))
        # the key signs service accounts' tokens
        subprocess.run(["openssl", "genrsa", "-out", str(home / "sa.key"), "2048"], check=True, capture_output=True)
        client, peer = f"http://127.0.0.1:{self._client}", f"http://127.0.0.1:{self._peer}"
        self._run(
            "etcd", "--data-dir", str(home / "etcd"), "--listen-client-urls", client, "--advertise-client-urls", client,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}",
            "--unsafe-no-fsync", "--log-level", "error",
        )  # fmt: skip
        self.start_api()
        (home / "manager.json").write_text(json.dumps(self.kubeconfig_of(ADMIN)))
        self._run(
            "kube-controller-manager", "--kubeconfig", str(home / "manager.json"), "--leader-elect=false",
            "--controllers", "deployment-controller,replicaset-controller,statefulset-controller,daemonset-controller,"
            "job-controller,endpointslice-controller,garbage-collector-controller,namespace-controller,"
            "serviceaccount-controller,serviceaccount-token-controller",
            "--service-account-private-key-file", str(home / "sa.key"), "--secure-port", str(self._manager),
            "--bind-address", "127.0.0.1", "--cert-dir", str(home / "manager"),
        )  # fmt: skip

    def start_api(self) -> None:
        """The API server alone; also after :meth:`kill_api`."""
        home = self._home
        self._run(
            "kube-apiserver", "--etcd-servers", f"http://127.0.0.1:{self._client}", "--secure-port", str(self.port),
            "--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1", "--cert-dir", str(home / "api"),
            "--service-cluster-ip-range", "10.96.0.0/16", "--authorization-mode", "RBAC",
            "--token-auth-file", str(home / "tokens.csv"), "--service-account-issuer", "https://control-plane.test",
            "--service-account-key-file", str(home / "sa.key"), "--service-account-signing-key-file", str(home / "sa.key"),
            "--disable-admission-plugins", "ServiceAccount", "--watch-cache=true", "--etcd-compaction-interval", "0",
            "--allow-privileged=true", "--endpoint-reconciler-type", "none",
        )  # fmt: skip
        self.until(self._is_ready, "the API server")

    def kill_api(self) -> None:
        """``kill -9``."""
        process = self._processes.pop("kube-apiserver")
        process.kill()
        process.wait()

    def stop(self) -> None:
        for name in ("kube-controller-manager", "kube-apiserver", "etcd"):
            process = self._processes.pop(name, None)
            if process is None:
                continue
            process.send_signal(signal.SIGTERM if name == "etcd" else signal.SIGKILL)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _run(self, program: str, *arguments: str) -> None:
        log = (self._home / f"{program}.log").open("ab")
        self._processes[program] = subprocess.Popen(
            [str(folder() / program), *arguments], stdout=log, stderr=log, cwd=self._home,
            env={"PATH": os.environ.get("PATH", ""), "HOME": str(self._home)},
        )  # fmt: skip

    def _is_ready(self) -> bool:
        try:
            return self.call("GET", "/readyz", plain=True) == "ok"
        except (OSError, urllib.error.HTTPError):
            return False

    def until(self, true: Callable[[], Any], what: str, seconds: float = 180) -> Any:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for name, process in self._processes.items():
                if process.poll() is not None:
                    log = (self._home / f"{name}.log").read_text(errors="replace")
                    raise AssertionError(f"{name} ended with {process.returncode}: {log[-3000:]}")
            if found := true():
                return found
            time.sleep(0.1)
        raise AssertionError(f"{what} did not come in {seconds:g} s")

    def call(
        self, method: str, path: str, item: Any = None, kind: str = "application/json", *, plain: bool = False
    ) -> Any:
        """One request as the administrator.

        :raises urllib.error.HTTPError: it was refused.
        """
        headers = {"Authorization": f"Bearer {ADMIN}", "Content-Type": kind}
        data = None if item is None else json.dumps(item).encode()
        request = urllib.request.Request(f"{self.url}{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30, context=self._context) as answer:
            text = answer.read().decode()
        return text if plain else json.loads(text)

    def list(self, path: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.call("GET", path)["items"]
        return items

    def kubeconfig_of(self, token: str) -> dict[str, Any]:
        cluster = {"server": self.url, "insecure-skip-tls-verify": True}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "real",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "real", "context": {"cluster": "c", "user": "u"}}],
        }

    def kubeconfig(self, token: str = ADMIN) -> Path:
        """A file for the tagger."""
        file = self._home / f"{token}.json"
        file.write_text(json.dumps(self.kubeconfig_of(token)))
        return file

    def node(self, name: str, address: str, zone: str) -> None:
        """A node that is ready."""
        labels = {"topology.kubernetes.io/region": "eu", "topology.kubernetes.io/zone": zone}
        self.call("POST", "/api/v1/nodes", {"metadata": {"name": name, "labels": labels}, "spec": {}})
        status = {
            "addresses": [{"type": "InternalIP", "address": address}],
            "conditions": [{"type": "Ready", "status": "True"}],
            "capacity": {"cpu": "8", "memory": "8Gi", "pods": "110"},
        }
        self.call("PATCH", f"/api/v1/nodes/{name}/status", {"status": status}, _MERGE)

    def bind(self, pod: dict[str, Any], node: str, address: str) -> dict[str, Any]:
        """What the scheduler and the kubelet do: the pod runs on a node and has an address. Returns it as it is then."""
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        path = f"/api/v1/namespaces/{namespace}/pods/{name}"
        target = {"apiVersion": "v1", "kind": "Node", "name": node}
        self.call("POST", f"{path}/binding", {"metadata": {"name": name}, "target": target})
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        status = {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "hostIP": "192.168.7.1",
            "startTime": now,
            "conditions": [{"type": "Ready", "status": "True"}],
        }
        found: dict[str, Any] = self.call("PATCH", f"{path}/status", {"status": status}, _MERGE)
        return found

    def bury(self, pod: dict[str, Any]) -> None:
        """What the kubelet does last: the object goes."""
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        path = f"/api/v1/namespaces/{namespace}/pods/{name}"
        try:
            self.call("DELETE", path, {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0})
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise

    def compact(self) -> None:
        """Have etcd forget its history: versions that were read before are gone (410)."""
        client = f"http://127.0.0.1:{self._client}"
        headers = {"Content-Type": "application/json"}

        def post(path: str, body: dict[str, Any]) -> Any:
            request = urllib.request.Request(f"{client}{path}", json.dumps(body).encode(), headers)
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read())

        revision = post("/v3/kv/range", {"key": "AA==", "range_end": "AA==", "count_only": True})["header"]["revision"]
        post("/v3/kv/compaction", {"revision": revision, "physical": True})


def _free(count: int) -> list[int]:
    held = [socket.socket() for _ in range(count)]
    for each in held:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports
