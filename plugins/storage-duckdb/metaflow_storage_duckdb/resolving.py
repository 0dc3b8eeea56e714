"""Names for ids as SQL: left joins with the dictionary, one a tag."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import pyarrow as pa

from metaflow_core.model.expression import parse_expression
from metaflow_core.query import Resolution
from metaflow_storage_duckdb import literals
from metaflow_storage_duckdb.expressions import condition
from metaflow_storage_duckdb.native import function_for
from metaflow_storage_duckdb.relation import Names, Relation
from metaflow_storage_duckdb.rowfunctions import ip4_text, ip6_text
from metaflow_storage_duckdb.schema import NAMES_TABLE, SERIES_TABLE
from metaflow_storage_duckdb.values import Value

__all__ = ["resolve"]


def resolve(
    outputs: tuple[Resolution, ...], source: Relation, names: Names, moment: str, series: Collection[str]
) -> Relation:
    """The relation with a column of texts for every tag.

    :param moment: the second whose names are shown: SQL over the relation, or a number. :param series: dictionaries of labels.
    """
    columns = dict(source.columns)
    selected = list(source.names())
    joins: list[str] = []
    for number, each in enumerate(outputs):
        alias = f"d{number}"
        inner = names.new()
        text, join = _one(each, source, alias, moment, series)
        selected.append(f"{text} AS {inner}")
        joins += [join] if join else []
        columns[each.name] = Value(inner, pa.utf8())
    sql = f"SELECT {', '.join(selected)} FROM {source.from_()}{''.join(joins)}"
    return replace(source, sql=sql, columns=columns, natural=source.natural and not joins)


def _one(wanted: Resolution, source: Relation, alias: str, moment: str, series: Collection[str]) -> tuple[str, str]:
    tag = wanted.tag
    if tag.kind == "ip":
        return _address(tag.key, source), ""
    ids = [name for name in tag.key if name.removesuffix(f"_{tag.end}").endswith("_id")]
    value = source.columns[ids[0] if tag.kind == "map" else ids[-1]]
    number = value.sql
    # The dictionary's name is one of the catalogue; it is quoted all the same.
    join = (
        f" LEFT JOIN {SERIES_TABLE if tag.dictionary in series else NAMES_TABLE} AS {alias} "
        f"ON {alias}.dictionary = {literals.text(tag.dictionary)} AND {alias}.id = {_word(value)}"
    )
    if tag.dictionary not in series:
        join += f" AND {alias}.valid_from <= {moment} AND {alias}.valid_to > {moment}"
    if tag.kind == "map":
        text = f"COALESCE({alias}.name, '')"
        if wanted.key:
            text = f"{function_for('map_key')}({text}, {literals.text(wanted.key)})"
        return text, join
    # An id that nobody named is shown as a number; 0 stands for no resource.
    shown = f"COALESCE({alias}.name, CASE WHEN {number} <> 0 THEN CAST({number} AS VARCHAR) END, '')"
    if tag.when:
        shown = f"CASE WHEN {condition(parse_expression(tag.when), source.columns)} THEN {shown} ELSE '' END"
    if len(tag.key) > 2:
        # The owner of an address that belongs to nothing known is the address itself.
        shown = f"CASE WHEN {shown} = '' AND {number} = 0 THEN {_address(tag.key[-3:], source)} ELSE {shown} END"
    return shown, join


def _word(value: Value) -> str:
    """A number as the 64 bits that names are kept under."""
    if not pa.types.is_signed_integer(value.type):
        return f"CAST({value.sql} AS UBIGINT)"
    return f"CAST(CAST({value.sql} AS HUGEINT) + CASE WHEN {value.sql} < 0 THEN 18446744073709551616 ELSE 0 END AS UBIGINT)"


def _address(key: tuple[str, ...], source: Relation) -> str:
    four, six, family = (source.columns[name].sql for name in key)
    return f"CASE WHEN {family} THEN {ip4_text(four)} ELSE {ip6_text(six)} END"
