"""The dialect: text to tree, selectors to plans, samples to an answer."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from metaflow_core.api import Clock, Counters, QueryRequest, QueryResult, Resource, Storage
from metaflow_core.errors import QueryError
from metaflow_core.model.catalog import Catalog
from metaflow_dialect_promql.config import PromqlConfig
from metaflow_dialect_promql.errors import BadParameter, QueryTimeout, TooManySamples
from metaflow_dialect_promql.evaluate import Evaluator
from metaflow_dialect_promql.labels import NAME, Labels
from metaflow_dialect_promql.leaf.catalog import CatalogMetric, catalog_metrics, catalog_samples, find_metric
from metaflow_dialect_promql.leaf.maps import words
from metaflow_dialect_promql.leaf.standard import STANDARD, Standard, standard_samples
from metaflow_dialect_promql.leaf.stored import StoredSeries
from metaflow_dialect_promql.result import Answer, matrix_table, sample_table, series_table
from metaflow_dialect_promql.samples import Samples
from metaflow_dialect_promql.span import Need, Span, Steps, needs
from metaflow_dialect_promql.syntax.nodes import Matcher, MatrixSelector, Node, Selector, Subquery, bare
from metaflow_dialect_promql.syntax.parse import parse, parse_selector
from metaflow_dialect_promql.values import Scalar, Text

__all__ = ["PromqlDialect", "milliseconds"]

_DURATION = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?\Z")
_UNITS_MS = (31_536_000_000, 604_800_000, 86_400_000, 3_600_000, 60_000, 1000, 1)
_FAR = 2**53


def milliseconds(value: Any, what: str, *, duration: bool = False) -> int:
    """A moment (seconds since 1970, RFC 3339, datetime) or a duration (seconds, ``1h30m``) in milliseconds.

    :raises BadParameter: it is none; the sentence is Prometheus'.
    """
    if isinstance(value, datetime):
        return round(value.timestamp() * 1000)
    kind = "duration" if duration else "timestamp"
    text = str(value).strip()
    try:
        number = float(text)
    except ValueError:
        number = None
    if number is not None:
        if not abs(number) * 1000 < _FAR:
            raise BadParameter(f'invalid parameter "{what}": cannot parse "{text}" to a valid {kind}')
        return round(number * 1000)
    if duration:
        found = _DURATION.match(text)
        if found is not None and text:
            return sum(int(part or 0) * unit for part, unit in zip(found.groups(), _UNITS_MS, strict=True))
    else:
        try:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is not None:
                return round(moment.timestamp() * 1000)
        except (ValueError, OverflowError):
            pass
    raise BadParameter(f'invalid parameter "{what}": cannot parse "{text}" to a valid {kind}')


@dataclass(frozen=True, slots=True)
class _Question:
    """A query with its parameters read."""

    node: Node
    steps: Steps
    is_range: bool
    lookback: int
    deadline: float


class PromqlDialect:
    """PromQL.

    ``params``: ``time`` for an instant query, ``start``, ``end`` and ``step`` for a range query (seconds, RFC 3339 or datetime);
    ``lookback`` (duration); ``operation``: ``query`` (default), ``series``, ``names`` or ``samples`` for a selector or several;
    ``shape``: ``rows`` (one a sample, a column a label) or ``series`` (one a series with lists of times and values).
    """

    def __init__(self, catalog: Catalog, config: PromqlConfig, clock: Clock, counters: Counters | None = None) -> None:
        self._catalog = catalog
        self._config = config
        self._clock = clock
        self._counters = counters or Counters("dialect.promql")
        self._stored = StoredSeries()

    async def start(self) -> None:
        """Nothing to acquire."""

    async def stop(self) -> None:
        """Nothing to give back."""

    def resources(self) -> Iterable[Resource]:
        """Nothing that another component could want."""
        return ()

    async def query(self, request: QueryRequest, storage: Storage) -> QueryResult:
        """Answer a question; see the class for its parameters.

        :raises QuerySyntaxError: it is not well-formed. :raises QueryTimeout: the time is over.
        :raises TooManySamples: it asks for too much. :raises QueryError: it cannot be answered.
        """
        operation = request.params.get("operation", "query")
        self._counters.add("received", unit="queries")
        try:
            async with asyncio.timeout(request.timeout_s):
                if operation == "query":
                    return await self._query(request, storage)
                return await self._operation(str(operation), request, storage)
        except TimeoutError:
            self._counters.add("refused", reason="timeout", unit="queries")
            raise QueryTimeout("query timed out in expression evaluation") from None
        except QueryError as error:
            self._counters.add("refused", reason=error.code, unit="queries")
            raise

    def _span(self, request: QueryRequest) -> Span:
        now = self._clock.time_ns() // 1_000_000
        start = request.params.get("start")
        end = request.params.get("end")
        first = now - 3_600_000 if start is None else milliseconds(start, "start")
        # A moment asked for belongs to the answer, a window's left end does not.
        return Span(first - 1, now if end is None else milliseconds(end, "end"))

    def _question(self, request: QueryRequest) -> _Question:
        params = request.params
        node = parse(request.text)
        is_range = params.get("step") is not None
        if is_range:
            steps = self._range(params)
            if isinstance(bare(node), (MatrixSelector, Subquery)) or _is_string(node):
                kind = "string" if _is_string(node) else "range vector"
                raise BadParameter(
                    f'invalid parameter "query": invalid expression type "{kind}" for range query, '
                    "must be Scalar or instant Vector"
                )
        else:
            moment = params.get("time")
            at = self._clock.time_ns() // 1_000_000 if moment is None else milliseconds(moment, "time")
            steps = Steps(at, at, 1, at, at)
        given = params.get("lookback")
        lookback = (
            round(self._config.lookback_s * 1000)
            if given is None
            else milliseconds(given, "lookback_delta", duration=True)
        )
        return _Question(node, steps, is_range, max(lookback, 1), time.monotonic() + request.timeout_s)

    def _range(self, params: Any) -> Steps:
        start, end = milliseconds(params.get("start"), "start"), milliseconds(params.get("end"), "end")
        step = milliseconds(params["step"], "step", duration=True)
        if end < start:
            raise BadParameter('invalid parameter "end": end timestamp must not be before start time')
        if step <= 0:
            raise BadParameter(
                'invalid parameter "step": zero or negative query resolution step widths are not accepted. '
                "Try a positive integer"
            )
        if (end - start) // step > self._config.max_points:
            raise BadParameter(
                f"exceeded maximum resolution of {self._config.max_points:,} points per timeseries. "
                "Try decreasing the query resolution (?step=XX)"
            )
        return Steps(start, end, step, start, end)

    async def _query(self, request: QueryRequest, storage: Storage) -> QueryResult:
        question = self._question(request)
        default_step = round(self._config.subquery_step_s * 1000)
        wanted = list(needs(question.node, question.steps, question.lookback, default_step))
        samples = await self._read(wanted, storage, words(request.text))
        evaluator = Evaluator(
            samples,
            question.lookback,
            default_step,
            self._config.max_samples,
            question.deadline,
        )
        node, steps = question.node, question.steps
        if isinstance(bare(node), (MatrixSelector, Subquery)):
            windows, _ = await asyncio.to_thread(evaluator.windows, node, steps)
            table = sample_table(windows, steps, request.params.get("shape", "rows"))
            return QueryResult(table=table, kind="matrix", warnings=tuple(evaluator.infos))
        value = await asyncio.to_thread(evaluator.value, node, steps)
        kind = "string" if isinstance(value, Text) else "scalar" if isinstance(value, Scalar) else "vector"
        answer = Answer(value, steps, "matrix" if question.is_range else kind)
        table = matrix_table(answer, request.params.get("shape", "rows"), request.max_rows)
        physical = "\n".join(f"{each.selector.alternatives} {each.span} labels={each.labels}" for each in wanted)
        return QueryResult(table=table, kind=answer.kind, warnings=tuple(evaluator.infos), physical=physical)

    async def _read(self, wanted: Sequence[Need], storage: Storage, mentioned: frozenset[str]) -> dict[int, Samples]:
        """The samples of each selector; what several ask for is read once, over all that they need."""
        groups: dict[tuple[Any, ...], list[Need]] = {}
        for need in wanted:
            groups.setdefault((need.selector.alternatives, need.labels), []).append(need)
        found: dict[int, Samples] = {}
        budget = self._config.max_samples
        for (alternatives, labels), members in groups.items():
            # A subquery none of whose steps falls into its window needs no sample.
            spans = [each.span for each in members if each.span.start < each.span.end]
            samples = Samples.empty()
            if spans:
                span = Span(min(each.start for each in spans), max(each.end for each in spans))
                samples = await self.select(storage, alternatives, span, labels, budget, mentioned)
            budget -= len(samples.times)
            for each in members:
                found[id(each.selector)] = samples
        return found

    async def select(
        self,
        storage: Storage,
        alternatives: Sequence[Sequence[Matcher]],
        span: Span,
        labels: tuple[str, ...] | None = None,
        max_samples: int | None = None,
        mentioned: frozenset[str] = frozenset(),
    ) -> Samples:
        """The samples of what matchers select: a metric of the catalogue, or stored series.

        :param mentioned: words of the question; those that name a key of a map tag become labels of the catalogue's metrics.
        """
        limit = self._config.max_samples if max_samples is None else max_samples
        if limit <= 0:
            raise TooManySamples("query processing would load too many samples into memory in query execution")
        metrics = self._metrics(alternatives)
        if metrics:
            parts = [
                await catalog_samples(
                    each, storage, self._catalog, alternatives, span, labels, limit, self._config.max_series, mentioned
                )
                for each in metrics[:1]
            ]
            return parts[0]
        plain = [[_plain(matcher) for matcher in matchers] for matchers in alternatives]
        stored = await self._stored.samples(storage, plain, span, limit, self._config.max_series)
        standard = self._standard(alternatives)
        if standard is None or stored.labels:
            return stored
        return await standard_samples(
            standard, storage, self._catalog, alternatives, span, limit, self._config.max_series
        )

    def _standard(self, alternatives: Sequence[Sequence[Matcher]]) -> Standard | None:
        """The name of Grafana's that is asked for, where the catalogue has the rows that it is made from."""
        if not self._config.trace_metrics:
            return None
        names = {m.value for matchers in alternatives for m in matchers if m.name == NAME and m.op == "="}
        return next((STANDARD[name] for name in sorted(names) if name in STANDARD), None)

    def _metrics(self, alternatives: Sequence[Sequence[Matcher]]) -> list[CatalogMetric]:
        """The metrics of the catalogue that are asked for by name."""
        names = {m.value for matchers in alternatives for m in matchers if m.name == NAME and m.op == "="}
        found = [find_metric(name, self._catalog) for name in sorted(names)]
        return [each for each in found if each is not None]

    async def _operation(self, operation: str, request: QueryRequest, storage: Storage) -> QueryResult:
        span = self._span(request)
        texts = request.params.get("match") or ([request.text] if request.text else [])
        selectors = [parse_selector(text) for text in texts]
        if operation == "series":
            return QueryResult(table=series_table(await self._series(selectors, span, storage)))
        if operation == "names":
            return QueryResult(
                table=series_table([((NAME, name),) for name in await self._names(selectors, span, storage)])
            )
        if operation == "samples":
            alternatives = [set_ for selector in selectors for set_ in selector.alternatives]
            samples = await self.select(storage, alternatives, span)
            windows = samples.windows(_one(span.end), span.end - span.start)
            steps = Steps(span.end, span.end, 1, span.end, span.end)
            return QueryResult(table=sample_table(windows, steps, "series"), kind="matrix")
        raise QueryError(f"the dialect has no operation {operation!r}; it has query, series, names and samples")

    async def _series(self, selectors: Sequence[Selector], span: Span, storage: Storage) -> list[Labels]:
        found: set[Labels] = set()
        for selector in selectors:
            if self._metrics(selector.alternatives) or self._standard(selector.alternatives):
                found.update((await self.select(storage, selector.alternatives, span)).labels)
                continue
            plain = [[_plain(matcher) for matcher in matchers] for matchers in selector.alternatives]
            found.update(await self._stored.series(storage, plain, span, self._config.max_series))
        return sorted(found)

    async def _names(self, selectors: Sequence[Selector], span: Span, storage: Storage) -> list[str]:
        """Names of metrics: stored ones that have samples, and all of the catalogue unless the selectors rule them out."""
        if selectors:
            found = {dict(labels).get(NAME, "") for labels in await self._series(selectors, span, storage)}
            return sorted(found - {""})
        stored = await self._stored.names(storage, span)
        standard = STANDARD if self._config.trace_metrics else ()
        return sorted({*stored, *standard, *(each.name for each in catalog_metrics(self._catalog))})


def _one(moment: int) -> Any:
    import numpy as np

    return np.array([moment], np.int64)


def _plain(matcher: Matcher) -> Matcher:
    """``prometheus__samples__up`` is another name of ``up``."""
    if matcher.name == NAME and matcher.op == "=" and matcher.value.startswith("prometheus__samples__"):
        return Matcher(NAME, "=", matcher.value.removeprefix("prometheus__samples__"))
    return matcher


def _is_string(node: Node) -> bool:
    from metaflow_dialect_promql.syntax.nodes import String

    return isinstance(bare(node), String)
