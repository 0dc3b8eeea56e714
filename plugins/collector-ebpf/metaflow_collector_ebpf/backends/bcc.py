"""The same programs, compiled on this machine by the distribution's bcc."""

from __future__ import annotations

from collections.abc import Mapping

from metaflow_collector_ebpf.kernel.objects import Loaded
from metaflow_core.errors import UnavailableError

__all__ = ["load_bcc"]


def load_bcc(entries: Mapping[str, int]) -> Loaded:
    """Compile and load."""
    raise UnavailableError("bcc is not built in yet")
