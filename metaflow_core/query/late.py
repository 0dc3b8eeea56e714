"""Resolves tags after grouping instead of before: group by ids, resolve the few groups, group again by name.

Measured in the reference (``storage-and-query.md`` section 4): 33 ms against 900 ms for five tags over five million rows. The second
grouping matters: two ids may share one name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from metaflow_core.model.catalog.values import Tag
from metaflow_core.model.expression import Expr, Ref, parse_expression, references
from metaflow_core.query.functions import FOLDS
from metaflow_core.query.plan import Aggregate, Combine, Filter, Fold, Named, Plan, Resolve, Scan, SemiJoin

__all__ = ["late", "needed"]


def late(plan: Plan, changed: Callable[[Resolve], bool] = lambda _: False) -> Plan:
    """A prepared plan with every ``Aggregate`` over a ``Resolve`` turned round where the result stays the same.

    :param changed: whether names that a node resolves changed within the time that it reads. Groups have no time, so such a node is
        left above the rows. A storage that tells groups of different times apart by itself passes nothing.

    That is where the resolved tags are keys and nothing else, and every fold can be merged from partial results. Other plans come
    out as they are. A storage whose folds have mergeable states may go further than this.
    """
    match plan:
        case Aggregate(source, keys, folds):
            turned = _turn(plan, changed)
            return turned if turned is not None else Aggregate(late(source, changed), keys, folds)
        case _:
            return _inside(plan, changed)


def _inside(plan: Plan, changed: Callable[[Resolve], bool]) -> Plan:
    match plan:
        case Combine(many, keys):
            return Combine(tuple(late(each, changed) for each in many), keys)
        case SemiJoin(source, keys, other):
            return SemiJoin(late(source, changed), keys, late(other, changed))
        case Scan():
            return plan
        case _:
            return replace(plan, input=late(plan.input, changed))


def _turn(aggregate: Aggregate, changed: Callable[[Resolve], bool]) -> Plan | None:
    filters: list[Expr] = []
    source = aggregate.input
    while isinstance(source, Filter):
        filters.append(source.predicate)
        source = source.input
    if not isinstance(source, Resolve) or isinstance(source.input, Aggregate) or changed(source):
        return None
    resolved = {each.name: each for each in source.outputs}
    folds = [fold for fold in aggregate.measures if isinstance(fold, Fold)]
    elsewhere = [*filters, *(f.argument for f in folds if f.argument), *(f.where for f in folds if f.where)]
    plain: list[Named] = []
    for key in aggregate.keys:
        if not (isinstance(key.expression, Ref) and key.expression.name in resolved):
            plain.append(key)
            elsewhere.append(key.expression)
    if any(name in resolved for expression in elsewhere for name in references(expression)):
        return None
    if len(folds) != len(aggregate.measures) or not all(FOLDS[fold.op].merge for fold in folds):
        return None
    below: Plan = source.input
    for predicate in reversed(filters):
        below = Filter(below, predicate)
    ids = dict.fromkeys(name for each in source.outputs for name in needed(each.tag))
    if ids.keys() & {key.name for key in plain if key.expression != Ref(key.name)}:
        return None
    own = {key.name for key in plain}
    by_id = Aggregate(below, (*plain, *(Named(name, Ref(name)) for name in ids if name not in own)), tuple(folds))
    again = tuple(key if key not in plain else Named(key.name, Ref(key.name)) for key in aggregate.keys)
    merged = tuple(Fold(fold.name, FOLDS[fold.op].merge, Ref(fold.name)) for fold in folds)
    return Aggregate(Resolve(by_id, source.outputs), again, merged)


def needed(tag: Tag) -> tuple[str, ...]:
    """The columns that a tag's text depends on. The kind of an owner is for who reads its number: names are by number alone."""
    key = tag.key[1:] if tag.kind == "resource" and len(tag.key) > 2 else tag.key
    return (*key, *(references(parse_expression(tag.when)) if tag.when else ()))
