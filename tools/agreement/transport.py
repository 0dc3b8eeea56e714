"""TCP health: the same five numbers from both."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import metaflow_core as mf

from .tshark import fields

__all__ = ["ours", "theirs"]

_RETRANSMISSIONS = ("retransmission", "fast_retransmission", "spurious_retransmission")
_ANALYSIS = (*_RETRANSMISSIONS, "out_of_order", "zero_window", "keep_alive", "duplicate_ack")


def theirs(path: Path) -> Mapping[str, int]:
    """Segments by tshark's analysis; ``retransmission`` holds fast and spurious ones too, which are also told apart."""
    names = ["tcp.flags.fin", "tcp.len", "tcp.stream", "tcp.analysis.initial_rtt"]
    names += [f"tcp.analysis.{name}" for name in _ANALYSIS]
    found = dict.fromkeys((*_ANALYSIS, "fin_again", "rtt"), 0)
    trips: dict[str, int] = {}
    for cells in fields(path, names, show="tcp and not icmp"):
        fin, length, stream, trip, *flags = cells
        for name, flag in zip(_ANALYSIS, flags, strict=True):
            found[name] += bool(flag)
        # A FIN without data is no data that was sent again.
        again = any(flag for flag in flags[: len(_RETRANSMISSIONS) + 1])
        found["fin_again"] += again and fin[:1] == ["1"] and length[:1] == ["0"]
        if trip and stream:
            trips.setdefault(stream[0], int(float(trip[0]) * 1e6 + 0.5))
    found["rtt"] = sum(trips.values())
    return found


def ours(path: Path) -> Mapping[str, int]:
    """The sums of ``l4_flow_log``; ``rtt`` in microseconds, one for each connection."""
    rows = mf.read_pcap(str(path)).table("l4_flow_log").to_arrow().to_pylist()
    both = {
        "retransmission": ("retrans_tx", "retrans_rx"),
        "out_of_order": ("ooo_tx", "ooo_rx"),
        "zero_window": ("zero_win_tx", "zero_win_rx"),
    }
    found = {name: sum(row[column] for row in rows for column in columns) for name, columns in both.items()}
    trips: dict[int, int] = {}
    for row in rows:
        if row["rtt"]:
            trips[row["flow_id"]] = round(row["rtt"])
    return {**found, "rtt": sum(trips.values())}
