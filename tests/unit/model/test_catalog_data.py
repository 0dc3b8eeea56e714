"""The data that the core ships is right, complete, and cheap to open."""

from __future__ import annotations

import subprocess
import sys

import pytest

from metaflow_core.errors import QueryError
from metaflow_core.model.catalog import Catalog, check_catalog, load_catalog
from metaflow_core.model.catalog.arrow import arrow_schema
from metaflow_core.model.expression import references

TABLES = [
    "flow_log.l4_flow_log",
    "flow_log.l7_flow_log",
    "flow_log.l7_message",
    "flow_log.l7_packet",
    "flow_log.explain",
    *(
        f"flow_metrics.{name}.{step}"
        for name in ("network", "network_map", "application", "application_map")
        for step in ("1s", "1m")
    ),
    "event.event",
    "event.file_event",
    "event.alert_event",
    "profile.in_process",
    "profile.in_process_metrics.1m",
    "prometheus.samples",
    "ext_metrics.metrics",
    "application_log.log",
    "metaflow_system.counters",
]

MESSAGE_FIELDS = [
    "time_ns",
    "flow_id",
    "direction",
    "l7_protocol",
    "type",
    "version",
    "request_type",
    "request_domain",
    "request_resource",
    "endpoint",
    "request_id",
    "response_status",
    "response_code",
    "response_exception",
    "response_result",
    "trace_id",
    "span_id",
    "parent_span_id",
    "x_request_id",
    "attribute_names",
    "attribute_values",
    "ip4_0",
    "ip6_0",
    "ip4_1",
    "ip6_1",
    "client_port",
    "server_port",
    "parser",
    "stream_offset",
    "length",
]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


def test_there_is_no_mistake_in_the_data(catalog: Catalog) -> None:
    assert [str(problem) for problem in check_catalog(catalog)] == []


@pytest.mark.parametrize("name", TABLES)
def test_every_table_of_the_design_is_declared(catalog: Catalog, name: str) -> None:
    table = catalog.table(name)
    assert table.name == name
    assert len(arrow_schema(table)) == len(table.columns)


def test_a_message_has_the_fields_that_json_lines_promise(catalog: Catalog) -> None:
    names = {column.name for column in catalog.table("l7_message").columns}
    assert [field for field in MESSAGE_FIELDS if field not in names] == []


def test_every_metric_comes_down_to_columns(catalog: Catalog) -> None:
    for table in catalog.tables.values():
        columns = {column.name for column in table.columns}
        for metric in table.metrics:
            assert set(references(metric.expression)) <= columns, f"{table.name}.{metric.name}"


def test_ratios_are_divisions_so_that_they_aggregate_by_parts(catalog: Catalog) -> None:
    for table in catalog.tables.values():
        for metric in table.metrics:
            if metric.kind in ("percentage", "quotient"):
                assert metric.ratio is not None, f"{table.name}.{metric.name}"


def test_queue_lack_counts_among_the_establish_failures_everywhere(catalog: Catalog) -> None:
    """The reference model counts it in its metrics and not in its flow log; we are consistent."""
    metric = catalog.table("l4_flow_log").by_name["server_establish_fail"]
    lack = catalog.table("l4_flow_log").by_name["server_queue_lack"]
    assert repr(lack.expression) in repr(metric.expression)  # type: ignore[union-attr]
    assert "server_queue_lack" in catalog.table("network.1m").column("server_establish_fail").description


def test_the_number_of_a_protocol_belongs_to_its_parser(catalog: Catalog) -> None:
    protocols = catalog.enum("l7_protocol")
    assert protocols.open
    assert [member.name for member in protocols.members] == ["Unknown", "Custom"]


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("l7_flow_log", "flow_log.l7_flow_log"),
        ("network.1s", "flow_metrics.network.1s"),
        ("network", "flow_metrics.network.1m"),
        ("flow_metrics.network", "flow_metrics.network.1m"),
        ("network_map.1h", "flow_metrics.network_map.1h"),
        ("log", "application_log.log"),
    ],
)
def test_short_names(catalog: Catalog, asked: str, answered: str) -> None:
    assert catalog.table(asked).name == answered


def test_a_coarser_precision_knows_what_it_is_made_from(catalog: Catalog) -> None:
    assert [(t.precision, t.rolled_from, t.interval_s) for t in catalog.family("application")] == [
        ("1s", "", 1),
        ("1m", "", 60),
        ("1h", "flow_metrics.application.1m", 3600),
        ("1d", "flow_metrics.application.1h", 86400),
    ]


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda c: c.table("l7_flowlog"), "there is no table 'l7_flowlog'; did you mean 'l7_flow_log'?"),
        (
            lambda c: c.table("l7_flow_log").column("ip4"),
            "there is no column 'ip4' in flow_log.l7_flow_log; did you mean 'ip4_0'?",
        ),
        (lambda c: c.function("Persecond2"), "there is no function 'Persecond2'; did you mean 'PerSecond'?"),
        (lambda c: c.enum("close_typ"), "there is no enumeration 'close_typ'; did you mean 'close_type'?"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest(catalog: Catalog, ask, sentence: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(QueryError) as caught:
        ask(catalog)
    assert str(caught.value) == sentence


def test_functions_are_legal_by_kind(catalog: Catalog) -> None:
    table = catalog.table("application.1m")
    legal = {
        name: {f.name for f in catalog.legal(table.by_name[name])}
        for name in ("request", "rrt", "error_ratio", "endpoint", "pod")
    }
    assert {"Sum", "PerSecond"} <= legal["request"]
    assert "Sum" not in legal["rrt"]
    assert "Apdex" in legal["rrt"]
    assert "Sum" not in legal["error_ratio"]
    assert legal["endpoint"] == legal["pod"] == {"Uniq", "UniqExact", "TopK", "Any", "Count"}


def test_opening_the_catalogue_imports_no_arrow_and_builds_no_table() -> None:
    program = (
        "import sys\n"
        "from metaflow_core.model.catalog import load_catalog\n"
        "c = load_catalog()\n"
        "c.table('l7_flow_log')\n"
        "built = [v for v in c.tables._entries.values() if not callable(v)]\n"
        "print('pyarrow' in sys.modules, len(built))\n"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["False", "1"]
