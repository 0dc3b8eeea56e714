"""Searches: rows that match, grouped by trace, with what a list of traces shows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from metaflow_core.model.expression import And, Compare, Expr, Literal, Ref
from metaflow_core.query import Aggregate, Filter, Fold, Limit, Named, Plan, Project, Scan, Sort, SortKey, TimeRange
from metaflow_tracing.answer.names import end_name, side
from metaflow_tracing.gather.gather import Store
from metaflow_tracing.gather.plans import TABLE, same_id
from metaflow_tracing.search.attributes import KNOWN, service_condition
from metaflow_tracing.search.question import Question
from metaflow_tracing.spans import COLUMNS, PATH, TAGS, Span, spans_of
from metaflow_tracing.tracer import hex_of_row

if TYPE_CHECKING:
    from metaflow_core.model.catalog import Catalog

__all__ = ["Searcher", "Summary", "all_of", "root_service", "shown_service"]

# rows that are read for each trace that is wanted: a trace has several rows that match
_ROWS_PER_TRACE = 20
_MOST_NAMES = 5_000
_APPS = ("c-app", "s-app", "app")
_ENDS = (
    "app_service", "process_kname_0", "process_kname_1", "auto_service_0", "auto_service_1", "auto_instance_0", "auto_instance_1", "ip_0", "ip_1",
    "server_port", "observation_point",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Summary:
    """A trace in a list. :ivar trace_id: a row's id in the shape of one where the rows name no trace."""

    trace_id: str
    root: Span
    matched: tuple[Span, ...]
    start_us: int
    end_us: int


class Searcher:
    """Asks a storage.

    :param catalog: its tables.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def summaries(self, store: Store, question: Question, time: TimeRange, most: int) -> list[Summary]:
        """Traces with a row that matches, the latest first. Two plans, whatever is found.

        :raises QueryError: the storage cannot answer.
        """
        matched: dict[str, list[Span]] = {}
        for span in await self._latest(store, question.condition, time, most * _ROWS_PER_TRACE):
            matched.setdefault(span["trace_id"] or hex_of_row(span.row_id), []).append(span)
        named = [spans[0]["trace_id"] for spans in matched.values() if spans[0]["trace_id"]]
        whole: dict[str, list[Span]] = {name: list(spans) for name, spans in matched.items()}
        if named:
            around = TimeRange(max(0, time.start_ns - 60_000_000_000), time.end_ns + 60_000_000_000)
            listed = Limit(_wide(Filter(Scan(TABLE, time=around), same_id("trace_id", named))), most * 200)
            found: dict[str, list[Span]] = {}
            for span in spans_of(await store.execute(listed)):
                found.setdefault(span["trace_id"], []).append(span)
            whole.update(found)
        summaries = [_summary(name, whole[name], spans) for name, spans in matched.items()]
        bounds = question.bounds
        kept = [each for each in summaries if bounds.shortest <= each.end_us - each.start_us <= bounds.longest]
        return sorted(kept, key=lambda each: -each.start_us)[:most]

    async def _latest(self, store: Store, predicate: Expr, time: TimeRange, most: int) -> list[Span]:
        latest = Sort(Filter(Scan(TABLE, time=time), predicate), (SortKey("time", descending=True),))
        return spans_of(await store.execute(_wide(Limit(latest, most))))

    async def services(self, store: Store, time: TimeRange) -> list[str]:
        """Names under which rows of this time are shown as a service's."""
        rows = await self._ends(store, time)
        known = _Aliases(rows)
        return sorted(
            {str(row["app_service"]) if row["observation_point"] in _APPS else known.server(row) for row in rows}
            - {"", "None"}
        )

    async def _ends(self, store: Store, time: TimeRange) -> list[dict[str, Any]]:
        """Who spoke with whom, seen where, how often."""
        plan = Aggregate(Scan(TABLE, time=time), tuple(Named(name, Ref(name)) for name in _ENDS), (Fold("n", "count"),))
        table = await store.execute(Limit(Sort(plan, (SortKey("n", descending=True),)), _MOST_NAMES))
        return table.to_pylist()  # type: ignore[no-any-return]  # pyarrow has no types

    async def operations(self, store: Store, time: TimeRange, service: str) -> list[str]:
        """What a service is asked."""
        keys = tuple(Named(name, Ref(name)) for name in ("request_type", "endpoint"))
        source = Scan(TABLE, time=time)
        filtered: Plan = Filter(source, service_condition("=", service)) if service else source
        plan = Aggregate(filtered, keys, (Fold("n", "count"),))
        table = await store.execute(Limit(Sort(plan, (SortKey("n", descending=True),)), _MOST_NAMES))
        found = (" ".join(filter(None, (row["request_type"], row["endpoint"]))) for row in table.to_pylist())
        return sorted(set(filter(None, found)))

    async def values(self, store: Store, time: TimeRange, name: str, most: int = 1000) -> list[Any]:
        """Values of an attribute, the most frequent first; empty for an attribute that is no column.

        :param name: without its scope.
        """
        table = self._catalog.table(TABLE)
        column = KNOWN.get(name, name)
        if column not in table.by_name and column not in KNOWN.values():
            column = f"attribute.{name}"
        plan = Aggregate(Scan(TABLE, time=time), (Named("value", Ref(column)),), (Fold("n", "count"),))
        answer = await store.execute(Limit(Sort(plan, (SortKey("n", descending=True),)), most))
        found = [value for value in answer.column("value").to_pylist() if value not in (None, "", 0)]
        if column == "l7_protocol":
            names = {int(member.value): member.name for member in self._catalog.enum("l7_protocol").members}
            found = [names.get(value, str(value)) for value in found]
        return found

    async def calls(self, store: Store, time: TimeRange) -> list[tuple[str, str, int]]:
        """Which service asks which, and how often. Each server's calls are counted at one place only, the nearest to its process."""
        rows = [row for row in await self._ends(store, time) if row["observation_point"] in PATH]
        known = _Aliases(rows)
        nearest: dict[tuple[str, int], int] = {}
        for row in rows:
            server = (row["ip_1"], row["server_port"])
            nearest[server] = max(nearest.get(server, 0), PATH.index(row["observation_point"]))
        found: dict[tuple[str, str], int] = {}
        for row in rows:
            if nearest[row["ip_1"], row["server_port"]] == PATH.index(row["observation_point"]):
                pair = (known.client(row), known.server(row))
                found[pair] = found.get(pair, 0) + row["n"]
        return [(one, other, count) for (one, other), count in sorted(found.items())]


class _Aliases:
    """Names of addresses, from those rows that know them: only the process's own rows carry its name."""

    def __init__(self, rows: Iterable[dict[str, Any]]) -> None:
        self._servers: dict[tuple[str, int], set[str]] = {}
        self._clients: dict[str, set[str]] = {}
        for row in rows:
            server, client = _name(row, 1), _name(row, 0)
            if server:
                self._servers.setdefault((row["ip_1"], row["server_port"]), set()).add(server)
                self._clients.setdefault(row["ip_1"], set()).add(server)
            if client:
                self._clients.setdefault(row["ip_0"], set()).add(client)

    def server(self, row: dict[str, Any]) -> str:
        """Name of the server; its address when it has none or several."""
        names = self._servers.get((row["ip_1"], row["server_port"]), set())
        address = _address(row["ip_1"])
        return _name(row, 1) or (
            next(iter(names)) if len(names) == 1 else f"{address}:{row['server_port']}" if address else ""
        )

    def client(self, row: dict[str, Any]) -> str:
        """Name of the client; its address when it has none or several."""
        names = self._clients.get(row["ip_0"], set())
        return _name(row, 0) or (next(iter(names)) if len(names) == 1 else _address(row["ip_0"]))


def _name(row: dict[str, Any], end: int) -> str:
    for column in (f"auto_service_{end}", f"auto_instance_{end}", f"process_kname_{end}"):
        value = row[column]
        if value and value != row[f"ip_{end}"]:
            return str(value)
    return ""


def _address(text: str) -> str:
    return "" if text in ("0.0.0.0", "::") else text  # noqa: S104 - what rows hold where there is no address


def _wide(plan: Plan) -> Plan:
    return Project(plan, tuple(Named(name, Ref(name)) for name in (*COLUMNS, *TAGS)))


def _summary(name: str, spans: Iterable[Span], matched: list[Span]) -> Summary:
    listed = list(spans)
    root = min(listed, key=lambda span: (span.start_us, -span.duration_us, span.rank))
    return Summary(
        name, root, tuple(matched), min(span.start_us for span in listed), max(span.end_us for span in listed)
    )


def shown_service(span: Span) -> str:
    """The service that a row is shown as, by itself."""
    end = side(span.point)
    address = span.client if end == 0 else span.server
    return end_name(span, end) or (f"{address.ip}:{address.port}" if end else address.ip) or "unknown"


def root_service(span: Span) -> str:
    """Whom the first request of a trace was for."""
    return (
        end_name(span, 1) or (f"{span.server.ip}:{span.server.port}" if span.server.ip else "") or shown_service(span)
    )


def all_of(parts: Iterable[Expr]) -> Expr:
    """Every one of some predicates; true when there are none."""
    listed = tuple(parts)
    if not listed:
        return Compare("=", Literal(1), Literal(1))
    return listed[0] if len(listed) == 1 else And(listed)
