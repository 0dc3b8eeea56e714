"""Names for ids, as they were valid at the row's time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from metaflow_core.model.expression import parse_expression
from metaflow_core.query import Resolution, Resolve, TimeRange
from metaflow_storage_clickhouse.sql.addresses import address_text
from metaflow_storage_clickhouse.sql.expressions import condition
from metaflow_storage_clickhouse.sql.quote import literal, text
from metaflow_storage_clickhouse.sql.relation import Relation
from metaflow_storage_clickhouse.sql.typed import Typed, raw

__all__ = ["NameSource", "epochs", "resolved"]


class NameSource(Protocol):
    """What the compiler must know of dictionaries."""

    def known(self, dictionary: str) -> str:
        """The dictionary's name in ClickHouse; empty where nothing was ever learnt."""
        ...

    def timeless(self, dictionary: str) -> bool:
        """Whether it is asked with a number alone."""
        ...

    def changes(self, dictionaries: Sequence[str], span: TimeRange | None) -> tuple[int, ...]:
        """Seconds at which a name in one of the dictionaries changed, inside of the span, in order."""
        ...


def epochs(moment: Typed, changes: Sequence[int]) -> Typed:
    """The last change at or before a row's time, in seconds."""
    starts = ", ".join(literal(each) for each in (0, *changes))
    return Typed(f"roundDown({_seconds(moment)}, [{starts}])", "i64")


def _seconds(moment: Typed) -> str:
    """Seconds of a row's time; an epoch is seconds already."""
    if moment.family != "time":
        return moment.sql
    whole = raw(moment).sql
    return whole if moment.per_second == 1 else f"intDiv({whole}, {moment.per_second})"


def resolved(node: Resolve, relation: Relation, source: NameSource, changes: Sequence[int], second: int) -> Relation:
    """The relation with a text for every tag.

    :param changes: when names changed; :param second: a moment to look up at when none did.
    """
    at = literal(second)
    if changes and relation.moment is not None:
        at = _seconds(relation.moment)
    added = {each.name: _one(each, relation, source, at) for each in node.outputs}
    return replace(relation, columns={**relation.columns, **added})


def _one(wanted: Resolution, relation: Relation, source: NameSource, at: str) -> Typed:
    tag, columns = wanted.tag, relation.columns
    if tag.kind == "ip":
        return _address(tag.key, relation)
    ids = [name for name in tag.key if name.removesuffix(f"_{tag.end}").endswith("_id")]
    dictionary = source.known(tag.dictionary)
    if source.timeless(tag.dictionary):
        at = ""
    if tag.kind == "map":
        held = _looked_up(dictionary, columns[ids[0]].sql, "''", at)
        return Typed(_map_value(held, wanted.key), "string")
    key = columns[ids[-1]].sql
    # An id that nobody named is shown as a number; 0 stands for no resource.
    name = _looked_up(dictionary, key, f"if(equals({key}, 0), '', toString({key}))", at)
    if tag.when:
        test = condition(parse_expression(tag.when), columns)
        name = f"if({f'ifNull({test.sql}, false)' if test.nullable else test.sql}, {name}, '')"
    if len(tag.key) > 2:
        # The owner of an address that belongs to nothing known is the address itself.
        name = f"if(and(equals({key}, 0), empty({name})), {_address(tag.key[-3:], relation).sql}, {name})"
    return Typed(name, "string")


def _looked_up(dictionary: str, key: str, default: str, at: str) -> str:
    if not dictionary:
        return default
    keys = f"toUInt64({key}), {at}" if at else f"toUInt64({key})"
    return f"dictGetOrDefault({text(dictionary)}, 'name', {keys}, {default})"


def _map_value(held: str, key: str) -> str:
    """A map is learnt as a JSON object; one key of it, or all."""
    if not key:
        return held
    value = f"JSONExtractRaw({held}, {text(key)})"
    return f"if(startsWith({value}, '\"'), JSONExtractString({held}, {text(key)}), {value})"


def _address(key: tuple[str, ...], relation: Relation) -> Typed:
    four, six, family = (relation.columns[name] for name in key)
    return Typed(f"if({family.sql}, {address_text(four).sql}, {address_text(six).sql})", "string")
