"""Captures and expectations in, verdicts out; one pass over the captures, and a second one when something asks in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from metaflow_check.baseline import read_baseline
from metaflow_check.expect.ends import Names
from metaflow_check.expect.load import Expectation, Expectations
from metaflow_check.expect.models import (
    Connections,
    Edges,
    ErrorRatio,
    Errors,
    Latency,
    Protocols,
    Query,
    Requests,
    Retransmissions,
)
from metaflow_check.measure.connections import ConnectionMeasure
from metaflow_check.measure.edges import Called, Edge, EdgeMeasure, ProtocolMeasure
from metaflow_check.measure.requests import RequestMeasure
from metaflow_check.measure.verdict import Measure, Verdict
from metaflow_core import Capture
from metaflow_core.errors import ConfigError, Problem, QueryError
from metaflow_core.model.catalog import Catalog

__all__ = ["Outcome", "run"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Every verdict, and the edges that there are."""

    verdicts: tuple[Verdict, ...]
    edges: Mapping[Edge, int]

    @property
    def failed(self) -> int:
        """How many checks failed."""
        return sum(not each.passed for each in self.verdicts)


def run(capture: Capture, expected: Expectations, capture_filter: str | None = None) -> Outcome:
    """Measure everything.

    :raises ConfigError: a condition, a question or a baseline is wrong; found before the captures are read where it can be.
    """
    called = Called()
    problems: list[Problem] = []
    measures: dict[int, Measure] = {}
    for index, check in enumerate(expected.checks):
        if isinstance(check.options, Query):
            continue
        try:
            measures[index] = _measure(check, expected.names, capture.catalog, called)
        except ConfigError as error:
            problems.extend(error.problems)
        except QueryError as error:
            problems.append(replace(check.problem(str(error)), path=f"{check.kind}.where"))
    if problems:
        raise ConfigError(problems)
    takers: list[Measure | Called] = [called, *measures.values()]
    for batch in capture.stream_all():
        for taker in takers:
            if taker.table == batch.table:
                taker.take(batch.data)
    verdicts = {index: measure.verdict() for index, measure in measures.items()}
    verdicts.update(_asked(expected.checks, capture.paths, capture_filter))
    return Outcome(tuple(verdicts[index] for index in sorted(verdicts)), called.edges(expected.names))


def _measure(check: Expectation, names: Names, catalog: Catalog, called: Called) -> Measure:
    match check.options:
        case Errors() | ErrorRatio() | Latency() | Requests() as options:
            return RequestMeasure(check, options, names, catalog)
        case Edges() as options:
            baseline = None
            if options.baseline is not None:
                # beside the file that names it, as everything in a configuration
                path = Path(check.file).parent / options.baseline
                baseline = read_baseline(path, check.problem(""))
            return EdgeMeasure(check, options, names, called, baseline)
        case Protocols() as options:
            return ProtocolMeasure(check, options, called)
        case Retransmissions() | Connections() as options:
            return ConnectionMeasure(check, options, names, catalog)
    raise AssertionError(check.kind)


def _asked(checks: Sequence[Expectation], files: Sequence[str], capture_filter: str | None) -> dict[int, Verdict]:
    questions = [(index, each, each.options) for index, each in enumerate(checks) if isinstance(each.options, Query)]
    if not questions:
        return {}
    if "-" in files:
        where = questions[0][1].problem("standard input can be read only once; give the capture as a file")
        raise ConfigError([where])
    from metaflow_check.measure.sql import ask

    verdicts = ask([(check, options) for _, check, options in questions], files, capture_filter)
    return {index: verdict for (index, _, _), verdict in zip(questions, verdicts, strict=True)}
