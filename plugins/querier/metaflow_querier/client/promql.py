"""``mflow query --promql``: what is asked, of a server's API or in this process, and how ranges are shown."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from metaflow_core.api import QueryResult
from metaflow_core.errors import QueryError, UnavailableError
from metaflow_querier.client.plot import Series, plot_lines

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ask_api", "parameters", "show_plot"]

_POINTS = 120


def parameters(at: str | None, start: str | None, end: str | None, step: str | None) -> dict[str, Any]:
    """The dialect's parameters: a moment, or a range with a step that gives about so many points as a terminal is wide."""
    if start is None and end is None and step is None:
        return {"time": at} if at is not None else {}
    now = time.time()
    first, last = _moment(start, now, now - 3600), _moment(end, now, now)
    return {"start": first, "end": last, "step": step or max(1, round((last - first) / _POINTS))}


def _moment(text: str | None, now: float, default: float) -> float:
    """Seconds since 1970; ``-30m`` is so long ago, ``now`` is now."""
    from datetime import UTC, datetime

    import click

    if text is None:
        return default
    if text == "now":
        return now
    units = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
    try:
        if text.startswith("-") and text[-1] in units:
            return now - float(text[1:-1]) * units[text[-1]]
        return float(text)
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(
            f"{text!r} is no time; write -30m, 2026-11-21T06:00:00Z or seconds since 1970."
        ) from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def ask_api(url: str, token: str | None, text: str, params: Mapping[str, Any], timeout_s: float) -> QueryResult:
    """Asks the PromQL API of a server.

    :raises QueryError: with what the server said. :raises UnavailableError: it cannot be asked.
    """
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    base = url.rstrip("/").removesuffix("/v1/query")
    base = base if "://" in base else f"http://{base}"
    place = f"{base}/prom/api/v1/{'query_range' if 'step' in params else 'query'}"
    headers = {"authorization": f"Bearer {token}"} if token else {}
    body = urlencode({"query": text, "timeout": f"{timeout_s}s", **params}).encode()
    try:
        with urlopen(Request(place, body, headers), timeout=timeout_s + 10) as answer:  # noqa: S310 - http and https only
            document = json.load(answer)
    except HTTPError as error:
        try:
            said = json.load(error).get("error")
        except (ValueError, AttributeError):
            said = None
        if said is None:
            raise UnavailableError(
                f"{place}: answered with status {error.code}; is there a service prometheus_api?"
            ) from None
        raise QueryError(str(said)) from None
    except (URLError, OSError, ValueError) as error:
        raise UnavailableError(f"{place}: cannot be asked: {getattr(error, 'reason', error)}") from None
    data = document["data"]
    warnings = tuple(document.get("warnings", ())) + tuple(document.get("infos", ()))
    return QueryResult(table=_table(data), kind=data["resultType"], warnings=warnings)


def _table(data: Mapping[str, Any]) -> pa.Table:
    """Rows as the dialect gives them: a column a label, one row a sample."""
    import pyarrow as pa

    kind, result = data["resultType"], data["result"]
    if kind == "string":
        return pa.table({"value": [result[1]]})
    rows = (
        [({}, [result])]
        if kind == "scalar"
        else [(each["metric"], each.get("values") or [each["value"]]) for each in result]
    )
    names = sorted({name for labels, _ in rows for name in labels} - {"time", "value"})
    points = [(labels, at, value) for labels, values in rows for at, value in values]
    columns: dict[str, Any] = {
        "time": pa.array([round(at * 1000) for _, at, _ in points], pa.int64()).cast(pa.timestamp("ms", "UTC"))
    }
    for name in names:
        columns[name] = pa.array([labels.get(name, "") for labels, _, _ in points], pa.utf8())
    columns["value"] = pa.array([float(value.replace("Inf", "inf")) for _, _, value in points], pa.float64())
    return pa.table(columns)


def show_plot(result: QueryResult, *, colour: bool) -> bool:
    """Draws a range; tells whether there was one to draw."""
    if result.kind != "matrix" or not result.table.num_rows:
        return False
    series: dict[str, list[tuple[float, float]]] = {}
    labels = [name for name in result.table.column_names if name not in ("time", "value")]
    for row in result.table.to_pylist():
        name = ", ".join(f"{label}={row[label]}" for label in labels if row[label]) or "value"
        series.setdefault(name, []).append((row["time"].timestamp(), row["value"]))
    drawn: list[Series] = list(series.items())
    for sentence in result.warnings:
        print(f"mflow: {sentence}.", file=sys.stderr)
    for line in plot_lines(drawn, colour=colour):
        print(line)
    return True
