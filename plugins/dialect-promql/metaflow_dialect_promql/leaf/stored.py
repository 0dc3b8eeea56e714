"""Stored Prometheus samples: the table ``prometheus.samples``."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from metaflow_core.api import Storage
from metaflow_core.model.expression import Expr, In, Literal, Or, Ref
from metaflow_core.query import Aggregate, Filter, Fold, Named, Plan, Project, Scan, TimeRange
from metaflow_dialect_promql.errors import TooManySamples
from metaflow_dialect_promql.labels import NAME, Labels, make
from metaflow_dialect_promql.leaf.build import build
from metaflow_dialect_promql.leaf.matching import conjunction, pushed, selects
from metaflow_dialect_promql.samples import Samples
from metaflow_dialect_promql.span import Span
from metaflow_dialect_promql.syntax.nodes import Matcher

__all__ = ["RESERVED", "TABLE", "StoredSeries"]

TABLE = "prometheus.samples"
_MAX_IN = 5000
_MAX_NAMED = 20
RESERVED = frozenset({"__exemplar__", "__metadata__"})
"""Names under which exemplars and metadata are kept; only who asks for them by name gets them."""


class StoredSeries:
    """Reads series and samples. Remembers the labels of series that it has seen.

    A ``series_id`` is a hash of the labels, so what is remembered is right for every storage and for ever.

    :param remembered: of how many series.
    """

    def __init__(self, remembered: int = 200_000) -> None:
        self._remembered = remembered
        self._labels: OrderedDict[int, Labels] = OrderedDict()

    async def samples(
        self, storage: Storage, alternatives: Sequence[Sequence[Matcher]], span: Span, max_samples: int, max_series: int
    ) -> Samples:
        """The samples of the series that the matchers select.

        :raises TooManySamples: there are more than allowed.
        """
        source = _filtered(alternatives, span)
        if any(matcher.name != NAME for matchers in alternatives for matcher in matchers):
            # Labels are tested once a series, on those remembered; the store is asked by number, its order's second key.
            known = await self._known(storage, source, max_series)
            ids = list(known)
            chosen = _chosen(ids, list(known.values()), alternatives)
            if not chosen:
                return Samples.empty()
            if len(chosen) < len(ids) and len(chosen) <= _MAX_IN:
                items = tuple(Literal(each) for each in chosen)
                source = Filter(source, In(Ref("series_id"), items))
        columns = tuple(Named(name, Ref(name)) for name in ("series_id", "timestamp", "value"))
        table = await storage.execute(Project(source, columns))
        if table.num_rows > max_samples:
            raise TooManySamples("query processing would load too many samples into memory in query execution")
        if not table.num_rows:
            return Samples.empty()
        encoded = pa.concat_arrays(table["series_id"].chunks).dictionary_encode()
        ids = [int(each) for each in encoded.dictionary.to_pylist()]
        if len(ids) > max_series:
            raise TooManySamples(f"the query selects {len(ids)} series, at most {max_series} are allowed")
        labels = await self._learn(storage, source, ids)
        return await asyncio.to_thread(self._build, table, encoded, list(labels.values()), alternatives, span)

    @staticmethod
    def _build(
        table: pa.Table,
        encoded: pa.DictionaryArray,
        labels: Sequence[Labels],
        alternatives: Sequence[Sequence[Matcher]],
        span: Span,
    ) -> Samples:
        chosen = np.asarray(_selected(labels, alternatives))
        codes = encoded.indices.to_numpy(zero_copy_only=False)
        times = table["timestamp"].cast(pa.int64()).to_numpy() // 1000
        values = table["value"].to_numpy()
        rows = (times > span.start) & (times <= span.end)
        if not chosen.all():
            rows &= chosen[codes]
        if not rows.all():
            codes, times, values = codes[rows], times[rows], values[rows]
        there = np.bincount(codes, minlength=len(labels)) > 0
        if not there.all():
            codes = (np.cumsum(there) - 1)[codes]
            labels = [each for each, hit in zip(labels, there, strict=True) if hit]
        return build(labels, codes, times, values)

    async def series(
        self, storage: Storage, alternatives: Sequence[Sequence[Matcher]], span: Span, max_series: int
    ) -> list[Labels]:
        """The series that have samples in the span.

        :raises TooManySamples: there are more than allowed.
        """
        source = _filtered(alternatives, span)
        labels = list((await self._known(storage, source, max_series)).values())
        return sorted(each for each, hit in zip(labels, _selected(labels, alternatives), strict=True) if hit)

    async def names(self, storage: Storage, span: Span) -> list[str]:
        """The names of all metrics in the span."""
        source = Scan(TABLE, time=_range(span))
        found = await storage.execute(Aggregate(source, (Named("metric", Ref("metric_name")),), (Fold("n", "count"),)))
        return sorted({str(each) for each in pc.unique(found["metric"].cast(pa.utf8())).to_pylist()} - RESERVED)

    async def _known(self, storage: Storage, source: Plan, max_series: int) -> dict[int, Labels]:
        """The series of a plan: their numbers and labels."""
        found = await storage.execute(Aggregate(source, (Named("series_id", Ref("series_id")),), (Fold("n", "count"),)))
        ids = [int(each) for each in found["series_id"].to_pylist()]
        if len(ids) > _MAX_NAMED * max_series:
            raise TooManySamples(f"{len(ids)} series have the name asked for; ask for one metric, or a shorter time")
        return await self._learn(storage, source, ids)

    async def _learn(self, storage: Storage, source: Plan, ids: Sequence[int]) -> dict[int, Labels]:
        """The labels of series, in the order given.

        A series whose rows vanished between two questions has none.
        """
        if all(each in self._labels for each in ids):
            for each in ids:
                self._labels.move_to_end(each)
            return {each: self._labels[each] for each in ids}
        read = await self._read(storage, source)
        found = {each: self._labels.get(each) or read.get(each, ()) for each in ids}
        for each, labels in found.items():
            if labels:
                self._labels[each] = labels
                self._labels.move_to_end(each)
        while len(self._labels) > self._remembered:
            self._labels.popitem(last=False)
        return found

    async def _read(self, storage: Storage, source: Plan) -> dict[int, Labels]:
        """Series and their labels, which a storage keeps once a series: grouping by number finds each once."""
        names = ("series_id", "metric_name", "label")
        keys = tuple(Named(name, Ref(name)) for name in names)
        table = await storage.execute(Aggregate(source, keys, (Fold("n", "count"),)))
        columns = [table[name].to_pylist() for name in names]
        return {
            int(number): make({**json.loads(labels or "{}"), NAME: metric})
            for number, metric, labels in zip(*columns, strict=True)
        }


def _selected(labels: Sequence[Labels], alternatives: Sequence[Sequence[Matcher]]) -> list[bool]:
    """Which series are selected; exemplars and metadata only by their very name."""
    found = selects(labels, alternatives)
    if any(m.name == NAME and m.op == "=" and m.value in RESERVED for matchers in alternatives for m in matchers):
        return found
    return [hit and dict(each).get(NAME) not in RESERVED for hit, each in zip(found, labels, strict=True)]


def _range(span: Span) -> TimeRange:
    return TimeRange(span.start // 1000 * 1_000_000_000, (span.end // 1000 + 1) * 1_000_000_000)


def _filtered(alternatives: Sequence[Sequence[Matcher]], span: Span) -> Plan:
    scan = Scan(TABLE, time=_range(span))
    tests = [conjunction(pushed(matchers, _operand)) for matchers in alternatives]
    found = [each for each in tests if each is not None]
    # One alternative without a test lets everything through.
    if len(found) < len(tests) or not found:
        return scan
    return Filter(scan, found[0] if len(found) == 1 else Or(tuple(found)))


def _operand(name: str) -> Expr | None:
    """Only the metric's name is tested on rows: labels are tested once a series, and rows then by the numbers of the series."""
    return Ref("metric_name") if name == NAME else None


def _chosen(ids: Sequence[int], labels: Sequence[Labels], alternatives: Sequence[Sequence[Matcher]]) -> list[int]:
    return [each for each, hit in zip(ids, _selected(labels, alternatives), strict=True) if hit]
