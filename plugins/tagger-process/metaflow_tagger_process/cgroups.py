"""Containers and systemd units by the paths of control groups (cgroups(7), version 1 and 2)."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Owner", "owner_of"]

_ID = r"([0-9a-f]{64})"
# runtime by how it names a container's group: with systemd as the driver, and without
_SCOPES = (
    (re.compile(rf"(?:^|[/:])cri-containerd[-:]{_ID}"), "containerd"),
    (re.compile(rf"(?:^|/)crio-(?:conmon-)?{_ID}"), "cri-o"),
    (re.compile(rf"(?:^|/)docker-{_ID}"), "docker"),
    (re.compile(rf"(?:^|/)libpod-(?:conmon-)?{_ID}"), "podman"),
    (re.compile(rf"/docker/{_ID}"), "docker"),
    (re.compile(rf"/libpod/{_ID}"), "podman"),
    (re.compile(rf"/(?:garden|actions_job|ecs/[^/]+)/{_ID}"), "other"),
    (re.compile(rf"kubepods.*/{_ID}"), "containerd"),
    (re.compile(rf"/{_ID}(?:$|/)"), "other"),
)
_LXC = re.compile(r"/lxc(?:\.payload)?[./]([^/]+)")
_POD = re.compile(r"pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12})")
_UNIT = re.compile(r"([^/]+\.(?:service|scope|socket|mount))(?=/|$)")


@dataclass(frozen=True, slots=True)
class Owner:
    """Who a control group belongs to; empty texts where nobody says.

    :ivar container: the container's id. :ivar runtime: what runs it. :ivar pod: uid of the Kubernetes pod.
    :ivar unit: the systemd unit, outside of containers.
    """

    container: str = ""
    runtime: str = ""
    pod: str = ""
    unit: str = ""


def owner_of(text: str) -> Owner:
    """From the text of ``/proc/PID/cgroup``."""
    paths: list[str] = []
    for line in text.splitlines():
        parts = line.split(":", 2)
        if len(parts) == 3 and parts[2] not in ("", "/"):
            paths.append(parts[2])
    for path in paths:
        for pattern, runtime in _SCOPES:
            found = pattern.search(path)
            if found:
                pod = _POD.search(path)
                return Owner(found[1], runtime, pod[1].replace("_", "-") if pod else "", "")
    for path in paths:
        found = _LXC.search(path)
        if found:
            return Owner(found[1], "lxc")
    for path in paths:
        units = _UNIT.findall(path)
        if units:
            return Owner(unit=units[-1])
    return Owner()
