"""Checks of who calls whom, and which protocols they speak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import pyarrow as pa

from metaflow_check.expect.ends import End, Names
from metaflow_check.expect.load import Expectation
from metaflow_check.expect.models import Edges, Protocols
from metaflow_check.measure.rows import REQUESTS, Chosen, host
from metaflow_check.measure.verdict import Verdict
from metaflow_core.report.columns import numbers, texts

__all__ = ["Called", "Edge", "EdgeMeasure", "ProtocolMeasure"]

Edge: TypeAlias = tuple[str, str, str]
"""Client, server and protocol, as they are named."""

_RESPONSE = 1
_MOST = 200_000
_EXAMPLES = 20


@dataclass(frozen=True, slots=True)
class _Pair:
    client: str
    server: str
    port: int
    protocol: str


class Called:
    """Who called whom how often; shared by everything that asks for it."""

    table = REQUESTS

    def __init__(self) -> None:
        self.pairs: dict[_Pair, int] = {}

    def take(self, batch: pa.RecordBatch) -> None:
        """Look at rows of the request log."""
        chosen = Chosen(batch)
        kinds, protocols = numbers(batch, "type").tolist(), texts(batch, "biz_protocol")
        for row in range(batch.num_rows):
            if kinds[row] == _RESPONSE:
                continue
            pair = _Pair(chosen.clients[row], chosen.servers[row], chosen.ports[row], protocols[row])
            if pair in self.pairs or len(self.pairs) < _MOST:
                self.pairs[pair] = self.pairs.get(pair, 0) + 1

    def edges(self, names: Names) -> dict[Edge, int]:
        """Requests of each edge, with the names that the file gives."""
        found: dict[Edge, int] = {}
        for pair, count in self.pairs.items():
            edge = (names.client(pair.client), names.server(pair.server, pair.port), pair.protocol)
            found[edge] = found.get(edge, 0) + count
        return found


class EdgeMeasure:
    """Required, allowed, forbidden and new edges.

    :param baseline: edges that are known; None when there is no baseline.
    """

    table = REQUESTS

    def __init__(
        self, check: Expectation, options: Edges, names: Names, called: Called, baseline: Mapping[Edge, int] | None
    ) -> None:
        self._check = check
        self._options = options
        self._names = names
        self._called = called
        self._baseline = baseline

    def take(self, batch: pa.RecordBatch) -> None:
        """Counted once for all, by :class:`Called`."""

    def verdict(self) -> Verdict:
        """What is missing and what is too much."""
        pairs = self._called.pairs
        wrong = [
            f"missing: {text}" for text in self._options.required if not any(self._is(text, pair) for pair in pairs)
        ]
        for pair, count in sorted(self._called.pairs.items(), key=lambda item: -item[1]):
            said = f"{self._shown(pair)} ({pair.protocol}, {count} requests)"
            if any(self._is(text, pair) for text in self._options.forbidden):
                wrong.append(f"forbidden: {said}")
            elif self._options.allowed and not any(self._is(text, pair) for text in self._options.allowed):
                wrong.append(f"not allowed: {said}")
        edges = self._called.edges(self._names)
        if self._baseline is not None:
            wrong.extend(
                f"new: {client} -> {server} ({protocol}, {edges[client, server, protocol]} requests)"
                for client, server, protocol in sorted(set(edges) - set(self._baseline))
            )
        options = self._options
        wanted = ", ".join(
            part
            for part in (
                f"{len(options.required)} required" if options.required else "",
                f"only {len(options.allowed)} allowed" if options.allowed else "",
                f"{len(options.forbidden)} forbidden" if options.forbidden else "",
                f"none that is not among the {len(self._baseline)} of {options.baseline}"
                if self._baseline is not None
                else "",
            )
            if part
        )
        found = f"{len(edges)} edges" + (f", {len(wrong)} wrong" if wrong else "")
        check = self._check
        return Verdict(check.kind, check.name, check.file, check.line, not wrong, wanted, found, _some(wrong))

    def _is(self, text: str, pair: _Pair) -> bool:
        client, server = (self._names.ends(part.strip()) for part in text.split("->"))
        return _any(client, pair.client, 0) and _any(server, pair.server, pair.port)

    def _shown(self, pair: _Pair) -> str:
        return f"{self._names.client(pair.client)} -> {self._names.server(pair.server, pair.port)}"


class ProtocolMeasure:
    """Allowed and forbidden protocols."""

    table = REQUESTS

    def __init__(self, check: Expectation, options: Protocols, called: Called) -> None:
        self._check = check
        self._options = options
        self._called = called

    def take(self, batch: pa.RecordBatch) -> None:
        """Counted once for all, by :class:`Called`."""

    def verdict(self) -> Verdict:
        """Which protocols are too much."""
        options, spoken = self._options, {}  # type: ignore[var-annotated]
        for pair, count in self._called.pairs.items():
            spoken.setdefault(pair.protocol, []).append((count, pair))
        wrong = [
            name
            for name in sorted(spoken)
            if name in options.forbidden or (options.allowed and name not in options.allowed)
        ]
        lines = [
            f"{name}: {pair.client} -> {host(pair.server, pair.port)}, {count} requests"
            for name in wrong
            for count, pair in sorted(spoken[name], key=lambda item: -item[0])[:3]
        ]
        wanted = " and ".join(
            part
            for part in (
                f"only {', '.join(options.allowed)}" if options.allowed else "",
                f"no {', '.join(options.forbidden)}" if options.forbidden else "",
            )
            if part
        )
        found = ", ".join(sorted(spoken)) or "nothing"
        check = self._check
        return Verdict(check.kind, check.name, check.file, check.line, not wrong, wanted, found, _some(lines))


def _any(ends: Sequence[End], address: str, port: int) -> bool:
    return any(end.matches(address, port) for end in ends)


def _some(lines: list[str]) -> tuple[str, ...]:
    more = len(lines) - _EXAMPLES
    return (*lines[:_EXAMPLES], *((f"and {more} more",) if more > 0 else ()))
