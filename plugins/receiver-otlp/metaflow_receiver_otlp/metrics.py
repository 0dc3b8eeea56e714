"""Metrics as samples under the names that Prometheus' own OTLP endpoint gives them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from metaflow_receiver_otlp.attributes import Value, text, values
from metaflow_receiver_otlp.naming import label_name, metric_name
from metaflow_receiver_otlp.outcome import Outcome
from metaflow_receiver_otlp.samples import EXEMPLAR, METADATA, STALE, TABLE, Samples

__all__ = ["metrics"]

_NO_VALUE = 1
_CUMULATIVE = 2
_MAX_NS = (1 << 63) - 1
_TYPES = {
    "gauge": "gauge",
    "sum": "counter",
    "histogram": "histogram",
    "exponential_histogram": "histogram",
    "summary": "summary",
}
# Buckets of an exponential histogram that become labels; one with more is coarsened by halving its resolution.
_MAX_BUCKETS = 160
Labels = dict[str, str]


def metrics(request: Any, now_ns: int) -> Outcome:
    """The rows of an ``ExportMetricsServiceRequest``.

    Points of delta temporality are refused and counted: a sample under PromQL is a running total.

    :param now_ns: the moment that descriptions of metrics are kept under.
    """
    outcome, rows = Outcome(), Samples()
    for each in request.resource_metrics:
        of_resource = values(each.resource.attributes)
        shared = _identity(of_resource)
        latest = 0
        for scope in each.scope_metrics:
            labels = dict(shared)
            if scope.scope.name:
                labels["otel_scope_name"] = scope.scope.name
            if scope.scope.version:
                labels["otel_scope_version"] = scope.scope.version
            for metric in scope.metrics:
                latest = max(latest, _metric(metric, labels, rows, outcome, now_ns))
        if latest:
            _target_info(of_resource, shared, rows, latest)
    if len(rows):
        outcome.batches[TABLE] = rows.batch()
    return outcome


def _identity(of_resource: Mapping[str, Value]) -> Labels:
    """``job`` and ``instance``, as the compatibility specification makes them."""
    space, service = text(of_resource.get("service.namespace")), text(of_resource.get("service.name"))
    job = f"{space}/{service}" if space and service else service
    found = {"job": job, "instance": text(of_resource.get("service.instance.id"))}
    return {key: value for key, value in found.items() if value}


def _target_info(of_resource: Mapping[str, Value], shared: Labels, rows: Samples, time_ns: int) -> None:
    named = ("service.name", "service.namespace", "service.instance.id")
    rest = {label_name(key): text(value) for key, value in of_resource.items() if key not in named}
    if rest and shared:
        rows.add("target_info", {**rest, **shared}, time_ns, 1.0)


def _metric(metric: Any, labels: Labels, rows: Samples, outcome: Outcome, now_ns: int) -> int:
    """Take one metric. :returns: the time of its latest point, 0 for none."""
    kind = metric.WhichOneof("data")
    if kind is None:
        return 0
    data = getattr(metric, kind)
    counter = kind == "sum" and data.is_monotonic
    name = metric_name(metric.name, metric.unit, counter=counter, gauge=kind == "gauge")
    if not name:
        outcome.refuse("a metric must have a name", len(data.data_points))
        return 0
    if kind in ("sum", "histogram", "exponential_histogram") and data.aggregation_temporality != _CUMULATIVE:
        outcome.refuse(
            f"the points of {metric.name!r} are deltas; set the exporter's temporality preference to cumulative",
            len(data.data_points),
        )
        return 0
    latest = 0
    for point in data.data_points:
        if not 0 < point.time_unix_nano <= _MAX_NS:
            outcome.refuse("the time of a point must be Unix nanoseconds")
            continue
        own = {**labels, **{label_name(key): text(value) for key, value in values(point.attributes).items()}}
        _POINTS[kind](name, own, point, rows)
        for exemplar in getattr(point, "exemplars", ()):
            _exemplar(name, kind, own, exemplar, rows)
        latest = max(latest, point.time_unix_nano)
    if latest:
        described = {
            "metric": name,
            "type": _TYPES[kind] if kind != "sum" or counter else "gauge",
            "help": metric.description,
            "unit": metric.unit,
        }
        rows.add(METADATA, described, now_ns, 1.0)
    return latest


def _number(name: str, labels: Labels, point: Any, rows: Samples) -> None:
    value = float(getattr(point, point.WhichOneof("value") or "as_double"))
    rows.add(name, labels, point.time_unix_nano, STALE if point.flags & _NO_VALUE else value)


def _histogram(name: str, labels: Labels, point: Any, rows: Samples) -> None:
    bounds = [repr(float(bound)).removesuffix(".0") for bound in point.explicit_bounds]
    counts = list(point.bucket_counts)
    if counts and len(counts) != len(bounds) + 1:
        counts, bounds = [], []
    _buckets(name, labels, point, zip([*bounds, "+Inf"], _running([*counts] or [point.count]), strict=True), rows)


def _exponential(name: str, labels: Labels, point: Any, rows: Samples) -> None:
    """Buckets of powers as buckets of bounds, so that ``histogram_quantile`` reads them like any other."""
    if not -20 <= point.scale <= 20:
        _buckets(name, labels, point, [("+Inf", point.count)], rows)
        return
    found: dict[float, int] = {}
    for bound, count in _powers(point):
        found[bound] = found.get(bound, 0) + count
    while len(found) > _MAX_BUCKETS:
        ordered = sorted(found)
        found = {
            ordered[min(i + 1, len(ordered) - 1)]: sum(found[b] for b in ordered[i : i + 2])
            for i in range(0, len(ordered), 2)
        }
    ordered = sorted(found)
    told = [*(repr(bound).removesuffix(".0") for bound in ordered), "+Inf"]
    totals = [*_running([found[bound] for bound in ordered]), point.count]
    _buckets(name, labels, point, zip(told, totals, strict=True), rows)


def _powers(point: Any) -> Iterator[tuple[float, int]]:
    """Upper bound and count of each bucket that has something, the negative ones first."""
    step = 2.0**-point.scale

    def bound(index: int) -> float:
        exponent = index * step
        return math.inf if exponent > 1023 else 2.0**exponent if exponent > -1074 else 0.0

    for place, count in enumerate(point.negative.bucket_counts):
        if count:
            yield -bound(point.negative.offset + place), count
    if point.zero_count:
        yield point.zero_threshold, point.zero_count
    for place, count in enumerate(point.positive.bucket_counts):
        upper = bound(point.positive.offset + place + 1)
        if count and math.isfinite(upper):
            yield upper, count


def _running(counts: list[int]) -> Iterator[int]:
    total = 0
    for count in counts:
        total += count
        yield total


def _buckets(name: str, labels: Labels, point: Any, buckets: Any, rows: Samples) -> None:
    at, gone = point.time_unix_nano, bool(point.flags & _NO_VALUE)
    for bound, count in buckets:
        rows.add(f"{name}_bucket", {**labels, "le": bound}, at, STALE if gone else float(count))
    rows.add(f"{name}_count", labels, at, STALE if gone else float(point.count))
    if point.HasField("sum") or gone:
        rows.add(f"{name}_sum", labels, at, STALE if gone else point.sum)


def _summary(name: str, labels: Labels, point: Any, rows: Samples) -> None:
    at, gone = point.time_unix_nano, bool(point.flags & _NO_VALUE)
    for each in point.quantile_values:
        quantile = repr(each.quantile).removesuffix(".0")
        rows.add(name, {**labels, "quantile": quantile}, at, STALE if gone else each.value)
    rows.add(f"{name}_count", labels, at, STALE if gone else float(point.count))
    rows.add(f"{name}_sum", labels, at, STALE if gone else point.sum)


def _exemplar(name: str, kind: str, labels: Labels, exemplar: Any, rows: Samples) -> None:
    """A row as the receiver of Prometheus' remote write keeps them: the series' labels, the exemplar's behind a prefix."""
    if not 0 < exemplar.time_unix_nano <= _MAX_NS:
        return
    own = {label_name(key): text(value) for key, value in values(exemplar.filtered_attributes).items()}
    if any(exemplar.trace_id):
        own |= {"trace_id": exemplar.trace_id.hex(), "span_id": exemplar.span_id.hex()}
    series = f"{name}_bucket" if kind not in ("sum", "gauge") else name
    told = {**labels, "__series__": series, **{f"exemplar.{key}": value for key, value in own.items()}}
    rows.add(
        EXEMPLAR, told, exemplar.time_unix_nano, float(getattr(exemplar, exemplar.WhichOneof("value") or "as_double"))
    )


_POINTS = {
    "gauge": _number,
    "sum": _number,
    "histogram": _histogram,
    "exponential_histogram": _exponential,
    "summary": _summary,
}
