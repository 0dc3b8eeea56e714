"""The plugin's hooks."""

from __future__ import annotations

from collections.abc import Iterable

from metaflow_collector_cbpf.collector import CbpfCollector
from metaflow_collector_cbpf.config import CbpfConfig
from metaflow_core import CollectorFactory, Stability, hookimpl


@hookimpl
def metaflow_collectors() -> Iterable[CollectorFactory]:
    """Offer the AF_PACKET collector."""
    return [
        CollectorFactory(
            type="cbpf",
            config=CbpfConfig,
            create=CbpfCollector,
            stability=Stability.BETA,
            summary="Live packets from Linux interfaces (AF_PACKET ring, classic BPF in the kernel).",
        )
    ]
