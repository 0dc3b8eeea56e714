"""From a question to a plan."""

from __future__ import annotations

from dataclasses import replace

from metaflow_core.errors import QueryError, QuerySyntaxError
from metaflow_core.model.expression import Expr, Literal, Ref, rewrite
from metaflow_core.query import (
    Aggregate,
    Fill,
    Filter,
    Fold,
    Limit,
    Named,
    Plan,
    Project,
    Scan,
    SemiJoin,
    Sort,
    SortKey,
    TimeRange,
)
from metaflow_dialect_sql.question import INTERVAL, Question
from metaflow_dialect_sql.timerange import aligned

__all__ = ["bounds_plan", "question_plan"]


def bounds_plan(question: Question) -> Plan:
    """The first and last moment of the rows that a question is about: ``low`` and ``high``."""
    time = Ref(question.fields.table.time)
    return Aggregate(_rows(question, None), (), (Fold("low", "min", time), Fold("high", "max", time)))


def question_plan(question: Question, span: TimeRange | None, rows: int) -> Plan:
    """The plan.

    :param span: the whole range of time, where it is known. :param rows: how many rows are asked of the storage.
    :raises QueryError: it needs the range of time and there is none.
    """
    table = question.fields.table
    if span is not None:
        span = aligned(span, table.interval_s)
    source = _rows(question, span)
    plan: Plan = source
    if question.keys is not None:
        plan = Aggregate(source, tuple(Named(name, key) for name, key in question.keys), question.folds)
        if question.series is not None:
            plan = _best_series(question, source, plan, span)
        if question.having is not None:
            plan = Filter(plan, _measured(question.having, question, span))
    columns = [
        Named(item.output.name, _measured(item.expression, question, span))
        for item in (*question.items, *question.hidden)
    ]
    plan = Project(plan, tuple(columns))
    if question.bucket is not None and question.bucket.fill != "none":
        plan = _filled(question, plan, span)
    if question.derivatives:
        return plan
    if question.order:
        plan = Sort(plan, tuple(SortKey(each.name, each.descending) for each in question.order))
    plan = Limit(plan, rows, question.offset)
    if question.hidden:
        plan = Project(plan, tuple(Named(item.output.name, Ref(item.output.name)) for item in question.items))
    return plan


def _rows(question: Question, span: TimeRange | None) -> Plan:
    scan: Plan = Scan(question.fields.table.name, time=span or question.span.range())
    return scan if question.where is None else Filter(scan, question.where)


def _measured(expression: Expr, question: Question, span: TimeRange | None) -> Expr:
    """With the length of an interval in its place."""

    def change(node: Expr) -> Expr:
        if node != Ref(INTERVAL):
            return node
        seconds = question.seconds(span)
        if not seconds:
            raise QueryError("Time_interval needs buckets, time(time, 60) in GROUP BY, or a range of time in WHERE")
        return Literal(seconds)

    return rewrite(expression, change)


def _best_series(question: Question, source: Plan, plan: Plan, span: TimeRange | None) -> Plan:
    series = question.series
    assert series is not None
    keys = [(name, key) for name, key in question.keys or () if name != question.bucket_key]
    if not keys:
        raise QuerySyntaxError("SLIMIT keeps series, so something else than time must be grouped by")
    whole = replace(question, bucket=None)
    totals: Plan = Aggregate(source, tuple(Named(name, key) for name, key in keys), question.folds)
    named = tuple(Named(name, Ref(name)) for name, _ in keys)
    best = Project(totals, (*named, Named("series", _measured(series.expression, whole, span))))
    chosen = Limit(Sort(best, (SortKey("series", series.descending),)), series.count)
    return SemiJoin(plan, tuple(name for name, _ in keys), Project(chosen, named))


def _filled(question: Question, plan: Plan, span: TimeRange | None) -> Plan:
    bucket = question.bucket
    assert bucket is not None
    if span is None:
        raise QueryError("filling needs a range of time in WHERE")
    names = {getattr(item.expression, "name", ""): item.output.name for item in (*question.items, *question.hidden)}
    second = 1_000_000_000
    step = bucket.step_s
    start = (span.start_ns // second - bucket.offset_s) // step * step + bucket.offset_s
    end = -(-(span.end_ns // second - bucket.offset_s) // step) * step + bucket.offset_s
    others = tuple(names[name] for name, _ in question.keys or () if name != question.bucket_key)
    value = 0 if bucket.fill == "0" else None
    return Fill(plan, names[question.bucket_key], step, start, end, others, value)
