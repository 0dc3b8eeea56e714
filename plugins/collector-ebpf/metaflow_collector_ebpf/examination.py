"""The probe's findings for ``mflow doctor``, and for whoever decides whether this collector can be used."""

from __future__ import annotations

from collections.abc import Iterator

from metaflow_collector_ebpf.probe import examine
from metaflow_core.api import Finding, FindingState, Surroundings

__all__ = ["look"]


def look(surroundings: Surroundings) -> Iterator[Finding]:
    """Each thing that the collector wants of the kernel. It can be used when none of them is MISSING."""
    del surroundings
    for item in examine():
        said, _, remedy = item.sentence.partition("; ")
        if item.ok:
            yield Finding(FindingState.OK, f"eBPF: {item.name}", item.sentence)
        elif item.needed:
            yield Finding(FindingState.MISSING, f"eBPF: {item.name}", said, remedy or "capture packets (cbpf) instead")
        else:
            yield Finding(FindingState.NOTE, f"eBPF: {item.name}", said, remedy)
