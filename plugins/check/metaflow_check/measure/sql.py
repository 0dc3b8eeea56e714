"""Checks that ask in SQL: the captures are read into memory, and every question is put to that."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from metaflow_check.expect.load import Expectation
from metaflow_check.expect.models import Query
from metaflow_check.measure.compare import read_comparison
from metaflow_check.measure.verdict import Verdict
from metaflow_core import SyncApp
from metaflow_core.api import Kind
from metaflow_core.config import read_document
from metaflow_core.errors import ConfigError, MetaFlowError, Problem, QueryError, UnavailableError
from metaflow_core.sdk import open_host

__all__ = ["ask"]

_EXAMPLES = 5
_NEEDED = ((Kind.STORAGE, "memory"), (Kind.DIALECT, "sql"), (Kind.COLLECTOR, "pcap"))


def ask(checks: Sequence[tuple[Expectation, Query]], files: Sequence[str], capture_filter: str | None) -> list[Verdict]:
    """Answer every question.

    :raises ConfigError: a question is wrong, with the place of it. :raises UnavailableError: a plugin is missing.
    """
    host = open_host(read_document({}), autoload=True)
    for kind, name in _NEEDED:
        if name not in host.factories(kind):
            raise UnavailableError(
                f"a check asks in SQL, which needs the {kind.value} {name!r}; run: pip install metaflow-{kind.value}-{name}"
            )
    config: dict[str, Any] = {
        "collectors": {"pcap": {"files": list(files), **({"filter": capture_filter} if capture_filter else {})}},
        "storages": {"memory": {"max_bytes": None}},
        "dialects": {"sql": {}},
        "pipelines": {"check": {"collectors": ["pcap"], "parsers": ["*"], "storages": ["memory"]}},
    }
    problems: list[Problem] = []
    verdicts: list[Verdict] = []
    with SyncApp(config, autoload=True) as app:
        app.wait()
        for check, options in checks:
            try:
                rows = app.query("sql", options.sql).table.to_pylist()
            except QueryError as error:
                problems.append(check.problem(str(error)))
            except MetaFlowError as error:
                raise UnavailableError(f"{check.place}: the question cannot be answered: {error}") from error
            else:
                verdicts.append(_judge(check, options, rows))
    if problems:
        raise ConfigError(problems)
    return verdicts


def _judge(check: Expectation, options: Query, rows: Sequence[Mapping[str, Any]]) -> Verdict:
    wanted: list[str] = []
    passed = True
    lines: list[str] = []
    found = f"{len(rows)} rows"
    if options.rows is not None:
        comparison = read_comparison(options.rows)
        wanted.append(f"rows {comparison.text}")
        passed = comparison.holds(len(rows))
        lines.extend(_line(row) for row in rows)
    if options.rows is None or "value" in options.model_fields_set:
        comparison = read_comparison(options.value)
        wanted.append(f"value {comparison.text}")
        bad = [row for row in rows if not _holds(comparison, next(iter(row.values()), None))]
        passed = passed and not bad
        lines = [_line(row) for row in bad] or lines
        if len(rows) == 1:
            found = _line(rows[0])
        if not rows and options.rows is None:
            passed, found = False, "no rows, so nothing was checked; say rows: '= 0' when that is what is wanted"
    examples = () if passed else tuple(lines[:_EXAMPLES])
    return Verdict(check.kind, check.name, check.file, check.line, passed, " and ".join(wanted), found, examples)


def _holds(comparison: Any, value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
        return False
    return bool(comparison.holds(float(value)))


def _line(row: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {value:.6g}" if isinstance(value, float) else f"{name} {value}" for name, value in row.items()
    )
