"""Request rows under the names that Grafana's service graph and APM table read.

Grafana asks for ``traces_service_graph_request_total`` and the like, which Tempo's metrics generator and the connectors of
OpenTelemetry's collector make from spans. Here they are made from ``flow_log.l7_flow_log``, when they are asked for.

They are counters, so that ``rate()`` of them is right: each begins with 0 where the time asked for begins and has a sample at
the end of each interval. What they have counted before is not known, and nobody who asks by rates needs it.

Source: Grafana, public/app/plugins/datasource/tempo/graphTransform.ts; Tempo, "Metrics-generator: service graphs, span metrics".
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from metaflow_core.api import Storage
from metaflow_core.model.catalog import Catalog
from metaflow_core.model.expression import Call, Compare, Expr, In, Literal, Ref
from metaflow_core.query import Aggregate, Filter, Fold, Named, Scan, TimeRange
from metaflow_dialect_promql.errors import TooManySamples
from metaflow_dialect_promql.labels import NAME, Labels, make
from metaflow_dialect_promql.leaf.build import build
from metaflow_dialect_promql.leaf.counted import counted
from metaflow_dialect_promql.leaf.matching import selects
from metaflow_dialect_promql.samples import Samples
from metaflow_dialect_promql.span import Span
from metaflow_dialect_promql.syntax.nodes import Matcher

__all__ = ["STANDARD", "Standard", "standard_samples"]

_TABLE = "flow_log.l7_flow_log"
# l7_type of the catalogue
_RESPONSE, _SESSION = 1, 2
_BOUNDS_S = (0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 8.192, 16.384)
"""Upper bounds of the buckets: those of Tempo's span metrics."""
_FAILED = ("server_error", "client_error", "timeout")
_INTERVALS = ((3_600, 15), (6 * 3_600, 60), (48 * 3_600, 300))
_LONGEST_S = 3_600


@dataclass(frozen=True, slots=True)
class Standard:
    """One of the names.

    :ivar labels: ``graph`` for client and server, ``span`` for service, name, kind and status.
    :ivar value: ``requests``, ``failed``, ``answered``, ``seconds`` or ``bucket``.
    """

    name: str
    labels: str
    value: str


def _all() -> dict[str, Standard]:
    found = [
        Standard("traces_service_graph_request_total", "graph", "requests"),
        Standard("traces_service_graph_request_failed_total", "graph", "failed"),
        Standard("traces_spanmetrics_calls_total", "span", "requests"),
    ]
    histograms = (
        ("traces_service_graph_request_server_seconds", "graph"),
        ("traces_service_graph_request_client_seconds", "graph"),
        ("traces_spanmetrics_latency", "span"),
        ("traces_spanmetrics_duration_seconds", "span"),
    )
    for name, labels in histograms:
        for suffix, value in (("sum", "seconds"), ("count", "answered"), ("bucket", "bucket")):
            found.append(Standard(f"{name}_{suffix}", labels, value))
    return {each.name: each for each in found}


STANDARD = _all()
"""The names, with what each is made from."""


async def standard_samples(
    standard: Standard,
    storage: Storage,
    catalog: Catalog,
    alternatives: Sequence[Sequence[Matcher]],
    span: Span,
    max_samples: int,
    max_series: int,
) -> Samples:
    """The counters of a name over a span.

    :raises TooManySamples: there are more than allowed.
    """
    length = max(1, (span.end - span.start) // 1000)
    interval = next((step for limit, step in _INTERVALS if length <= limit), _LONGEST_S)
    first = span.start // 1000 // interval * interval
    last = -(-(span.end // 1000) // interval) * interval
    scan = Filter(
        Scan(_TABLE, time=TimeRange(first * 10**9, max(first, last) * 10**9)),
        Compare("!=", Ref("type"), Literal(_RESPONSE)),
    )
    scan = await counted(scan, storage)
    keys = [Named("server", Ref("auto_service_1")), Named("port", Ref("server_port"))]
    if standard.labels == "graph":
        keys.insert(0, Named("client", Ref("auto_service_0")))
    else:
        keys += [Named("operation", Ref("endpoint")), Named("failed", _flag(_failed(catalog)))]
    moment = Named("moment", Call("bucket", (Ref("time"), Literal(interval))))
    names, folds = _folds(standard, catalog)
    table = await storage.execute(Aggregate(scan, (*keys, moment), folds))
    return await asyncio.to_thread(
        _samples, table, standard, names, alternatives, (first, last, interval), span, max_samples, max_series
    )


def _failed(catalog: Catalog) -> Expr:
    members = {member.name: member.value for member in catalog.enum("response_status").members}
    return In(Ref("response_status"), tuple(Literal(members[name]) for name in _FAILED))


def _flag(test: Expr, value: Expr | None = None) -> Expr:
    """A number (default 1) where a test is true, 0 where it is false or cannot be told."""
    return Call("coalesce", (Call("if", (test, value or Literal(1), Literal(0))), Literal(0)))


def _folds(standard: Standard, catalog: Catalog) -> tuple[list[str], tuple[Fold, ...]]:
    """The value of ``le`` of each fold (empty where there is none), and the folds."""
    answered = Compare("=", Ref("type"), Literal(_SESSION))
    match standard.value:
        case "requests":
            return [""], (Fold("v0", "count"),)
        case "failed":
            return [""], (Fold("v0", "sum", _flag(_failed(catalog))),)
        case "answered":
            return [""], (Fold("v0", "sum", _flag(answered)),)
        case "seconds":
            return [""], (Fold("v0", "sum", _flag(answered, Ref("response_duration"))),)
    bounds = [round(bound * 1_000_000) for bound in _BOUNDS_S]
    from metaflow_core.model.expression import And

    within = [And((answered, Compare("<=", Ref("response_duration"), Literal(bound)))) for bound in bounds]
    tests: list[Expr] = [*within, answered]
    return [*(f"{bound:g}" for bound in _BOUNDS_S), "+Inf"], tuple(
        Fold(f"v{index}", "sum", _flag(test)) for index, test in enumerate(tests)
    )


def _samples(
    table: pa.Table,
    standard: Standard,
    bounds: list[str],
    alternatives: Sequence[Sequence[Matcher]],
    grid: tuple[int, int, int],
    span: Span,
    max_samples: int,
    max_series: int,
) -> Samples:
    if not table.num_rows:
        return Samples.empty()
    first, last, interval = grid
    places: dict[Labels, int] = {}
    rows = np.fromiter((places.setdefault(_label_set(standard, row), len(places)) for row in _keys(table)), np.int64)
    unit = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[table["moment"].type.unit]
    steps = (table["moment"].cast(pa.int64()).to_numpy() // unit - first) // interval
    count = (last - first) // interval
    size = len(places) * len(bounds) * (count + 1)
    if size > max_samples:
        raise TooManySamples("query processing would load too many samples into memory in query execution")
    if len(places) * len(bounds) > max_series:
        raise TooManySamples(f"the query selects {len(places) * len(bounds)} series, at most {max_series} are allowed")
    scale = 1e-6 if standard.value == "seconds" else 1.0
    known = (steps >= 0) & (steps < count)
    moments = (first + interval * np.arange(count + 1)) * 1000
    # the sample of an interval that has not ended yet stands at the end of the span
    moments = np.minimum(moments, max(span.end, int(moments[0]) + 1))
    labels: list[Labels] = []
    values: list[np.ndarray] = []
    for index, bound in enumerate(bounds):
        grown = np.zeros((len(places), count + 1))
        column = table[f"v{index}"].cast(pa.float64()).fill_null(0).to_numpy() * scale
        np.add.at(grown, (rows[known], steps[known] + 1), column[known])
        values.append(np.cumsum(grown, axis=1))
        labels.extend(make({**dict(each), "le": bound}) if bound else each for each in places)
    chosen = np.asarray(selects(labels, alternatives))
    if not chosen.any():
        return Samples.empty()
    kept = np.concatenate(values)[chosen]
    series = np.repeat(np.arange(len(kept)), count + 1)
    return build(
        [each for each, hit in zip(labels, chosen, strict=True) if hit],
        series,
        np.tile(moments, len(kept)),
        kept.reshape(-1),
    )


def _keys(table: pa.Table) -> list[dict[str, object]]:
    names = [name for name in ("client", "server", "port", "operation", "failed") if name in table.column_names]
    found: list[dict[str, object]] = table.select(names).to_pylist()
    return found


def _label_set(standard: Standard, row: dict[str, object]) -> Labels:
    server = _named(str(row["server"] or ""), row["port"])
    if standard.labels == "graph":
        return make({NAME: standard.name, "client": str(row["client"] or ""), "server": server, "connection_type": ""})
    status = "STATUS_CODE_ERROR" if row["failed"] else "STATUS_CODE_UNSET"
    return make(
        {
            NAME: standard.name,
            "service": server,
            "span_name": str(row["operation"] or ""),
            "span_kind": "SPAN_KIND_SERVER",
            "status_code": status,
        }
    )


def _named(server: str, port: object) -> str:
    """A service by its name; by address and port where it has none, since an address alone holds several."""
    try:
        address = ipaddress.ip_address(server)
    except ValueError:
        return server
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
