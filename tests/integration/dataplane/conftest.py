"""Rows of captures made by hand, read as anybody reads a capture: with all installed parsers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

import metaflow_core as mf

sys.path.insert(0, str(Path(__file__).parent))

Rows = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    """``rows(frames, table="l7_flow_log", **how)``: the rows of a table, in order."""
    from frames import write

    def read(frames: Iterable[Any], table: str = "l7_flow_log", **how: Any) -> list[dict[str, Any]]:
        path = write(tmp_path / "capture.pcap", frames, **how)
        found: list[dict[str, Any]] = mf.read_pcap(str(path)).table(table).to_arrow().to_pylist()
        return found

    return read
