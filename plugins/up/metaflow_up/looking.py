"""What the machine and the installed plugins allow: eBPF, a Kubernetes cluster around us."""

from __future__ import annotations

import os
from pathlib import Path

from metaflow_core.api import Examination, FindingState, Surroundings
from metaflow_core.hooks.host import PluginHost

__all__ = ["ebpf_refused", "in_cluster"]

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


def ebpf_refused(host: PluginHost, data_dir: Path) -> str:
    """What the eBPF collector lacks here, by its own examination; empty when nothing is missing."""
    missing: list[str] = []
    for _, offered in host.examinations():
        if not isinstance(offered, Examination) or offered.name != "eBPF":
            continue
        try:
            found = list(offered.run(Surroundings(data_dir=data_dir)))
        except Exception as error:  # noqa: BLE001 - foreign code; packets can be captured without it
            return f"looking what the kernel allows failed ({type(error).__name__}: {error})"
        missing += [each.said for each in found if each.state is FindingState.MISSING]
    return "; ".join(missing)


def in_cluster() -> bool:
    """Whether this process runs in a pod that may ask its cluster."""
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and _SERVICE_ACCOUNT.is_file()
