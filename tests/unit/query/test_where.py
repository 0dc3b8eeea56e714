"""``--where``: text to a checked expression, mistakes with their column and the nearest name."""

from __future__ import annotations

import contextlib
import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

import metaflow_core.query.where as module
from metaflow_core.errors import QuerySyntaxError
from metaflow_core.model.catalog import load_catalog
from metaflow_core.model.expression import parse_expression
from metaflow_core.query import Filter, Scan, parse_where, prepare

CATALOG = load_catalog()
TABLE = CATALOG.table("l7_flow_log")


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("response_status = 'server_error'", "response_status = 3"),
        ("response_status = 'SERVER ERROR'", "response_status = 3"),
        ("'timeout' = response_status", "2 = response_status"),
        ("response_status like '*error'", "response_status in (3, 4)"),
        ("response_status !~ 'error'", "not response_status in (3, 4)"),
        ("l7_protocol in ('Custom', 20)", "l7_protocol in (127, 20)"),
        ("is_tls = 1", "is_tls = true"),
        ("start_time >= '2026-11-21 06:30:00'", "start_time >= 1795242600000000"),
        ("start_time < '2026-11-21T07:30:00.5+01:00'", "start_time < 1795242600500000"),
        ("is_internet_0", "l3_epc_id_0 = -2"),
        ("attribute.a.b = 'x'", "map_at(attribute_names, attribute_values, 'a.b') = 'x'"),
        ("request = 1", "if(type in (0, 2), 1, 0) = 1"),
        ("endpoint like '/a*'", "endpoint like '/a*'"),
    ],
)
def test_names_become_what_is_stored(written: str, means: str) -> None:
    prepared = prepare(Filter(Scan(TABLE.name), parse_where(written, TABLE, CATALOG)), CATALOG)
    assert isinstance(prepared, Filter)
    expected = parse_expression(means)
    assert prepared.predicate == expected


@pytest.mark.parametrize(
    ("text", "column", "sentence"),
    [
        (
            "respnse_code > 5",
            1,
            "there is no column 'respnse_code' in flow_log.l7_flow_log; did you mean 'response_code'?",
        ),
        ("is_tls and pod = 'x'", 12, "did you mean 'pod_0'?"),
        ("endpoint > 5", 12, "'endpoint' is a text and cannot be compared with 5"),
        ("response_status = 'serer_error'", 19, "response_status is never 'serer_error'; did you mean 'server_error'?"),
        ("type = 'nothing at all'", 8, "it is one of request, response, session"),
        ("endpoint", 1, "expected something that is true or false"),
        ("is_tls and foo(1)", 12, "there is no function 'foo'"),
        ("if(is_tls, 1) = 1", 1, "if takes 3 arguments, found 2"),
        ("ip_0 = 'here'", 1, "'here' is no address and no network"),
        ("ip4_0 = '::1'", 9, "holds IPv4 addresses"),
        ("start_time > 'noon'", 14, "is no time such as"),
        ("response_code + endpoint = 1", 17, "'endpoint' is a text, expected int or float"),
        ("endpoint =~ '('", 1, "is no regular expression"),
        ("bucket(time, endpoint) = 1", 14, "takes a whole number here"),
        ("response_code = 1 and", 22, "found the end"),
    ],
)
def test_mistakes_point_at_their_column(text: str, column: int, sentence: str) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        parse_where(text, TABLE, CATALOG)
    assert sentence in str(caught.value)
    assert caught.value.column == column


@given(st.text(alphabet="abr_012 ()'=<>!~.,/*%+-ipendotyl\"`", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(QuerySyntaxError):
        prepare(Filter(Scan(TABLE.name), parse_where(text, TABLE, CATALOG)), CATALOG)


def test_the_example_in_the_documentation_runs() -> None:
    found = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert found.attempted
    assert not found.failed
