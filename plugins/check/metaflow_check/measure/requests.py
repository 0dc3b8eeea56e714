"""Checks of requests: how many, how many failed, how long they took."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from metaflow_check.expect.ends import Names
from metaflow_check.expect.load import Expectation
from metaflow_check.expect.models import ErrorRatio, Errors, Latency, Requests
from metaflow_check.measure.rows import REQUESTS, Chooser, Chosen, host
from metaflow_check.measure.verdict import Verdict
from metaflow_core.model.catalog import Catalog
from metaflow_core.report.columns import texts
from metaflow_core.report.histogram import Histogram
from metaflow_core.report.text import duration_text

__all__ = ["RequestMeasure"]

# l7_type and response_status of the catalogue
_RESPONSE, _SESSION = 1, 2
_UNKNOWN = 5
_EXAMPLES = 5
_LOOKED_AT = 1000


class RequestMeasure:
    """Requests, errors, error ratio and latency: they differ only in the verdict."""

    table = REQUESTS

    def __init__(
        self, check: Expectation, options: Errors | ErrorRatio | Latency | Requests, names: Names, catalog: Catalog
    ) -> None:
        self._check = check
        self._options = options
        self._chooser = Chooser(REQUESTS, catalog, names, options.client, options.server, options.where)
        self._statuses = {member.name: member.value for member in catalog.enum("response_status").members}
        self._words = {value: name for name, value in self._statuses.items()}
        self._requests = 0
        self._failed = 0
        self._delays = Histogram()
        self._worst: list[tuple[int, str]] = []
        self._alike: dict[str, tuple[int, int]] = {}

    def take(self, batch: pa.RecordBatch) -> None:
        """Look at rows of the request log."""
        for chosen in self._chooser.choose(batch):
            self._take(chosen)

    def _take(self, chosen: Chosen) -> None:
        protocols = texts(chosen.batch, "biz_protocol")
        kinds, statuses = chosen.numbers("type"), chosen.numbers("response_status")
        wanted = self._options.protocol
        mine = np.fromiter((wanted is None or name == wanted for name in protocols), bool, len(protocols))
        is_request = mine & (kinds != _RESPONSE)
        self._requests += int(is_request.sum())
        if isinstance(self._options, Errors):
            bad = np.isin(statuses, [self._statuses[name] for name in self._options.status])
            # a request without an answer has no status of its own; nothing says that it failed
            bad &= is_request & ((statuses != _UNKNOWN) | (kinds != _SESSION))
            self._failed += int(bad.sum())
            for row in np.flatnonzero(bad)[:_LOOKED_AT].tolist():
                self._keep(chosen, row, self._words.get(int(statuses[row]), ""))
        elif isinstance(self._options, Latency):
            delays = chosen.numbers("response_duration")
            answered = mine & (kinds == _SESSION)
            self._delays.add(delays[answered])
            rows = np.flatnonzero(answered & (delays > self._options.max))
            for row in rows[np.argsort(-delays[rows], kind="stable")][:_EXAMPLES].tolist():
                took = int(delays[row])
                line, flow = self._line(chosen, row, duration_text(took))
                self._worst.append((took, f"{line}, flow {flow}"))
            self._worst = sorted(self._worst, key=lambda item: -item[0])[:_EXAMPLES]

    def _keep(self, chosen: Chosen, row: int, what: str) -> None:
        """Failures that look the same are one line, with how often and one of their flows."""
        line, flow = self._line(chosen, row, what)
        count, first = self._alike.get(line, (0, flow))
        if count or len(self._alike) < _LOOKED_AT:
            self._alike[line] = (count + 1, first)

    def _line(self, chosen: Chosen, row: int, what: str) -> tuple[str, int]:
        one = chosen.batch.slice(row, 1)
        verb, path = texts(one, "request_type")[0], texts(one, "endpoint")[0]
        said = " ".join(part for part in (str(_code(one) or ""), texts(one, "response_exception")[0]) if part)
        flow = int(chosen.numbers("flow_id")[row]) & 0xFFFF_FFFF_FFFF_FFFF
        ends = f"{chosen.clients[row]} -> {host(chosen.servers[row], chosen.ports[row])}"
        request = f"{verb} {path}".strip()
        return f"{what}: {request} {ends}{f' ({said[:80]})' if said else ''}", flow

    def verdict(self) -> Verdict:
        """What was found of what was wanted."""
        options = self._options
        enough = self._requests >= options.at_least
        few = f"{self._requests} requests, and at least {options.at_least} are needed to say anything"
        match options:
            case Latency():
                value = self._delays.quantile(options.quantile / 100)
                count = self._delays.count
                wanted = f"{options.quantile:g} % of the answers within {duration_text(options.max)}"
                if not enough or (not count and options.at_least):
                    return self._said(False, wanted, few if not enough else "no answer was seen")
                found = f"{options.quantile:g} % within {duration_text(value)}, {count:,} answers"
                return self._said(value <= options.max, wanted, found)
            case ErrorRatio():
                ratio = self._failed / self._requests if self._requests else 0.0
                wanted = f"at most {100 * options.max:g} % {_or(options.status)}"
                found = f"{100 * ratio:.3g} %: {self._failed:,} of {self._requests:,} requests"
                return self._said(enough and ratio <= options.max, wanted, found if enough else few)
            case Errors():
                wanted = f"at most {options.max} {_or(options.status)}"
                found = f"{self._failed:,} of {self._requests:,} requests"
                return self._said(enough and self._failed <= options.max, wanted, found if enough else few)
        most = options.at_most
        wanted = f"at least {options.at_least} requests" + (f", at most {most}" if most is not None else "")
        return self._said(enough and (most is None or self._requests <= most), wanted, f"{self._requests:,} requests")

    def _said(self, passed: bool, wanted: str, found: str) -> Verdict:
        check = self._check
        alike = sorted(self._alike.items(), key=lambda item: -item[1][0])[:_EXAMPLES]
        lines = [line for _, line in self._worst] or [f"{count} x {line}, flow {flow}" for line, (count, flow) in alike]
        return Verdict(
            check.kind, check.name, check.file, check.line, passed, wanted, found, () if passed else tuple(lines)
        )


def _code(one: pa.RecordBatch) -> int | None:
    index = one.schema.get_field_index("response_code")
    value = one.column(index)[0].as_py() if index >= 0 else None
    return value if isinstance(value, int) else None


def _or(names: tuple[str, ...]) -> str:
    return " or ".join(name.replace("_", " ") for name in names)
