"""The plugin's hooks."""

from __future__ import annotations

from collections.abc import Iterable

from metaflow_collector_winpcap.collector import WinpcapCollector
from metaflow_collector_winpcap.config import WinpcapConfig
from metaflow_core import CollectorFactory, Stability, hookimpl


@hookimpl
def metaflow_collectors() -> Iterable[CollectorFactory]:
    """Offer the pcap-library collector."""
    return [
        CollectorFactory(
            type="winpcap",
            config=WinpcapConfig,
            create=WinpcapCollector,
            stability=Stability.ALPHA,
            summary="Live packets through Npcap, WinPcap or libpcap.",
        )
    ]
