"""Checks of TCP: what was sent again, what could not be made or broke off."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa

from metaflow_check.expect.ends import Names
from metaflow_check.expect.load import Expectation
from metaflow_check.expect.models import Connections, Retransmissions
from metaflow_check.measure.rows import FLOWS, Chooser, host
from metaflow_check.measure.verdict import Verdict
from metaflow_core.model.catalog import Catalog

__all__ = ["ConnectionMeasure"]

_TCP = 6
_EXAMPLES = 5
# a capture that simply stops ends its open flows by timeout
_ENDED_WELL = frozenset({"unknown", "finish", "forced_report", "timeout", "tcp_fin_client_rst"})


class ConnectionMeasure:
    """Retransmissions, or connections that failed."""

    table = FLOWS

    def __init__(
        self, check: Expectation, options: Retransmissions | Connections, names: Names, catalog: Catalog
    ) -> None:
        self._check = check
        self._options = options
        self._chooser = Chooser(FLOWS, catalog, names, options.client, options.server, options.where)
        self._closes = {member.value: member.name for member in catalog.enum("close_type").members}
        self._flows = self._packets = self._again = self._failed = 0
        self._paths: Counter[str] = Counter()

    def take(self, batch: pa.RecordBatch) -> None:
        """Look at rows of the flow log."""
        for chosen in self._chooser.choose(batch):
            tcp = chosen.numbers("protocol") == _TCP
            self._flows += int((tcp & (chosen.numbers("is_new_flow") != 0)).sum())
            again = np.where(tcp, chosen.numbers("retrans_tx") + chosen.numbers("retrans_rx"), 0)
            self._packets += int(np.where(tcp, chosen.numbers("packet_tx") + chosen.numbers("packet_rx"), 0).sum())
            self._again += int(again.sum())
            closes = [self._closes.get(value, "unknown") for value in chosen.numbers("close_type").tolist()]
            for row in np.flatnonzero(tcp).tolist():
                path = f"{chosen.clients[row]} -> {host(chosen.servers[row], chosen.ports[row])}"
                is_bad = closes[row] not in _ENDED_WELL
                self._failed += is_bad
                if isinstance(self._options, Connections):
                    if is_bad and (len(self._paths) < 10_000 or f"{path}: {closes[row]}" in self._paths):
                        self._paths[f"{path}: {closes[row]}"] += 1
                elif again[row] and (len(self._paths) < 10_000 or path in self._paths):
                    self._paths[path] += int(again[row])

    def verdict(self) -> Verdict:
        """What was found of what was wanted."""
        check = self._check
        if isinstance(self._options, Connections):
            passed = self._failed <= self._options.max_failed
            wanted = f"at most {self._options.max_failed} connections that fail"
            found = f"{self._failed:,} of {self._flows:,} connections"
            if not self._flows:
                passed, found = False, "there is no TCP connection, so nothing was checked"
            lines = [f"{path}, {count} times" for path, count in self._paths.most_common(_EXAMPLES)]
        else:
            ratio = self._again / self._packets if self._packets else 0.0
            passed = bool(self._packets) and ratio <= self._options.max
            wanted = f"at most {100 * self._options.max:g} % of TCP packets sent again"
            found = f"{100 * ratio:.3g} %: {self._again:,} of {self._packets:,} packets"
            if not self._packets:
                found = "there is no TCP packet, so nothing was checked"
            lines = [f"{path}, {count} packets" for path, count in self._paths.most_common(_EXAMPLES)]
        return Verdict(
            check.kind, check.name, check.file, check.line, passed, wanted, found, () if passed else tuple(lines)
        )
