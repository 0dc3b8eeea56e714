"""The plugin's hooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from metaflow_collector_pyshark.collector import PysharkCollector
from metaflow_collector_pyshark.config import PysharkConfig
from metaflow_core import CollectorFactory, FileSupport, Stability, hookimpl


def _configure(paths: Sequence[str], display_filter: str | None) -> Mapping[str, Any]:
    return {"files": list(paths), "filter": display_filter}


@hookimpl
def metaflow_collectors() -> Iterable[CollectorFactory]:
    """Offer Wireshark's dissectors."""
    return [
        CollectorFactory(
            type="pyshark",
            config=PysharkConfig,
            create=PysharkCollector,
            emits=frozenset({"records"}),
            stability=Stability.ALPHA,
            summary="Wireshark's dissectors on capture files: slow, and knows thousands of protocols.",
            files=FileSupport(suffixes=(".pcap", ".pcapng", ".cap"), configure=_configure),
        )
    ]
