"""Rows of a batch that a check is about."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from metaflow_check.expect.ends import End, Names
from metaflow_core.model.catalog import Catalog
from metaflow_core.report.columns import addresses, numbers
from metaflow_core.sdk import Rows

__all__ = ["FLOWS", "REQUESTS", "Chooser", "Chosen", "host"]

REQUESTS, FLOWS = "flow_log.l7_flow_log", "flow_log.l4_flow_log"


class Chosen:
    """A batch of chosen rows, with the ends of each."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.batch = batch
        self.clients = addresses(batch, "_0")
        self.servers = addresses(batch, "_1")
        self.ports: list[int] = numbers(batch, "server_port").tolist()

    def numbers(self, name: str) -> npt.NDArray[np.int64]:
        """A column of numbers; 0 where there is none."""
        return numbers(self.batch, name)


class Chooser:
    """Chooses the rows of one check.

    :param where: a condition in the words of ``mflow read --where``; empty for none.
    :raises QuerySyntaxError: the condition is wrong.
    """

    def __init__(self, table: str, catalog: Catalog, names: Names, client: str, server: str, where: str) -> None:
        self._rows: Callable[[pa.RecordBatch], Iterator[pa.RecordBatch]] | None = None
        if where:
            condition = Rows(table, lambda: iter(()), catalog, catalog.table(table)).where(where).condition

            def chosen(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
                return Rows(table, lambda: iter((batch,)), catalog, catalog.table(table), condition).stored()

            self._rows = chosen
        self._client = _Memo(names.ends(client)) if client != "*" else None
        self._server = _Memo(names.ends(server)) if server != "*" else None

    def choose(self, batch: pa.RecordBatch) -> Iterator[Chosen]:
        """The rows of a batch that the check is about."""
        for part in self._rows(batch) if self._rows is not None else (batch,):
            found = Chosen(part)
            keep = [
                (self._client is None or self._client.matches(found.clients[row], 0))
                and (self._server is None or self._server.matches(found.servers[row], found.ports[row]))
                for row in range(part.num_rows)
            ]
            if all(keep):
                yield found
            elif any(keep):
                yield Chosen(part.filter(pa.array(keep)))


class _Memo:
    """Each end is looked at once."""

    def __init__(self, ends: tuple[End, ...]) -> None:
        self._ends = ends
        self._known: dict[tuple[str, int], bool] = {}

    def matches(self, address: str, port: int) -> bool:
        """Whether one of the ends is meant."""
        key = (address, port)
        found = self._known.get(key)
        if found is None:
            if len(self._known) > 100_000:
                self._known.clear()
            found = self._known[key] = any(end.matches(address, port) for end in self._ends)
        return found


def host(address: str, port: int) -> str:
    """``address:port``, IPv6 in brackets."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
