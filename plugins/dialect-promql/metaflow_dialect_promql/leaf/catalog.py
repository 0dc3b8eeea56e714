"""Metrics of the catalogue under PromQL names.

``flow_metrics__network__byte__1m`` is the metric ``byte`` of ``flow_metrics.network.1m``. A sample is what a series did in one interval
and stands at the interval's end; the interval is the table's precision, or what the name ends in for a table of single rows.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from metaflow_core.api import Storage
from metaflow_core.errors import QueryError
from metaflow_core.model.catalog import Catalog
from metaflow_core.model.catalog.values import Column, Metric, Table, Tag
from metaflow_core.model.expression import Call, Compare, Expr, In, Literal, Not, Ref
from metaflow_core.query import Aggregate, Filter, Measure, Named, Plan, Scan, TimeRange
from metaflow_dialect_promql.errors import TooManySamples
from metaflow_dialect_promql.labels import NAME, Labels, make
from metaflow_dialect_promql.leaf.build import build
from metaflow_dialect_promql.leaf.maps import MapLabel, as_map, map_labels, merged
from metaflow_dialect_promql.leaf.matching import conjunction, matching_values, pushed, selects
from metaflow_dialect_promql.samples import Samples
from metaflow_dialect_promql.span import Span
from metaflow_dialect_promql.syntax.nodes import Matcher

__all__ = ["CatalogMetric", "catalog_metrics", "catalog_samples", "find_metric"]

_PRECISION = re.compile(r"[1-9]\d{0,5}[smhd]\Z")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_METRIC_KINDS = frozenset({"counter", "gauge", "bounded_gauge", "delay", "percentage", "quotient"})
_ROWS_INTERVAL = 60


_Field: TypeAlias = Column | Tag | MapLabel


@dataclass(frozen=True, slots=True)
class CatalogMetric:
    """A metric, the table it is in, and the interval of its samples in seconds."""

    name: str
    table: Table
    field: Column | Metric
    interval_s: int

    @property
    def function(self) -> str:
        """How rows of one series and interval become one number: sums of counters, maxima of gauges, means of the rest."""
        return {"counter": "Sum", "gauge": "Max", "bounded_gauge": "Max"}.get(self.field.kind, "Avg")


def _labels(table: Table) -> dict[str, Column | Tag]:
    """Labels by name: tags that have names, and columns of kind tag that no such tag stands for."""
    hidden = {key for tag in table.tags if tag.kind in ("resource", "ip") for key in tag.key}
    found: dict[str, Column | Tag] = {
        tag.name.replace(".", "_"): tag for tag in table.tags if tag.kind in ("resource", "ip", "bool")
    }
    for column in table.columns:
        if column.kind == "tag" and column.name not in hidden and not column.type.startswith("list"):
            found[column.name] = column
            if column.enum:
                found[f"{column.name}_enum"] = column
    return found


def _metrics(table: Table) -> list[Column | Metric]:
    fields: tuple[Column | Metric, ...] = (*table.columns, *table.metrics)
    return [each for each in fields if each.kind in _METRIC_KINDS]


def catalog_metrics(catalog: Catalog) -> Iterator[CatalogMetric]:
    """Every metric of the catalogue, tables with precisions under each of them."""
    for table in catalog.tables.values():
        if table.name == "prometheus.samples":
            continue
        fields = _metrics(table)
        database, _, family = table.family.partition(".")
        for each in fields:
            name = f"{database}__{family}__{each.name}" + (f"__{table.precision}" if table.precision else "")
            yield CatalogMetric(name, table, each, table.interval_s or _ROWS_INTERVAL)


def find_metric(name: str, catalog: Catalog) -> CatalogMetric | None:
    """The metric of a name; None when the name is not of this form.

    :raises QueryError: it is of this form, but there is no such table or metric; the nearest is suggested.
    """
    parts = name.split("__")
    if len(parts) not in (3, 4) or not all(parts):
        return None
    database, family, field = parts[:3]
    if not any(each.startswith(f"{database}.") for each in catalog.tables) or database == "prometheus":
        return None
    precision = parts[3] if len(parts) == 4 else ""
    if precision and not _PRECISION.match(precision):
        raise QueryError(f"{name!r}: {precision!r} is no interval such as 1s, 15s, 1m, 1h")
    table = catalog.table(f"{database}.{family}")
    seconds = int(precision[:-1]) * _SECONDS[precision[-1]] if precision else 0
    if table.precision:
        if precision:
            table = catalog.table(f"{database}.{family}.{precision}")
        seconds = table.interval_s
    found = table.by_name.get(field)
    if not isinstance(found, (Column, Metric)) or found.kind not in _METRIC_KINDS:
        from metaflow_core.model.catalog.names import unknown

        raise unknown("metric", field, [each.name for each in _metrics(table)], f"in {table.name}")
    return CatalogMetric(name, table, found, seconds or _ROWS_INTERVAL)


def _tests(metric: CatalogMetric, matchers: Sequence[Matcher], catalog: Catalog) -> list[Expr]:
    """The matchers that a storage can test; all are tested again on the labels."""
    known = _labels(metric.table)
    found: list[Expr] = []
    for matcher in matchers:
        field = known.get(matcher.name)
        if matcher.name != NAME and field is not None:
            found += _test(matcher, field, catalog)
    return found


def _test(matcher: Matcher, field: Column | Tag, catalog: Catalog) -> list[Expr]:
    if isinstance(field, Column) and field.enum and matcher.name.endswith("_enum"):
        return _members(matcher, field, catalog)
    exact = matcher.op in ("=", "!=")
    if isinstance(field, Tag):
        # An empty address or one that is none matches nothing; the storage would call it a mistake.
        fits = field.kind == "resource" or (field.kind == "ip" and exact and _is_address(matcher.value))
    else:
        fits = field.type in ("lowcard", "string")
        if field.type[0] in "ui" and exact and matcher.value.isascii() and matcher.value.isdecimal():
            return [Compare(matcher.op, Ref(field.name), Literal(int(matcher.value)))]
    return pushed([matcher], lambda _: Ref(field.name)) if fits else []


def _members(matcher: Matcher, field: Column, catalog: Catalog) -> list[Expr]:
    """A test of the names of an enumeration as one of its numbers."""
    members = list(catalog.enum(field.enum).members)
    positive = matcher.op in ("=", "=~")
    hits = matching_values([each.name for each in members], matcher)
    values = [each.value for each, hit in zip(members, hits, strict=True) if hit == positive]
    if not values or catalog.enum(field.enum).bits:
        return []
    test = In(Ref(field.name), tuple(Literal(value) for value in values))
    return [test if positive else Not(test)]


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


async def catalog_samples(
    metric: CatalogMetric,
    storage: Storage,
    catalog: Catalog,
    alternatives: Sequence[Sequence[Matcher]],
    span: Span,
    wanted: tuple[str, ...] | None,
    max_samples: int,
    max_series: int,
    mentioned: frozenset[str] = frozenset(),
) -> Samples:
    """The samples of a metric of the catalogue.

    :param wanted: the only labels needed, when series that differ in others are summed up anyway; None for all.
    :param mentioned: words of the question; those that name a key of a map tag become labels.
    :raises TooManySamples: there are more than allowed.
    """
    exact = metric.function == "Sum" and wanted is not None
    tested = {matcher.name for matchers in alternatives for matcher in matchers}
    known: dict[str, _Field] = {**map_labels(mentioned | tested, metric.table), **_labels(metric.table)}
    names = [name for name in known if not exact or name in (wanted or ()) or name in tested]
    interval = metric.interval_s
    first = (span.start // 1000 // interval) * interval
    last = (span.end // 1000 // interval) * interval
    scan: Plan = Scan(metric.table.name, time=TimeRange(first * 10**9, max(first, last) * 10**9))
    if len(alternatives) == 1:
        test = conjunction(_tests(metric, alternatives[0], catalog))
        scan = scan if test is None else Filter(scan, test)
    fields = {name: known[name] for name in names}
    columns = list(dict.fromkeys(field.name for field in fields.values()))
    keys = [Named(f"k{index}", Ref(name)) for index, name in enumerate(columns)]
    moment = Named("moment", Call("bucket", (Ref(metric.table.time), Literal(interval))))
    plan = Aggregate(scan, (*keys, moment), (Measure("value", metric.function, (Ref(metric.field.name),)),))
    table = await storage.execute(plan)
    if table.num_rows > max_samples:
        raise TooManySamples("query processing would load too many samples into memory in query execution")
    return _samples(table, metric, fields, columns, catalog, alternatives, max_series)


def _samples(
    table: pa.Table,
    metric: CatalogMetric,
    fields: dict[str, _Field],
    columns: list[str],
    catalog: Catalog,
    alternatives: Sequence[Sequence[Matcher]],
    max_series: int,
) -> Samples:
    if not table.num_rows:
        return Samples.empty()
    numbers = np.zeros(table.num_rows, np.int64)
    texts: dict[str, tuple[np.ndarray, list[object]]] = {}
    maps = {field.name for field in fields.values() if isinstance(field, MapLabel)}
    for index, column in enumerate(columns):
        array = table[f"k{index}"].combine_chunks()
        array = pa.chunked_array([array]) if isinstance(array, pa.Array) else array
        plain = array.cast(array.type.value_type) if pa.types.is_dictionary(array.type) else array
        encoded = plain.combine_chunks().dictionary_encode(null_encoding="encode")
        encoded = encoded if isinstance(encoded, pa.Array) else encoded.combine_chunks()
        codes = encoded.indices.to_numpy(zero_copy_only=False)
        told = encoded.dictionary.to_pylist()
        texts[column] = (codes, [as_map(each) for each in told] if column in maps else told)
        # Renumbered after each column, so that the numbers stay small whatever the columns are.
        _, numbers = np.unique(numbers * len(encoded.dictionary) + codes, return_inverse=True)
    unique, firsts, numbers = np.unique(numbers, return_index=True, return_inverse=True)
    if len(unique) > max_series:
        raise TooManySamples(f"the query selects {len(unique)} series, at most {max_series} are allowed")
    labels = [_label_set(int(row), metric, fields, texts, catalog) for row in firsts]
    chosen = np.asarray(selects(labels, alternatives))
    kinds = table["moment"].type.unit
    moments = table["moment"].cast(pa.int64()).to_numpy() // {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[kinds]
    values = table["value"].cast(pa.float64())
    there = ~np.asarray(values.is_null().to_numpy()) & chosen[numbers]
    kept, again = np.unique(numbers[there], return_inverse=True)
    ends = (moments[there] + metric.interval_s) * 1000
    rows = ([labels[each] for each in kept], again, ends, values.to_numpy()[there])
    if maps:
        rows = merged(*rows, metric.function)
    return build(*rows, lookback_ms=metric.interval_s * 1000)


def _label_set(
    row: int,
    metric: CatalogMetric,
    fields: dict[str, _Field],
    texts: dict[str, tuple[np.ndarray, list[object]]],
    catalog: Catalog,
) -> Labels:
    found = {NAME: metric.name}
    for name, field in fields.items():
        codes, values = texts[field.name]
        value = values[int(codes[row])]
        if isinstance(field, MapLabel):
            found[name] = field.of(value) if isinstance(value, Mapping) else ""
        elif isinstance(field, Column) and field.enum and name.endswith("_enum") and isinstance(value, (int, str)):
            found[name] = catalog.enum(field.enum).name_of(value)
        elif isinstance(value, bool):
            found[name] = "1" if value else "0"
        elif value is not None:
            found[name] = str(value)
    return make(found)
