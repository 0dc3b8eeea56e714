"""The compiled object of this plugin, relocated by the kernel itself (CO-RE; Linux 5.17 and later)."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path

from metaflow_collector_ebpf.kernel.objects import Loaded, load_object
from metaflow_collector_ebpf.points import SPARED
from metaflow_core.errors import UnavailableError

__all__ = ["load_core", "object_path"]


def object_path(machine: str = "") -> Path:
    """The object for a machine, whether it is there or not."""
    return Path(__file__).parents[1] / "objects" / f"{machine or platform.machine()}.bpf.o"


def load_core(entries: Mapping[str, int]) -> Loaded:
    """Load it. :raises UnavailableError: there is no object for this machine. Otherwise as :func:`load_object`."""
    path = object_path()
    if not path.exists():
        raise UnavailableError(
            f"no kernel programs were compiled for {platform.machine()} (x86_64 and aarch64 are there)"
        )
    return load_object(path.read_bytes(), entries, SPARED)
