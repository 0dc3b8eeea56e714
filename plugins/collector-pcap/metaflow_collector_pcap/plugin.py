"""The plugin's hooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from metaflow_collector_pcap.collector import PcapCollector
from metaflow_collector_pcap.config import PcapConfig
from metaflow_collector_pcap.opening import MAGICS, SUFFIXES
from metaflow_core import CollectorFactory, FileSupport, Stability, hookimpl


def _configure(paths: Sequence[str], capture_filter: str | None) -> Mapping[str, Any]:
    return {"files": list(paths), "filter": capture_filter}


@hookimpl
def metaflow_collectors() -> Iterable[CollectorFactory]:
    """Offer the capture-file collector."""
    return [
        CollectorFactory(
            type="pcap",
            config=PcapConfig,
            create=PcapCollector,
            stability=Stability.BETA,
            summary="Capture files: pcap, pcapng, gzip, zstd, standard input; several merged by time.",
            files=FileSupport(suffixes=SUFFIXES, magics=MAGICS, configure=_configure),
        )
    ]
