"""Plans are checked, pruned, lowered and turned round before a storage sees them."""

from __future__ import annotations

import pytest

from metaflow_core.errors import QueryError
from metaflow_core.model.catalog import load_catalog
from metaflow_core.model.expression import Call, Literal, Ref, parse_expression
from metaflow_core.query import (
    Aggregate,
    Combine,
    Filter,
    Fold,
    Limit,
    Measure,
    Named,
    Plan,
    Project,
    Resolve,
    Scan,
    Sort,
    SortKey,
    TimeRange,
    inputs,
    late,
    prepare,
)

CATALOG = load_catalog()
HOUR = TimeRange(0, 3600 * 10**9)


def measure(name: str, function: str, *arguments: str | float) -> Measure:
    return Measure(name, function, tuple(Ref(a) if isinstance(a, str) else Literal(a) for a in arguments))


def named(*names: str) -> tuple[Named, ...]:
    return tuple(Named(name, Ref(name)) for name in names)


def nodes(plan: Plan) -> list[Plan]:
    return [plan, *(node for each in inputs(plan) for node in nodes(each))]


def scan(plan: Plan) -> Scan:
    return next(node for node in nodes(plan) if isinstance(node, Scan))


@pytest.mark.parametrize(
    ("plan", "columns"),
    [
        (Scan("l7_flow_log"), ()),
        (Scan("l7_flow_log", ("endpoint",)), ("endpoint",)),
        (Filter(Scan("l7_flow_log"), parse_expression("response_code = 1")), ()),
        (Limit(Sort(Scan("l7_flow_log"), (SortKey("time"),)), 5), ()),
        (Project(Filter(Scan("l7_flow_log"), parse_expression("is_tls")), named("endpoint")), ("is_tls", "endpoint")),
        (Aggregate(Scan("l7_flow_log"), named("endpoint"), (measure("n", "Sum", "request"),)), ("type", "endpoint")),
        (Aggregate(Scan("l7_flow_log"), (), (measure("n", "Count"),)), ("time",)),
        (Aggregate(Scan("l7_flow_log"), (), (measure("n", "Last", "rrt"),)), ("time", "response_duration")),
        (Project(Scan("l7_flow_log"), named("ip_0")), ("ip4_0", "ip6_0", "is_ipv4")),
        (Project(Scan("l7_flow_log"), named("chost_1")), ("l3_device_type_1", "l3_device_id_1")),
        (Filter(Scan("network", ("byte",)), parse_expression("bpp > 1")), ("packet", "byte")),
    ],
)
def test_a_scan_reads_what_is_needed(plan: Plan, columns: tuple[str, ...]) -> None:
    assert set(scan(prepare(plan, CATALOG)).columns) == set(columns)


def test_a_short_table_name_becomes_the_full_one() -> None:
    assert scan(prepare(Scan("network"), CATALOG)).table == "flow_metrics.network.1m"


@pytest.mark.parametrize(
    ("call", "folds", "result"),
    [
        (("Sum", "byte"), "sum(byte)", "x0"),
        (("Avg", "byte"), "sum(byte)", "x0 / 60.0"),
        (("PerSecond", "byte"), "sum(byte)", "x0 / 3600.0"),
        (("Avg", "rtt"), "sum(rtt_sum if rtt_count > 0), sum(rtt_count if rtt_count > 0)", "x0 / x1"),
        (
            ("Avg", "retrans_ratio"),
            "sum(retrans if packet > 0), sum(packet if packet > 0)",
            "least(x0 / x1, 1) * 100",
        ),
        (("Percentage", "retrans", "packet"), "sum(retrans), sum(packet)", "x0 / x1 * 100"),
    ],
)
def test_functions_become_folds(call: tuple[str, ...], folds: str, result: str) -> None:
    plan = prepare(Aggregate(Scan("network.1m", time=HOUR), (), (measure("x", *call),)), CATALOG)
    assert isinstance(plan, Project)
    assert isinstance(plan.input, Aggregate)
    expected = []
    for index, text in enumerate(folds.split(", ")):
        op, _, rest = text.rstrip(")").partition("(")
        argument, _, where = rest.partition(" if ")
        condition = parse_expression(where) if where else None
        expected.append(Fold(f"x#{index}", op, parse_expression(argument), (), condition))
    assert plan.input.measures == tuple(expected)
    wanted = result.replace("x0", "`x#0`").replace("x1", "`x#1`")
    assert plan.columns == (Named("x", parse_expression(wanted)),)


def test_counters_are_summed_per_interval_before_their_greatest_is_taken() -> None:
    plan = prepare(Aggregate(Scan("network.1m"), named("pod_id"), (measure("x", "Max", "byte"),)), CATALOG)
    outer = plan.input if isinstance(plan, Project) else plan
    assert isinstance(outer, Aggregate)
    assert isinstance(outer.input, Aggregate)
    assert [key.name for key in outer.input.keys] == ["pod_id", "#time"]
    assert [fold.op for fold in outer.input.measures if isinstance(fold, Fold)] == ["sum"]
    assert [fold.op for fold in outer.measures if isinstance(fold, Fold)] == ["max"]


def test_what_cannot_be_merged_is_computed_beside() -> None:
    plan = prepare(
        Aggregate(
            Scan("network.1m"), named("pod_id"), (measure("x", "Max", "byte"), measure("p", "Percentile", "rtt", 95))
        ),
        CATALOG,
    )
    assert isinstance(plan, Project)
    assert isinstance(plan.input, Combine)
    assert plan.input.keys == ("pod_id",)


def test_a_table_of_single_rows_needs_no_layers() -> None:
    plan = prepare(Aggregate(Scan("l4_flow_log"), (), (measure("x", "Max", "byte"),)), CATALOG)
    assert sum(isinstance(node, Aggregate) for node in nodes(plan)) == 1


MANY = (
    Aggregate(Scan("network"), named("pod", "time"), (measure("a", "Max", "byte"), measure("b", "Avg", "rtt"))),
    Aggregate(Filter(Scan("network"), parse_expression("pod = 'x'")), named("pod"), (measure("a", "Sum", "byte"),)),
    Aggregate(Scan("l7_flow_log"), named("auto_service_0", "k8s.label.app_1"), (measure("a", "Count"),)),
    Filter(Aggregate(Scan("network"), named("pod"), (measure("a", "Sum", "byte"),)), parse_expression("a > 5")),
)


@pytest.mark.parametrize("plan", MANY)
def test_preparing_twice_changes_nothing(plan: Plan) -> None:
    once = prepare(plan, CATALOG)
    assert prepare(once, CATALOG) == once
    turned = late(once)
    assert prepare(turned, CATALOG) == turned
    assert late(turned) == turned


def resolved_after_grouping(plan: Plan) -> bool:
    return any(
        isinstance(node, Resolve) and isinstance(node.input, Aggregate) for node in nodes(late(prepare(plan, CATALOG)))
    )


@pytest.mark.parametrize(
    ("plan", "is_late"),
    [
        (Aggregate(Scan("network"), named("pod"), (measure("a", "Sum", "byte"),)), True),
        (
            Aggregate(
                Filter(Scan("network"), parse_expression("byte > 1")), named("pod"), (measure("a", "Avg", "rtt"),)
            ),
            True,
        ),
        (
            Aggregate(
                Filter(Scan("network"), parse_expression("pod = 'x'")), named("pod"), (measure("a", "Sum", "byte"),)
            ),
            False,
        ),
        (Aggregate(Scan("network"), named("pod"), (measure("a", "Percentile", "rtt", 95),)), False),
        (Aggregate(Scan("network"), named("pod_id"), (measure("a", "Uniq", "pod"),)), False),
        (
            Aggregate(Scan("network"), (Named("p", Call("upper", (Ref("pod"),))),), (measure("a", "Sum", "byte"),)),
            False,
        ),
    ],
)
def test_tags_are_resolved_late_where_that_is_the_same(plan: Plan, is_late: bool) -> None:
    assert resolved_after_grouping(plan) is is_late


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        (Scan("netwrk"), "did you mean 'network"),
        (Scan("network", time=TimeRange(2, 1)), "ends before it begins"),
        (Limit(Scan("network"), -1), "not negative"),
        (Filter(Scan("network"), Ref("byte")), "a filter is true or false; this one is a int"),
        (Project(Scan("network"), named("byte", "byte")), "the same name"),
        (Sort(Project(Scan("network"), named("byte")), (SortKey("packet"),)), "there is no column 'packet' here"),
        (Sort(Scan("network"), (SortKey("bpp"),)), "'bpp' is computed; project it"),
        (Aggregate(Scan("network"), (), (measure("x", "Uniq", "byte"),)), "Uniq makes no sense for byte, a counter"),
        (Aggregate(Scan("network"), (), (measure("x", "Percentage", "byte"),)), "Percentage takes (metric, metric)"),
        (Aggregate(Scan("network"), (), (measure("x", "Sum"),)), "Sum takes (metric)"),
        (Aggregate(Scan("network"), (), (measure("x", "Derivative", "byte"),)), "the dialect must do it"),
    ],
)
def test_what_makes_no_sense_is_told(plan: Plan, sentence: str) -> None:
    with pytest.raises(QueryError) as caught:
        prepare(plan, CATALOG)
    assert sentence in str(caught.value)
