"""Asks MetaFlow and a running Prometheus the same, and lists every difference with its reason.

``python plugins/dialect-promql/tests/compare/compare.py [count [seed [edges]]]``: with ``edges``, expressions at the edges of the language.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parent))
from dataset import INTERVAL_MS, Series, dataset
from edges import edges
from expressions import expressions
from metaflow_dialect_promql.api.forms import result_json
from metaflow_dialect_promql.config import PromqlConfig
from metaflow_dialect_promql.dialect import PromqlDialect
from metaflow_dialect_promql.functions import overtime
from metaflow_dialect_promql.samples import Samples, Windows
from metaflow_dialect_promql.span import Steps
from metaflow_dialect_promql.syntax.nodes import Subquery
from metaflow_storage_memory.storage import MemoryStorage
from prometheus import Prometheus, missing

from metaflow_core.api import QueryRequest, RecordBatch
from metaflow_core.api.clock import SystemClock
from metaflow_core.errors import MetaFlowError
from metaflow_core.model.catalog import load_catalog

# Seven seconds after the minute: no step of a subquery (multiples of 7 s apart from 1 s steps) is on a window's edge.
_SHIFT_S = 7


@dataclass(frozen=True, slots=True)
class Difference:
    """Two answers to one question."""

    expression: str
    kind: str
    reason: str
    ours: str
    theirs: str


def store(series: Series) -> MemoryStorage:
    """The samples in a storage of ours."""
    storage = MemoryStorage(load_catalog())
    lengths = [len(samples) for _, samples in series]
    total = sum(lengths)
    names = [[name for name in sorted(labels) if name != "__name__"] for labels, _ in series]
    index = np.repeat(np.arange(len(series)), lengths)
    keys = pa.array(names).take(pa.array(index))
    values = pa.array([[labels[name] for name in each] for each, (labels, _) in zip(names, series, strict=True)])
    numbers = np.fromiter((value for _, samples in series for _, value in samples), np.float64, total)
    times = np.fromiter((at for _, samples in series for at, _ in samples), np.int64, total)
    batch = pa.RecordBatch.from_pydict(
        {
            "timestamp": pa.array(times * 1000).cast(pa.timestamp("us", "UTC")),
            "metric_name": pa.array([labels["__name__"] for labels, _ in series])
            .take(pa.array(index))
            .dictionary_encode(),
            "label_names": keys,
            "label_values": values.take(pa.array(index)),
            "series_id": pa.array(index.astype(np.uint64) + 1),
            "value": numbers,
        }
    )
    storage.add(RecordBatch("prometheus.samples", batch))
    return storage


def feed(server: Prometheus, series: Series, base_ms: int) -> None:
    """The samples in Prometheus, in slices of time, because it takes them in order only."""
    width = 20 * 60_000
    start = base_ms
    while True:
        part = [
            (labels, [(at, value) for at, value in samples if start <= at < start + width])
            for labels, samples in series
        ]
        part = [(labels, samples) for labels, samples in part if samples]
        if not part:
            return
        server.write(part)
        start += width


def same_number(ours: str, theirs: str) -> bool:
    """Equal, or apart by no more than the order of additions makes."""
    if ours == theirs:
        return True
    a, b = float(ours), float(theirs)
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)


def _series(data: dict[str, Any]) -> list[tuple[str, list[Any]]]:
    return [
        (json.dumps(row["metric"], sort_keys=True), row["values"] if "values" in row else [row["value"]])
        for row in data["result"]
    ]


def difference(ours: dict[str, Any], theirs: dict[str, Any], ordered: bool) -> str | None:
    """What differs; None when nothing does."""
    if ours["status"] == "crash":
        return "ours broke off"
    if (ours["status"] == "error") != (theirs["status"] == "error"):
        return "only one side refuses it"
    if ours["status"] == "error":
        return None
    a, b = ours["data"], theirs["data"]
    if a["resultType"] != b["resultType"]:
        return f"types {a['resultType']} and {b['resultType']}"
    if a["resultType"] in ("scalar", "string"):
        fine = a["result"][1] == b["result"][1] or (
            a["resultType"] == "scalar" and same_number(a["result"][1], b["result"][1])
        )
        return None if fine else "another value"
    left, right = _series(a), _series(b)
    if not ordered:
        left, right = sorted(left), sorted(right)
    if [labels for labels, _ in left] != [labels for labels, _ in right]:
        return "other series"
    for (_, mine), (_, other) in zip(left, right, strict=True):
        if [float(at) for at, _ in mine] != [float(at) for at, _ in other]:
            return "other steps"
        if not all(same_number(x, y) for (_, x), (_, y) in zip(mine, other, strict=True)):
            return "another value"
    return None


async def ask(dialect: PromqlDialect, storage: MemoryStorage, text: str, params: dict[str, Any]) -> dict[str, Any]:
    """Our answer in Prometheus' shape."""
    try:
        result = await dialect.query(QueryRequest(text=text, params={**params, "shape": "series"}), storage)
    except MetaFlowError as error:
        return {"status": "error", "error": str(error)}
    except Exception as error:
        return {"status": "crash", "error": f"{type(error).__name__}: {error}"}
    return {"status": "success", "data": json.loads(result_json(result, 0, 0)[0])}


@contextmanager
def closed_windows() -> Iterator[None]:
    """As long as it lasts, windows are closed on the left as in Prometheus 2."""
    windows, inside = Samples.windows, Steps.inside

    def closed(self: Samples, ends: Any, width_ms: int) -> Windows:
        return replace(windows(self, ends, width_ms + 1), width_ms=width_ms)

    def steps(self: Steps, node: Subquery, default_step: int) -> Steps:
        return inside(self, replace(node, range_ms=node.range_ms + 1), default_step)

    with patch.object(Samples, "windows", closed), patch.object(Steps, "inside", steps):
        yield


def _extrapolated_2(windows: Windows, counter: bool, per_second: bool) -> Any:
    """Prometheus 2's order of the two bounds of extrapolation: zero first, then the gap between samples."""
    samples = windows.samples
    first, last = overtime._first(windows), overtime._last(windows)
    start = overtime._take(windows, windows.low, samples.times)
    end = overtime._take(windows, windows.high - 1, samples.times)
    result = last - first + (overtime._corrections(windows) if counter else 0.0)
    to_start = (start - (windows.ends - windows.width_ms)) / 1e3
    to_end = (windows.ends - end) / 1e3
    sampled = (end - start) / 1e3
    gap = sampled / np.maximum(windows.counts - 1, 1)
    if counter:
        zero = np.where((result > 0) & (first >= 0), sampled * (first / result), to_start)
        to_start = np.minimum(to_start, zero)
    to_start = np.where(to_start < gap * 1.1, to_start, gap / 2)
    to_end = np.where(to_end < gap * 1.1, to_end, gap / 2)
    factor = (sampled + to_start + to_end) / sampled
    return result * (factor / (windows.width_ms / 1e3) if per_second else factor)


@contextmanager
def old_rates() -> Iterator[None]:
    """As long as it lasts, rates are extrapolated as in Prometheus 2."""
    with patch.object(overtime, "_extrapolated", _extrapolated_2):
        yield


_REASONS = (
    ("Prometheus 2's windows are closed on the left", closed_windows),
    ("Prometheus 2 bounds extrapolation in another order", old_rates),
)


def ties(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """Whether both hold the same numbers at each step, of other series or in another order."""

    def numbers(answer: dict[str, Any]) -> dict[float, list[float]]:
        found: dict[float, list[float]] = {}
        for _, points in _series(answer["data"]):
            for at, value in points:
                found.setdefault(float(at), []).append(float(value))
        return {at: sorted(values) for at, values in found.items()}

    if "data" not in ours or "data" not in theirs:
        return False
    a, b = numbers(ours), numbers(theirs)
    return a.keys() == b.keys() and all(np.allclose(a[at], b[at], rtol=1e-9) for at in a if len(a[at]) == len(b[at]))


_CALENDAR = re.compile(r"\b(?:minute|hour|day_of_week|day_of_month|day_of_year|days_in_month|month|year)\b")

_FIXED_TIMESTAMP = re.compile(r"\btimestamp\([^()]*(?:@[^()]*\boffset\b|\boffset\b[^()]*@)")


def _points(answer: dict[str, Any]) -> dict[tuple[str, float], float]:
    if "data" not in answer or answer["data"]["resultType"] not in ("vector", "matrix"):
        return {}
    return {(labels, float(at)): float(value) for labels, points in _series(answer["data"]) for at, value in points}


def dates_of_nothing(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """Whether the answers differ only where ours is NaN."""
    a, b = _points(ours), _points(theirs)
    return a.keys() == b.keys() and all(math.isnan(a[each]) or math.isclose(a[each], b[each]) for each in a)


def first_steps(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """Whether theirs has only the first step of ours."""
    a, b = _points(ours), _points(theirs)
    start = min((at for _, at in a), default=0.0)
    firsts = {each: value for each, value in a.items() if each[1] == start}
    return b.keys() == firsts.keys() and all(same_number(str(firsts[each]), str(b[each])) for each in b)


async def reason(
    text: str,
    ours: dict[str, Any],
    theirs: dict[str, Any],
    ordered: bool,
    again: Callable[[], Awaitable[dict[str, Any]]],
) -> str:
    """Why two answers differ: proven by asking again under the rules of Prometheus 2; see docs/reference/promql.md.

    :param again: asks our side once more.
    """
    for why, rules in _REASONS:
        with rules():
            if difference(await again(), theirs, ordered) is None:
                return why
    with closed_windows(), old_rates():
        if difference(await again(), theirs, ordered) is None:
            return "both of the above"
    if any(word in text for word in ("topk", "bottomk", "sort")) and ties(ours, theirs):
        return "equal numbers: which of their series is taken, or comes first, is not defined"
    if _CALENDAR.search(text) and dates_of_nothing(ours, theirs):
        return (
            "Prometheus makes a date of NaN, infinities and what 64 bits do not hold, another one on other processors"
        )
    if _FIXED_TIMESTAMP.search(text):
        return "Prometheus forgets the offset within timestamp(x @ t offset d)"
    if "@" in text and first_steps(ours, theirs):
        return "Prometheus answers a range fixed by @ beside a number that is not fixed at the first step only"
    if "atan2" in text and ties(ours, theirs):
        return "Prometheus 2 keeps the metric's name under atan2"
    return "unexplained"


async def compare(server: Prometheus, series: Series, base_ms: int, texts: list[str]) -> list[Difference]:
    """Every difference over the expressions, each asked at one moment and over a range."""
    storage = store(series)
    dialect = PromqlDialect(load_catalog(), PromqlConfig(), SystemClock())
    end = base_ms // 1000 + 85 * 60 + _SHIFT_S
    start = end - 40 * 60
    found: list[Difference] = []
    for text in texts:
        for path, params in (("query", {"time": end}), ("query_range", {"start": start, "end": end, "step": 120})):
            theirs = await asyncio.to_thread(server.api, path, query=text, **params)
            ours = await ask(dialect, storage, text, params)
            ordered = path == "query" and text.startswith(("sort", "topk(", "bottomk("))
            what = difference(ours, theirs, ordered)
            if what is not None:
                shown = [json.dumps(each.get("data", each.get("error")))[:300] for each in (ours, theirs)]
                why = await reason(
                    text,
                    ours,
                    theirs,
                    ordered,
                    lambda: ask(dialect, storage, text, params),  # noqa: B023 - used at once
                )
                found.append(Difference(text, f"{path}: {what}", why, shown[0], shown[1]))
                break
    return found


def run(
    count: int, folder: Path, seed: int = 20, make: Callable[[int, int], list[str]] = expressions
) -> tuple[int, list[Difference]]:
    """Starts Prometheus, compares, stops it: how many expressions, and the differences."""
    base_ms = (int(time.time()) // 3600 - 3) * 3_600_000
    series = dataset(base_ms)
    server = Prometheus(folder)
    try:
        feed(server, series, base_ms)
        texts = make(count, seed)
        return len(texts), asyncio.run(compare(server, series, base_ms, texts))
    finally:
        server.stop()


def main(arguments: list[str]) -> int:
    """Print the share of equal answers and the differences."""
    why = missing()
    if why is not None:
        print(f"nothing to compare with: {why}")
        return 2
    count = int(arguments[0]) if arguments else 1000
    seed = int(arguments[1]) if len(arguments) > 1 else 20
    with tempfile.TemporaryDirectory() as name:
        total, found = run(count, Path(name), seed, edges if arguments[2:] == ["edges"] else expressions)
    for each in found:
        print(f"{each.expression}\n    {each.kind}; {each.reason}\n    ours:   {each.ours}\n    theirs: {each.theirs}")
    print(f"{total - len(found)} of {total} expressions give the same answer ({(total - len(found)) / total:.2%})")
    for why, times in Counter(each.reason for each in found).most_common():
        print(f"    {times} x {why}")
    return 0 if len(found) <= total // 100 else 1


assert INTERVAL_MS == 15_000
if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
