"""Plans give what a person computes by hand."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from metaflow_storage_memory.storage import MemoryStorage

from metaflow_core.api import RecordBatch
from metaflow_core.errors import QueryError, UnsupportedQuery
from metaflow_core.model.catalog import load_catalog
from metaflow_core.model.catalog.arrow import arrow_type
from metaflow_core.model.expression import Call, Literal, Ref, parse_expression
from metaflow_core.query import (
    Aggregate,
    Fill,
    Filter,
    Fold,
    Grid,
    Limit,
    Measure,
    Named,
    Plan,
    Project,
    Scan,
    SemiJoin,
    Sort,
    SortKey,
    TimeRange,
    late,
    parse_where,
    prepare,
)

CATALOG = load_catalog()
S = 10**9
EVER = TimeRange(0, 240 * S)


def table(storage: MemoryStorage, name: str, **columns: list[Any]) -> None:
    full = CATALOG.table(name)
    known = {column.name: arrow_type(column.type) for column in full.columns}
    arrays = {key: pa.array(values, pa.int64() if "time" in key else known[key]) for key, values in columns.items()}
    storage.add(RecordBatch(full.name, pa.RecordBatch.from_pydict(arrays)))


@pytest.fixture
def requests() -> MemoryStorage:
    storage = MemoryStorage(CATALOG)
    table(
        storage,
        "l7_flow_log",
        flow_id=[1, 2, 3, 4, 2**64 - 1],
        end_time_ns=[10 * S, 61 * S, 62 * S, 130 * S, 190 * S],
        endpoint=["/a", "/a", "/b", "/b", "/c"],
        type=[2, 2, 2, 0, 1],
        response_status=[0, 3, 4, 2, 0],
        response_code=[200, 503, 404, None, 200],
        response_duration=[100, 300, 0, 0, 700],
        is_ipv4=[True, True, True, False, False],
        ip4_0=[0x0A000001, 0x0A000002, 0x0B000001, 0, 0],
        ip6_0=[bytes(16)] * 3 + [b"\x20\x01\x0d\xb8" + bytes(11) + b"\x01", bytes(15) + b"\x01"],
        pod_id_0=[7, 8, 7, 9, 0],
        attribute_names=[["a", "b"], ["b"], [], ["b", "b"], None],
        attribute_values=[["1", "2"], ["3"], [], ["4", "5"], None],
    )
    storage.learn("pod", {7: "web", 8: "web", 9: "db"})
    return storage


@pytest.fixture
def network() -> MemoryStorage:
    storage = MemoryStorage(CATALOG)
    table(
        storage,
        "network.1m",
        time=[0, 0, 60, 60, 180],
        pod_id=[1, 2, 1, 2, 1],
        byte=[10, 20, 30, 40, 5],
        packet=[1, 2, 3, 4, 0],
        retrans=[1, 0, 3, 0, 0],
        rtt_sum=[100.0, 0.0, 300.0, 600.0, 0.0],
        rtt_count=[1, 0, 1, 2, 0],
        rtt_max=[100, 0, 300, 400, 0],
    )
    storage.learn("pod", {1: "web", 2: "web"})
    return storage


def where(text: str) -> Plan:
    table = CATALOG.table("l7_flow_log")
    return Project(Filter(Scan(table.name), parse_where(text, table, CATALOG)), (Named("flow_id", Ref("flow_id")),))


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("response_code >= 500", [2]),
        ("response_code >= 400 and endpoint like '/B'", [3]),
        ("not response_code = 200", [2, 3]),
        ("response_code is null", [4]),
        ("response_code not in (200, 503)", [3]),
        ("response_code in (200, 99999999999)", [1, 2**64 - 1]),
        ("flow_id = 18446744073709551615", [2**64 - 1]),
        ("flow_id > -1 and flow_id < 3", [1, 2]),
        ("response_status in ('timeout', 'Server error')", [2, 4]),
        ("response_status like '*error'", [2, 3]),
        ("type = 'session'", [1, 2, 3]),
        ("endpoint =~ '^/[ab]$' and endpoint != '/a'", [3, 4]),
        ("ip_0 = '10.0.0.1'", [1]),
        ("ip_0 in ('10.0.0.0/8', '2001:db8::/32')", [1, 2, 4]),
        ("ip_0 != '10.0.0.1'", [2, 3, 4, 2**64 - 1]),
        ("ip6_0 = '::1'", [2**64 - 1]),
        ("attribute.b = '4'", [4]),
        ("exist(attribute.a)", [1]),
        ("pod_0 = 'web'", [1, 2, 3]),
        ("pod_0 = ''", [2**64 - 1]),
        ("error = 1", [2, 3]),
        ("error_ratio > 50", [2, 3]),
        ("rrt > 0", [1, 2, 2**64 - 1]),
        ("end_time >= '1970-01-01 00:01:02' and end_time < '1970-01-01T00:03:00Z'", [3, 4]),
        ("response_duration / response_code > 0.55", [2, 2**64 - 1]),
        ("response_duration % 200 = 100", [1, 2, 2**64 - 1]),
        ("if(type = 'session', 1, 0) + 1 = 1", [4, 2**64 - 1]),
        ("coalesce(response_code, -1) = -1", [4]),
        ("has(attribute_names, 'b')", [1, 2, 4]),
        ("length(endpoint) = 2 and upper(endpoint) = '/C'", [2**64 - 1]),
        ("mask(ip4_0, 8) = '10.0.0.0/8'", [1, 2]),
        ("to_text(ip4_0) = '11.0.0.1'", [3]),
        ("true", [1, 2, 3, 4, 2**64 - 1]),
        ("null", []),
    ],
)
def test_conditions(requests: MemoryStorage, condition: str, found: list[int]) -> None:
    assert requests.query(where(condition)).column("flow_id").to_pylist() == found


def measure(name: str, function: str, *arguments: str | float) -> Measure:
    nodes = [parse_expression(each) if isinstance(each, str) else Literal(each) for each in arguments]
    return Measure(name, function, tuple(nodes))


def minute(step: int = 60) -> Named:
    return Named("minute", Call("bucket", (Ref("time"), Literal(step))))


def one(storage: MemoryStorage, source: str, *arguments: Any) -> Any:
    plan = Aggregate(Scan(source, time=EVER), (), (measure("x", *arguments),))
    return storage.query(plan).column("x").to_pylist()[0]


@pytest.mark.parametrize(
    ("call", "value"),
    [
        (("Count",), 5),
        (("Count", "response_code"), 4),
        (("Count", "row"), 5),
        (("Sum", "request"), 4),
        (("Sum", "response_duration + 0"), None),
        (("Avg", "response_duration"), pytest.approx(1100 / 3)),
        (("Max", "response_duration"), 700),
        (("Min", "response_duration"), 100),
        (("Percentile", "response_duration", 50), 300),
        (("PercentileExact", "rrt", 100), 700),
        (("Spread", "rrt"), 600),
        (("Rspread", "rrt"), 7),
        (("Stddev", "rrt"), pytest.approx(249.4438, abs=1e-3)),
        (("Apdex", "rrt", 200), pytest.approx((1 + 0.5 * 2) / 3 * 100)),
        (("Avg", "error_ratio"), 50),
        (("Avg", "timeout_ratio"), 25),
        (("Percentage", "error", "request"), 50),
        (("PerSecond", "request"), 4 / 240),
        (("Uniq", "endpoint"), 3),
        (("UniqExact", "pod_0"), 3),
        (("TopK", "endpoint", 2), ["/a", "/b"]),
        (("Any", "endpoint"), "/a"),
        (("Last", "response_duration"), 700),
        (("Histogram", "rrt", 2), [2, 1]),
    ],
)
def test_functions_over_rows(requests: MemoryStorage, call: tuple[Any, ...], value: Any) -> None:
    if value is None:
        with pytest.raises(QueryError, match="Sum makes no sense for the expression, a other"):
            one(requests, "l7_flow_log", *call)
    else:
        assert one(requests, "l7_flow_log", *call) == value


@pytest.mark.parametrize(
    ("call", "value"),
    [
        (("Sum", "byte"), 105),
        (("Avg", "byte"), 105 / 4),
        (("Max", "byte"), 70),
        (("Min", "byte"), 0),
        (("AAvg", "byte"), 35),
        (("PercentileExact", "byte", 50), 30),
        (("Last", "byte"), 5),
        (("PerSecond", "byte"), 105 / 240),
        (("Avg", "rtt"), 250),
        (("Max", "rtt"), 300),
        (("Max", "rtt_max"), 400),
        (("Avg", "retrans_ratio"), 40),
        (("Max", "retrans_ratio"), 100),
        (("Max", "byte_tx + byte"), 70),
    ],
)
def test_functions_over_intervals(network: MemoryStorage, call: tuple[Any, ...], value: Any) -> None:
    """Counters are summed per interval over the pods first; a missing interval counts as 0."""
    assert one(network, "network.1m", *call) == value


def test_groups_by_name_and_time(network: MemoryStorage) -> None:
    plan = Sort(
        Aggregate(
            Scan("network", time=EVER),
            (minute(120), Named("pod", Ref("pod"))),
            (measure("max", "Max", "byte"), measure("sum", "Sum", "byte"), measure("p", "Percentile", "rtt", 100)),
        ),
        (SortKey("minute"),),
    )
    rows = network.query(plan).to_pylist()
    assert [(row["minute"].timestamp(), row["pod"], row["max"], row["sum"], row["p"]) for row in rows] == [
        (0, "web", 70, 100, 300),
        (120, "web", 5, 5, None),
    ]


def test_late_resolution_changes_nothing_but_the_order_of_work(network: MemoryStorage) -> None:
    plan = Aggregate(
        Filter(Scan("network"), parse_expression("byte > 5")),
        (Named("pod", Ref("pod")),),
        (measure("sum", "Sum", "byte"), measure("rtt", "Avg", "rtt"), measure("n", "Count")),
    )
    ready = prepare(plan, CATALOG)
    assert late(ready) != ready
    assert prepare(ready, CATALOG) == ready
    from metaflow_storage_memory.run import Runner

    runner = Runner(CATALOG, network._store.batches, network._names, network._series)
    assert runner.table(ready).to_pylist() == runner.table(late(ready)).to_pylist()
    assert network.query(plan).to_pylist() == [{"pod": "web", "sum": 100, "rtt": 250, "n": 4}]


def test_an_aggregate_of_nothing_has_one_row_and_groups_of_nothing_none(requests: MemoryStorage) -> None:
    empty = Filter(Scan("l7_flow_log"), parse_expression("flow_id = 0"))
    folds = (Fold("n", "count"), Fold("s", "sum", Ref("response_duration")), Fold("u", "uniq", Ref("endpoint")))
    assert requests.query(Aggregate(empty, (), folds)).to_pylist() == [{"n": 0, "s": None, "u": 0}]
    assert requests.query(Aggregate(empty, (Named("e", Ref("endpoint")),), folds)).num_rows == 0


def test_a_missing_key_is_a_group(requests: MemoryStorage) -> None:
    plan = Aggregate(Scan("l7_flow_log"), (Named("response_code", Ref("response_code")),), (Fold("n", "count"),))
    assert {row["response_code"]: row["n"] for row in requests.query(plan).to_pylist()} == {
        200: 2,
        503: 1,
        404: 1,
        None: 1,
    }


def test_time_ranges_are_closed_on_the_left_and_open_on_the_right(requests: MemoryStorage) -> None:
    plan = Scan("l7_flow_log", ("flow_id",), TimeRange(61 * S, 130 * S))
    assert requests.query(plan).column("flow_id").to_pylist() == [2, 3]
    assert requests.query(Scan("l7_flow_log", ("flow_id",), TimeRange(61 * S + 1, 130 * S + 1))).num_rows == 2


@pytest.mark.parametrize(("descending", "order"), [(False, [1, 2**64 - 1, 3, 2, 4]), (True, [2, 3, 1, 2**64 - 1, 4])])
def test_sorting_is_stable_and_puts_missing_values_last(
    requests: MemoryStorage, descending: bool, order: list[int]
) -> None:
    plan = Sort(Scan("l7_flow_log", ("flow_id", "response_code")), (SortKey("response_code", descending),))
    assert requests.query(plan).column("flow_id").to_pylist() == order
    assert requests.query(Limit(plan, 2, 1)).column("flow_id").to_pylist() == order[1:3]


def test_only_the_best_series(requests: MemoryStorage) -> None:
    best = Limit(
        Sort(
            Aggregate(Scan("l7_flow_log"), (Named("endpoint", Ref("endpoint")),), (measure("m", "Max", "rrt"),)),
            (SortKey("m", True),),
        ),
        1,
    )
    plan = SemiJoin(Scan("l7_flow_log", ("flow_id", "endpoint")), ("endpoint",), best)
    assert requests.query(plan).column("flow_id").to_pylist() == [2**64 - 1]


@pytest.mark.parametrize(("value", "expected"), [(None, [3, None, 1]), (0, [3, 0, 1])])
def test_filling(requests: MemoryStorage, value: int | None, expected: list[int | None]) -> None:
    counted = Aggregate(
        Filter(Scan("l7_flow_log"), parse_expression("flow_id in (1, 2, 3, 4)")),
        (minute(),),
        (Fold("n", "count"),),
    )
    rows = requests.query(Fill(counted, "minute", 60, 0, 240, (), value)).to_pylist()
    assert [(row["minute"].timestamp(), row["n"]) for row in rows] == [(0, 1), (60, 2), (120, 1), (180, value)]
    assert expected[1] == value


def test_filling_each_group(requests: MemoryStorage) -> None:
    counted = Aggregate(Scan("l7_flow_log"), (minute(120), Named("endpoint", Ref("endpoint"))), (Fold("n", "count"),))
    rows = requests.query(Fill(counted, "minute", 120, 0, 240, ("endpoint",), 0)).to_pylist()
    assert [(row["endpoint"], row["minute"].timestamp(), row["n"]) for row in rows] == [
        ("/a", 0, 2), ("/a", 120, 0), ("/b", 0, 1), ("/b", 120, 1), ("/c", 0, 0), ("/c", 120, 1),
    ]  # fmt: skip


def test_too_much_filling_is_refused(requests: MemoryStorage) -> None:
    counted = Aggregate(Scan("l7_flow_log"), (minute(1),), (Fold("n", "count"),))
    with pytest.raises(QueryError, match="widen the interval"):
        requests.query(Fill(counted, "minute", 1, 0, 10_000_000))


def test_owners_without_a_name_are_shown_by_number_or_address(requests: MemoryStorage) -> None:
    columns = tuple(Named(name, Ref(name)) for name in ("pod_0", "auto_instance_0", "chost_0", "ip_0", "is_internet_0"))
    rows = requests.query(Project(Scan("l7_flow_log"), columns)).to_pylist()
    assert rows[0] == {
        "pod_0": "web",
        "auto_instance_0": "10.0.0.1",
        "chost_0": "",
        "ip_0": "10.0.0.1",
        "is_internet_0": False,
    }
    assert rows[3]["ip_0"] == "2001:db8::1"


def test_columns_of_a_result_keep_what_the_catalogue_says_of_them(requests: MemoryStorage) -> None:
    plan = Aggregate(Scan("l7_flow_log"), (Named("status", Ref("response_status")),), (measure("n", "Count"),))
    field = requests.query(plan).schema.field("status")
    assert field.metadata[b"enum"] == b"response_status"


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        (Scan("l7_flowlog"), "did you mean 'l7_flow_log'"),
        (Scan("l7_flow_log", ("endpint",)), "did you mean 'endpoint'"),
        (Filter(Scan("l7_flow_log"), parse_expression("endpint = ''")), "did you mean 'endpoint'"),
        (Filter(Scan("l7_flow_log"), parse_expression("endpoint + 1 = 2")), "'endpoint' is a text, expected int"),
        (Filter(Scan("l7_flow_log"), parse_expression("endpoint =~ '(?=x)'")), "is no regular expression of RE2"),
        (
            Aggregate(Scan("l7_flow_log"), (), (measure("x", "Sum", "rrt"),)),
            "Sum makes no sense for rrt, a delay; legal are Avg",
        ),
        (Aggregate(Scan("l7_flow_log"), (), (measure("x", "Smu", "error"),)), "did you mean 'Sum'"),
        (Aggregate(Scan("l7_flow_log"), (), (measure("x", "PerSecond", "error"),)), "needs a length of time"),
        (Aggregate(Scan("l7_flow_log"), (), (measure("x", "Apdex", "rrt"),)), "Apdex takes (metric, threshold)"),
        (Aggregate(Scan("l7_flow_log"), (), (Fold("x", "median", Ref("rrt")),)), "there is no fold 'median'"),
        (Aggregate(Scan("l7_flow_log"), (minute(),), (measure("minute", "Count"),)), "are named 'minute'"),
        (Sort(Scan("l7_flow_log"), (SortKey("nothing"),)), "there is no column 'nothing' here"),
        (
            Grid(Scan("prometheus.samples"), ("series_id",), "timestamp", "value", "rate", 0, 1, 1, 1),
            "computes no grids",
        ),
    ],
)
def test_what_cannot_be_answered_is_told(requests: MemoryStorage, plan: Plan, sentence: str) -> None:
    with pytest.raises(QueryError) as caught:
        requests.query(plan)
    assert sentence in str(caught.value)
    assert isinstance(caught.value, UnsupportedQuery) == isinstance(plan, Grid) or "length of time" in sentence
