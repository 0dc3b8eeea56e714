"""The dialect: text in, rows out."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from metaflow_core.api import Counters, QueryRequest, QueryResult, Storage
from metaflow_core.errors import QueryError, UnsupportedQuery
from metaflow_core.model.catalog import Catalog
from metaflow_core.query import Plan, TimeRange, late, prepare
from metaflow_dialect_sql.config import SqlConfig
from metaflow_dialect_sql.derivative import with_derivatives
from metaflow_dialect_sql.explain import plan_lines
from metaflow_dialect_sql.guard import check_text
from metaflow_dialect_sql.outputs import present
from metaflow_dialect_sql.planning import bounds_plan, question_plan
from metaflow_dialect_sql.question import Question
from metaflow_dialect_sql.raw import checked_raw, checked_settings, checked_statement
from metaflow_dialect_sql.select import read_select
from metaflow_dialect_sql.show import answer_show
from metaflow_dialect_sql.statements import Explain, Select, Show, Statement, parse_statement
from metaflow_dialect_sql.values import tag_values

__all__ = ["SqlDialect"]

_ALL_ROWS = 1_000_000
_NS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


class SqlDialect:
    """The unified SQL over any storage.

    Understood parameters of a request: ``db`` (database of tables named without one), ``data_precision`` (``1s``, ``1m``, ...),
    ``raw`` (the text is the storage's own SQL). With ``raw`` being ``clickhouse`` the text is what clients of ClickHouse send
    (SHOW, DESCRIBE, FORMAT, SETTINGS, parameters and comments too), the answer bytes of a form of ClickHouse; then also ``form`` (where
    the text names none), ``variables``, ``settings``, ``query_id``.
    """

    def __init__(self, catalog: Catalog, config: SqlConfig | None = None, counters: Counters | None = None) -> None:
        self._catalog = catalog
        self._config = config or SqlConfig()
        self._counters = counters or Counters("dialect.sql")

    async def start(self) -> None:
        """Nothing to acquire."""

    async def stop(self) -> None:
        """Nothing to give back."""

    async def query(self, request: QueryRequest, storage: Storage) -> QueryResult:
        """Answers a question.

        :raises QuerySyntaxError: with the column. :raises QueryError: with a sentence.
        """
        self._counters.add("received", unit="queries")
        try:
            async with asyncio.timeout(request.timeout_s):
                result = await self._answer(request, storage)
        except TimeoutError:
            self._counters.add("refused", reason="timeout", unit="queries")
            raise QueryError(
                f"the query was not answered within {request.timeout_s:g} s; narrow the range of time, or allow more"
            ) from None
        except QueryError as error:
            self._counters.add("refused", reason=error.code, unit="queries")
            raise
        self._counters.add("answered", result.table.num_rows, unit="rows")
        return result

    async def _answer(self, request: QueryRequest, storage: Storage) -> QueryResult:
        match request.params.get("raw"):
            case True | "true" | "1" | 1:
                return await self._raw(request, storage)
            case "clickhouse":
                return await self._clickhouse(request, storage)
        # Reading is computation, and deep: a thread keeps the event loop free and gives it a fresh stack.
        statement, question = await asyncio.to_thread(self._read, request.text, request.params)
        match statement:
            case Show("values"):
                assert question is not None
                return await tag_values(question, statement, storage, request.max_rows, self._catalog)
            case Show():
                return answer_show(statement, self._catalog, request.max_rows, database=_text(request.params, "db"))
            case Explain():
                assert question is not None
                return await self._explain(question, storage, request.max_rows)
        assert question is not None
        return await self._select(question, storage, request.max_rows)

    def _read(self, text: str, params: Mapping[str, Any]) -> tuple[Statement, Question | None]:
        limits = self._config
        try:
            statement = parse_statement(
                check_text(text, max_bytes=limits.max_text_bytes, max_nesting=limits.max_nesting)
            )
            match statement:
                case Select():
                    select: Select | None = statement
                case Explain(select):
                    pass
                case Show(what, select=select):
                    select = select if what == "values" else None
            if select is None:
                return statement, None
            names = {"database": _text(params, "db"), "precision": _text(params, "data_precision")}
            return statement, read_select(select, self._catalog, **names)
        except RecursionError:
            raise QueryError("the question is nested too deeply") from None

    async def _select(self, question: Question, storage: Storage, max_rows: int) -> QueryResult:
        wanted = self._config.default_rows if question.limit is None else question.limit
        rows = min(wanted, max_rows)
        # One row more tells whether something was left out that was not asked to be.
        more = rows + 1 if question.limit is None or question.limit > max_rows else rows
        span, said = await self._span(question, storage)
        plan = question_plan(question, span, more)
        self._check(plan)
        table = await storage.execute(plan)
        if question.derivatives:
            table = with_derivatives(table, question, more)
        warnings = [*question.warnings, *said]
        if table.num_rows > rows:
            table = table.slice(0, rows)
            hint = "add LIMIT" if question.limit is None else "no more are given"
            warnings.append(f"only the first {rows} rows are given; {hint}")
        outputs = [item.output for item in question.items]
        units = {output.name: output.unit for output in outputs if output.unit}
        return QueryResult(
            table=present(table, outputs, self._catalog), units=units, warnings=tuple(dict.fromkeys(warnings))
        )

    def _check(self, plan: Plan) -> None:
        """A plan of ours that cannot be prepared is refused before a storage is asked."""
        prepare(plan, self._catalog)

    async def _span(self, question: Question, storage: Storage) -> tuple[TimeRange | None, list[str]]:
        """The range of time, looked up in the rows where the question needs it and does not say it."""
        if not question.needs_range:
            return question.span.range(), []
        plan = bounds_plan(question)
        self._check(plan)
        found = await storage.execute(plan)
        low, high = (found.column(name) for name in ("low", "high"))
        if not found.num_rows or low[0].as_py() is None:
            return question.span.filled(TimeRange(0, 1_000_000_000)), []
        unit = _NS[low.type.unit]
        last = int(high.cast(pa.int64())[0].as_py()) + max(1, question.fields.table.interval_s * 1_000_000_000 // unit)
        span = question.span.filled(TimeRange(int(low.cast(pa.int64())[0].as_py()) * unit, last * unit))
        seconds = (span.end_ns - span.start_ns) / 1e9
        return span, [f"no range of time was asked for: rates are over the {seconds:g} s in which there are rows"]

    async def _explain(self, question: Question, storage: Storage, max_rows: int) -> QueryResult:
        wanted = self._config.default_rows if question.limit is None else question.limit
        span, said = await self._span(question, storage)
        plan = question_plan(question, span, min(wanted, max_rows))
        ready = late(prepare(plan, self._catalog))
        physical = await _physical(storage, plan)
        lines = [
            "Asked",
            *("  " + line for line in plan_lines(plan)),
            "Executed",
            *("  " + line for line in plan_lines(ready)),
        ]
        if physical:
            lines += ["Physical", *("  " + line for line in physical.splitlines())]
        return QueryResult(
            table=pa.table({"plan": pa.array(lines, pa.utf8())}), warnings=tuple(said), physical=physical
        )

    async def _raw(self, request: QueryRequest, storage: Storage) -> QueryResult:
        if not self._config.raw:
            raise UnsupportedQuery("raw SQL is switched off here (dialects: {sql: {raw: true}} allows it)")
        execute = getattr(storage, "execute_sql", None)
        if not callable(execute):
            raise UnsupportedQuery("this storage has no SQL of its own; ask without 'raw'")
        text = await asyncio.to_thread(checked_raw, request.text, self._catalog, self._config)
        table = execute(text)
        if inspect.isawaitable(table):
            table = await table
        warnings: tuple[str, ...] = ()
        if table.num_rows > request.max_rows:
            table, warnings = table.slice(0, request.max_rows), (f"only the first {request.max_rows} rows are given",)
        return QueryResult(table=table, warnings=warnings, physical=text)

    async def _clickhouse(self, request: QueryRequest, storage: Storage) -> QueryResult:
        """An answer as bytes: one row, columns ``form`` and ``data``."""
        if not self._config.raw:
            raise UnsupportedQuery("raw SQL is switched off here (dialects: {sql: {raw: true}} allows it)")
        fetch = getattr(storage, "fetch_sql", None)
        if not callable(fetch):
            raise UnsupportedQuery("this storage is no ClickHouse; ask in the unified SQL")
        params = request.params
        statement = await asyncio.to_thread(
            checked_statement,
            request.text,
            self._catalog,
            self._config,
            database=_text(params, "db"),
            variables=params.get("variables") or {},
        )
        form = statement.form or _text(params, "form") or "TabSeparated"
        settings = {**(params.get("settings") or {}), **statement.settings}
        data: bytes = await fetch(
            statement.text,
            form,
            settings=checked_settings(settings),
            can_set=statement.is_select,
            query_id=_text(params, "query_id"),
            max_rows=request.max_rows,
            timeout_s=request.timeout_s,
        )
        table = pa.table({"form": pa.array([form]), "data": pa.array([data], pa.large_binary())})
        return QueryResult(table=table, kind="bytes", physical=statement.text)


def _text(params: Mapping[str, Any], name: str) -> str:
    value = params.get(name)
    return value if isinstance(value, str) else ""


async def _physical(storage: Storage, plan: Plan) -> str:
    """What a storage says it would run; empty when it does not say."""
    explain = getattr(storage, "explain", None)
    if not callable(explain):
        return ""
    said = explain(plan)
    if inspect.isawaitable(said):
        said = await said
    return str(said)
