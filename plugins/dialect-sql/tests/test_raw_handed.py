"""Since version 26 ClickHouse takes a function by its name alone: ``arrayMap(file, ['/etc/passwd'])``."""

from __future__ import annotations

import json
from typing import Any

import pytest
from metaflow_dialect_sql.config import SqlConfig
from metaflow_dialect_sql.raw import checked_raw, checked_statement
from metaflow_dialect_sql.raw.allowed import is_function, takes_function

from metaflow_core.errors import QuerySyntaxError
from metaflow_core.model.catalog import load_catalog

CATALOG = load_catalog()


def checked(call: str) -> str:
    return checked_statement(
        f"SELECT {call} FROM flow_log.l7_flow_log", CATALOG, SqlConfig(), variables={"f": "file"}
    ).text


@pytest.mark.parametrize(
    "call",
    ["arrayMap(file, ['/etc/hostname'])", "arrayMap(`file`, x)", 'arrayMap("file", x)', "arrayMap((file), x)", "arrayMap(((file) AS g), x)",
     "arrayMap(file AS g, x)", "arrayMap(file g, x)", "arrayMap /* */ (file, x)", "`arrayMap`(file, x)", "ARRAYMAP(file, x)", "arraySort(file, x, y)",
     "arrayMap({f:Identifier}, x)", "mapApply(file, x)", "arrayMap(getSetting, x)", "arrayFilter(x -> arrayExists(file, y), z)",
     "arrayMap(hasAny, x, y)", "arrayMap(accurateCast, x, y)", "arrayMap(dictGet, x, y, z)"],
)  # fmt: skip
def test_a_function_that_may_not_be_called_is_not_handed_over(call: str) -> None:
    with pytest.raises(QuerySyntaxError, match=r"column \d+: \w+ would call '\w+', which is not among"):
        checked(call)


@pytest.mark.parametrize(
    "call",
    ["arrayMap(lower, a)", "arrayMap(x -> file, a)", "arrayMap((x, y) -> x, a, b)", "arrayMap((x) -> x, a)", "arraySum(file)", "arraySum((file))",
     "arrayMap(identity(file), x)", "arrayConcat(file, x)", "arrayStringConcat(file, ',')", "mapContains(file, 'x')"],
)  # fmt: skip
def test_what_hands_over_nothing_of_the_kind_is_taken(call: str) -> None:
    assert call in checked(call)


def test_raw_sql_of_the_dialect_refuses_it_too() -> None:
    with pytest.raises(QuerySyntaxError, match="would call 'file'"):
        checked_raw("SELECT arrayMap(file, attribute_names) FROM flow_log.l7_flow_log", CATALOG, SqlConfig())


def test_the_engine_takes_names_for_functions_where_we_know_it() -> None:
    """Every function that may be called is tried with the name of another one: only those of our list take it for that."""
    chdb: Any = pytest.importorskip("chdb")
    connection = chdb.connect(":memory:")

    def error(text: str) -> str:
        try:
            connection.query(text, "Null")
        except RuntimeError as found:
            return str(found)
        return ""

    listed = bytes(connection.query("SELECT name FROM system.functions WHERE NOT is_aggregate", "JSONCompact").bytes())
    names = [name for [name] in json.loads(listed)["data"] if is_function(name)]
    assert len(names) > 500
    surprising = []
    for name in names:
        for given in ("{}, ['A'], 1", "['A'], {}"):
            known, unknown = (error(f"SELECT {name}({given.format(each)})") for each in ("lower", "no_such_name"))
            if "UNKNOWN_IDENTIFIER" in unknown and "UNKNOWN_IDENTIFIER" not in known:
                surprising.append((name, given))
    connection.close()
    assert {given for _, given in surprising} == {"{}, ['A'], 1"}
    assert {name for name, _ in surprising if not takes_function(name)} == set()
    assert len(surprising) > 20
