"""Prepares an :class:`~metaflow_core.query.plan.Aggregate`: binds its keys and folds, lowers its measures, puts the layers together."""

from __future__ import annotations

from metaflow_core.errors import QueryError
from metaflow_core.model.expression import Call, Expr, Literal, Ref, references
from metaflow_core.query.bind import bind
from metaflow_core.query.functions import FOLDS
from metaflow_core.query.lower import Lowered, lower_measure
from metaflow_core.query.plan import Aggregate, Combine, Fold, Measure, Named, Plan, Project
from metaflow_core.query.scope import Scope, family_of

__all__ = ["prepare_aggregate"]


def prepare_aggregate(node: Aggregate, source: Plan, scope: Scope) -> tuple[Plan, Scope]:
    """The aggregate over an input that is prepared already, with folds only; and what it offers.

    :raises QueryError: a name is used twice, or a function makes no sense.
    """
    names = [each.name for each in (*node.keys, *node.measures)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise QueryError(f"two columns of the result are named {twice!r}")
    keys = tuple(Named(key.name, bind(key.expression, scope)) for key in node.keys)
    seconds = _bucket_seconds(keys) or scope.time_s
    folds: list[Fold] = []
    lowered: dict[str, Lowered] = {}
    for measure in node.measures:
        if isinstance(measure, Measure):
            lowered[measure.name] = lower_measure(measure, scope, seconds)
        else:
            folds.append(_bind_fold(measure, scope))
    flat = [*folds, *(fold for each in lowered.values() if each.inner is None for fold in each.folds)]
    layered = [each for each in lowered.values() if each.inner is not None]
    plan = _layers(source, keys, flat, layered, scope)
    families = _families(keys, flat, layered, scope)
    results = [
        Named(name, lowered[name].result if name in lowered else Ref(name)) for name in (m.name for m in node.measures)
    ]
    outputs = (*(Named(key.name, Ref(key.name)) for key in keys), *results)
    out = Scope(scope.catalog, {each.name: family_of(each.expression, families) for each in outputs}, {})
    for key in keys:
        if isinstance(key.expression, Ref) and key.expression.name in scope.columns:
            out.columns[key.name] = scope.columns[key.expression.name]
        elif isinstance(key.expression, Call) and key.expression.name == "bucket":
            moment = references(key.expression)
            if moment and moment[0] in scope.columns:
                out.columns[key.name] = scope.columns[moment[0]]
    if lowered:
        plan = Project(plan, outputs)
    return plan, out


def _bind_fold(fold: Fold, scope: Scope) -> Fold:
    if fold.op not in FOLDS:
        raise QueryError(f"there is no fold {fold.op!r}; there are {', '.join(FOLDS)}")
    argument = None if fold.argument is None else bind(fold.argument, scope)
    if fold.op == "last" and fold.parameters:
        bind(Ref(str(fold.parameters[0])), scope)
    return Fold(fold.name, fold.op, argument, fold.parameters, None if fold.where is None else bind(fold.where, scope))


def _bucket_seconds(keys: tuple[Named, ...]) -> float | None:
    for key in keys:
        match key.expression:
            case Call("bucket", (_, Literal(int() as step), *_)):
                return float(step)
    return None


def _layers(source: Plan, keys: tuple[Named, ...], flat: list[Fold], layered: list[Lowered], scope: Scope) -> Plan:
    """One aggregate, or two on top of each other where something must be summed per interval first."""
    if not layered:
        return Aggregate(source, keys, tuple(flat))
    assert scope.table is not None
    scope.used[scope.table.time] = None
    inner_keys = (*keys, Named("#time", Ref(scope.table.time)))
    inner = [each.inner for each in layered if each.inner is not None]
    outer_keys = tuple(Named(key.name, Ref(key.name)) for key in keys)
    outer = [fold for each in layered for fold in each.folds]
    mergeable = all(FOLDS[fold.op].merge for fold in flat)
    if mergeable:
        merged = [Fold(fold.name, FOLDS[fold.op].merge, Ref(fold.name)) for fold in flat]
        below = Aggregate(source, inner_keys, (*inner, *flat))
        return Aggregate(below, outer_keys, (*outer, *merged))
    upper = Aggregate(Aggregate(source, inner_keys, tuple(inner)), outer_keys, tuple(outer))
    return Combine((upper, Aggregate(source, keys, tuple(flat))), tuple(key.name for key in keys))


def _families(keys: tuple[Named, ...], flat: list[Fold], layered: list[Lowered], scope: Scope) -> dict[str, str]:
    out = {key.name: family_of(key.expression, scope.families) for key in keys}
    for fold in flat:
        out[fold.name] = _fold_family(fold, scope.families)
    for each in layered:
        assert each.inner is not None
        inner = {**scope.families, each.inner.name: _fold_family(each.inner, scope.families), "#time": "time"}
        out.update((fold.name, _fold_family(fold, inner)) for fold in each.folds)
    return out


def _fold_family(fold: Fold, families: dict[str, str]) -> str:
    result = FOLDS[fold.op].result
    argument: Expr | None = fold.argument
    return family_of(argument, families) if result == "same" and argument is not None else result
