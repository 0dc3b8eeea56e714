"""Objects of the API, cut down to what tags need: about a hundredth of their JSON."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from metaflow_tagger_kubernetes.config import KubernetesConfig
from metaflow_tagger_kubernetes.sharing import Shared

__all__ = ["Item", "Namespace", "Node", "Pod", "Service", "Slice", "Workload", "trim"]

Tags: TypeAlias = Mapping[str, Mapping[str, str]]
Ports: TypeAlias = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Named:
    """What all have. :ivar uid: tells an object from another of its name."""

    uid: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Workload(Named):
    """What owns pods. :ivar owner: kind and name of what owns it in turn."""

    kind: str = ""
    owner: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Pod(Named):
    """A pod with addresses of its own. :ivar start_ns: when it began. :ivar over: it has ended; its addresses are free."""

    node: str = ""
    addresses: tuple[str, ...] = ()
    owner: tuple[str, str] | None = None
    template_hash: str = ""
    start_ns: int = 0
    over: bool = False
    tags: Tags = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Namespace(Named):
    """A namespace; it has no addresses, but labels."""

    tags: Tags = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Node(Named):
    """A node. :ivar ranges: networks of its pods."""

    addresses: tuple[str, ...] = ()
    ranges: tuple[str, ...] = ()
    region: str = ""
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Service(Named):
    """A service, or the address that an ingress is reached at. :ivar ports: protocol and port. :ivar node_ports: likewise, on every node.

    :ivar is_ingress: what it is at that address is uncertain: many may be reached at one.
    """

    addresses: tuple[str, ...] = ()
    ports: Ports = ()
    node_ports: Ports = ()
    tags: Tags = field(default_factory=dict)
    created_ns: int = 0
    is_ingress: bool = False


@dataclass(frozen=True, slots=True)
class Slice(Named):
    """A part of a service's endpoints. :ivar service: its name."""

    service: str = ""
    addresses: tuple[str, ...] = ()
    ports: Ports = ()


Item: TypeAlias = Namespace | Workload | Pod | Node | Service | Slice
_PROTOCOLS = {"TCP": 6, "UDP": 17}


def trim(kind: str, item: Mapping[str, Any], config: KubernetesConfig, shared: Shared) -> Item | None:
    """The object; None when there is nothing to know of it.

    :param shared: keeps one of what many say.

    :raises ValueError: it is not as the API says (any of TypeError, KeyError, AttributeError too: the server is not trusted).
    """
    meta = item["metadata"]
    uid, namespace, name = str(meta["uid"]), shared.text(str(meta.get("namespace") or "")), str(meta["name"])
    if not name:
        raise ValueError("an object without a name")
    if kind == "Pod":
        return _pod(uid, namespace, name, item, config, shared)
    if kind == "Namespace":
        labels = _bounded(meta.get("labels") or {}, config.max_tag_bytes) if config.labels else {}
        return Namespace(uid, "", name, {"pod_ns_label": labels} if labels else {})
    if kind == "Node":
        return _node(uid, name, item)
    if kind == "Service":
        return _service(uid, namespace, name, item, config, shared)
    if kind == "Ingress":
        found = _balanced(item)
        rules = ((6, 80), (6, 443)) if found else ()
        if not found:
            return None
        created = _moment(meta.get("creationTimestamp"))
        return Service(uid, namespace, name, found, rules, (), shared.tags(_tags(meta, {}, config)), created, True)
    if kind == "EndpointSlice":
        return _slice(uid, namespace, name, item)
    return Workload(uid, namespace, name, kind, _owner(meta, shared))


def _pod(
    uid: str, namespace: str, name: str, item: Mapping[str, Any], config: KubernetesConfig, shared: Shared
) -> Pod | None:
    meta, spec, status = item["metadata"], item.get("spec") or {}, item.get("status") or {}
    if spec.get("hostNetwork"):
        # Its addresses are the node's, which other pods have too.
        return None
    addresses = [str(each.get("ip") or "") for each in status.get("podIPs") or []] or [str(status.get("podIP") or "")]
    found = tuple(filter(_is_address, addresses))
    if not found:
        return None
    env = {}
    if config.env:
        for container in spec.get("containers") or []:
            # What comes from a secret or a field has no "value" here.
            env.update({str(e["name"]): str(e["value"]) for e in container.get("env") or [] if e.get("value")})
    labels = meta.get("labels") or {}
    return Pod(
        uid,
        namespace,
        name,
        shared.text(str(spec.get("nodeName") or "")),
        found,
        _owner(meta, shared),
        shared.text(str(labels.get("pod-template-hash") or "")),
        _moment(status.get("startTime") or meta.get("creationTimestamp")),
        status.get("phase") in ("Succeeded", "Failed"),
        shared.tags(_tags(meta, env, config)),
    )


def _node(uid: str, name: str, item: Mapping[str, Any]) -> Node:
    spec, status = item.get("spec") or {}, item.get("status") or {}
    labels = item["metadata"].get("labels") or {}
    told = [
        str(e.get("address")) for e in status.get("addresses") or [] if e.get("type") in ("InternalIP", "ExternalIP")
    ]
    ranges = spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else [])
    return Node(
        uid,
        "",
        name,
        tuple(filter(_is_address, told)),
        tuple(str(each) for each in ranges),
        _first(labels, "topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region"),
        _first(labels, "topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"),
    )


def _service(
    uid: str, namespace: str, name: str, item: Mapping[str, Any], config: KubernetesConfig, shared: Shared
) -> Service:
    spec = item.get("spec") or {}
    told = [*(spec.get("clusterIPs") or [spec.get("clusterIP")]), *(spec.get("externalIPs") or []), *_balanced(item)]
    ports = spec.get("ports") or []
    return Service(
        uid,
        namespace,
        name,
        tuple(dict.fromkeys(str(each) for each in told if _is_address(str(each)))),
        tuple((_PROTOCOLS.get(str(e.get("protocol") or "TCP"), 0), int(e["port"])) for e in ports),
        tuple(
            (_PROTOCOLS.get(str(e.get("protocol") or "TCP"), 0), int(e["nodePort"])) for e in ports if e.get("nodePort")
        ),
        shared.tags(_tags(item["metadata"], {}, config)),
        _moment(item["metadata"].get("creationTimestamp")),
    )


def _balanced(item: Mapping[str, Any]) -> tuple[str, ...]:
    """The addresses of the load balancer in front."""
    told = ((item.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    return tuple(str(each["ip"]) for each in told if _is_address(str(each.get("ip") or "")))


def _slice(uid: str, namespace: str, name: str, item: Mapping[str, Any]) -> Slice | None:
    service = str((item["metadata"].get("labels") or {}).get("kubernetes.io/service-name") or "")
    addresses = tuple(
        str(a) for e in item.get("endpoints") or [] for a in e.get("addresses") or [] if _is_address(str(a))
    )
    told = item.get("ports") or []
    ports = tuple((_PROTOCOLS.get(str(e.get("protocol") or "TCP"), 0), int(e["port"])) for e in told if e.get("port"))
    return Slice(uid, namespace, name, service, addresses, ports) if service and addresses and ports else None


def _owner(meta: Mapping[str, Any], shared: Shared) -> tuple[str, str] | None:
    owners = meta.get("ownerReferences") or []
    owner = next((each for each in owners if each.get("controller")), None)
    return shared.pair(str(owner["kind"]), str(owner["name"])) if owner else None


def _tags(meta: Mapping[str, Any], env: Mapping[str, str], config: KubernetesConfig) -> Tags:
    found = {
        "pod_label": (meta.get("labels") or {}) if config.labels else {},
        "pod_annotation": (meta.get("annotations") or {}) if config.annotations else {},
        "pod_env": env,
    }
    return {name: _bounded(tags, config.max_tag_bytes) for name, tags in found.items() if tags}


def _bounded(tags: Mapping[str, Any], most: int) -> dict[str, str]:
    """The tags whose texts fit, the shortest first: one huge annotation must not push out the names that people search for."""
    kept: dict[str, str] = {}
    room = most
    for name, value in sorted(tags.items(), key=lambda pair: (len(str(pair[0])) + len(str(pair[1])), pair[0])):
        room -= len(str(name)) + len(str(value))
        if room < 0:
            break
        kept[str(name)] = str(value)
    return dict(sorted(kept.items()))


def _first(labels: Mapping[str, Any], *names: str) -> str:
    return next((str(labels[name]) for name in names if labels.get(name)), "")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _moment(text: Any) -> int:
    if not text:
        return 0
    return int(datetime.fromisoformat(str(text)).timestamp()) * 1_000_000_000
