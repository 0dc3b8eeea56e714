"""Print where MetaFlow and tshark agree on captures, and where they do not.

    python -m tools.agreement FILE...

A row for each capture: what tshark says, what we say where it differs. Why they differ is told in
``docs/explanation/tcp-metrics.md``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import messages, transport
from .tshark import missing


def _pair(theirs: int, ours: int) -> str:
    return str(theirs) if theirs == ours else f"{theirs} | {ours}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    for row in [head, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _transport(path: Path) -> list[str]:
    theirs, ours = transport.theirs(path), transport.ours(path)
    both = theirs["retransmission"] + theirs["out_of_order"]
    return [
        path.name,
        _pair(theirs["retransmission"], ours["retransmission"]),
        _pair(theirs["out_of_order"], ours["out_of_order"]),
        _pair(both - theirs["fin_again"], ours["retransmission"] + ours["out_of_order"]),
        str(theirs["fast_retransmission"]),
        str(theirs["spurious_retransmission"]),
        _pair(theirs["zero_window"], ours["zero_window"]),
        _pair(theirs["rtt"], ours["rtt"]),
        str(theirs["duplicate_ack"]),
        str(theirs["keep_alive"]),
    ]


def _messages(path: Path) -> list[list[str]]:
    ours, rules = messages.ours(path)
    theirs: Mapping[tuple[str, str], int] = messages.theirs(path, rules)
    rows = []
    for name in sorted({name for found in (ours, theirs) for (name, _), count in found.items() if count}):
        protocol = messages.PROTOCOLS.get(name)
        counted = protocol is not None and bool(protocol.responses)
        answers = _pair(theirs.get((name, "response"), 0), ours[name, "response"])
        asks = _pair(theirs.get((name, "request"), 0), ours[name, "request"]) if protocol else "-"
        rows.append([path.name, name, asks, answers if counted else f"({ours[name, 'response']})"])
    return rows


def main(names: Sequence[str]) -> int:
    """Print both tables; 2 when nothing can be compared."""
    reason = missing() if names else "name at least one capture"
    if reason:
        print(f"tools.agreement: {reason}", file=sys.stderr)
        return 2
    paths = [Path(name) for name in names]
    print("TCP (tshark | ours where it differs)\n")
    head = ["capture", "retransmitted", "out of order", "both, no FIN", "fast", "spurious", "zero window", "rtt us"]
    _table([*head, "dup ack", "keep-alive"], [_transport(path) for path in paths])
    print("\nMessages (tshark | ours where it differs; in brackets what tshark has no number for)\n")
    _table(["capture", "protocol", "requests", "responses"], [row for path in paths for row in _messages(path)])
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
