"""What is listed and watched, and the rights that it takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from metaflow_tagger_kubernetes.config import CustomWorkload

__all__ = ["Resource", "resources"]


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of the API.

    :ivar kind: of its objects. :ivar prefix: of its path. :ivar plural: its name in paths and in RBAC rules.
    :ivar namespaced: whether it lies in namespaces.
    """

    kind: str
    prefix: str
    plural: str
    namespaced: bool = True

    @property
    def group(self) -> str:
        """API group as RBAC rules name it; the core group is empty."""
        return self.prefix.split("/")[2] if self.prefix.startswith("/apis/") else ""

    def path(self, namespace: str = "") -> str:
        """The path of its list."""
        return f"{self.prefix}/namespaces/{namespace}/{self.plural}" if namespace else f"{self.prefix}/{self.plural}"


_CORE, _APPS, _BATCH = "/api/v1", "/apis/apps/v1", "/apis/batch/v1"

_STANDARD = (
    # Owners come before pods, so that the first picture of a pod is whole.
    Resource("Node", _CORE, "nodes", namespaced=False),
    Resource("Namespace", _CORE, "namespaces", namespaced=False),
    Resource("Deployment", _APPS, "deployments"),
    Resource("ReplicaSet", _APPS, "replicasets"),
    Resource("StatefulSet", _APPS, "statefulsets"),
    Resource("DaemonSet", _APPS, "daemonsets"),
    Resource("ReplicationController", _CORE, "replicationcontrollers"),
    Resource("CronJob", _BATCH, "cronjobs"),
    Resource("Job", _BATCH, "jobs"),
    Resource("Pod", _CORE, "pods"),
    Resource("Service", _CORE, "services"),
    Resource("EndpointSlice", "/apis/discovery.k8s.io/v1", "endpointslices"),
    Resource("Ingress", "/apis/networking.k8s.io/v1", "ingresses"),
)


def resources(custom: Sequence[CustomWorkload]) -> Iterator[Resource]:
    """Every resource to watch."""
    yield from _STANDARD
    for each in custom:
        yield Resource(each.kind, f"/apis/{each.group}/{each.version}", each.plural)
