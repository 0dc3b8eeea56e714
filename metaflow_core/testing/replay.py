"""Captures through the installed plugins, for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["replay"]


def replay(
    path: Path | str, table: str = "l7_flow_log", *, plugins: Sequence[object] = (), **options: Any
) -> list[Mapping[str, Any]]:
    """Rows of a table after a capture was read, as dictionaries in the order of the output.

    :param plugins: modules or objects to load besides the installed plugins.
    :param options: further arguments of :func:`metaflow_core.read_pcap`.
    """
    from metaflow_core.sdk import read_pcap

    return list(read_pcap(str(path), plugins=plugins, **options).table(table))
