"""The tagger keeps the contract, says what a naive reading of the file says, and survives mistakes in it."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from metaflow_tagger_file.config import FileTaggerConfig
from metaflow_tagger_file.plugin import metaflow_taggers
from metaflow_tagger_file.tagger import FileTagger

from metaflow_core.api import Kind, RecordBatch
from metaflow_core.errors import ConfigError, StartError
from metaflow_core.model.catalog import load_catalog
from metaflow_core.testing import FakeClock, TaggerContract, build_context, plain_rows

ROOT = Path(__file__).resolve().parents[3]
CATALOG = load_catalog()
DAY = 86_400 * 10**9
FACTORY = next(iter(metaflow_taggers()))
FLOWS = "flow_log.l7_flow_log"


def tagger(tmp_path: Path, text: str, name: str = "cmdb.yaml", **options: Any) -> FileTagger:
    file = tmp_path / name
    file.write_text(text)
    reports: list[tuple[str, str]] = []
    context = build_context(Kind.TAGGER, "file", data_dir=tmp_path / "data", reports=reports)
    made = FileTagger(context, FileTaggerConfig(files=(str(file),), **options))
    made.reports = reports  # type: ignore[attr-defined]
    return made


def rows_of(*rows: dict[str, Any], table: str = FLOWS) -> RecordBatch:
    """Rows from addresses as text; every row has the same keys."""
    out: dict[str, Any] = {}
    for end in ("_0", "_1", ""):
        if f"ip{end}" in rows[0]:
            addresses = [ipaddress.ip_address(row[f"ip{end}"]) for row in rows]
            out[f"ip4{end}"] = pa.array([int(a) if a.version == 4 else 0 for a in addresses], pa.uint32())
            out[f"ip6{end}"] = pa.array([a.packed if a.version == 6 else bytes(16) for a in addresses], pa.binary(16))
            out["is_ipv4"] = pa.array([a.version == 4 for a in addresses])
    for key in rows[0]:
        if not key.startswith("ip"):
            column = CATALOG.table(table).by_name.get(key)
            from metaflow_core.model.catalog.arrow import arrow_type

            type_ = arrow_type(column.type) if column is not None and not key.startswith(("time", "end")) else None
            out[key] = pa.array([row[key] for row in rows], type_)
    return RecordBatch(table, pa.RecordBatch.from_pydict(out), "b/1")


def named(made: FileTagger, batch: RecordBatch) -> list[dict[str, Any]]:
    """Tagged rows with names instead of numbers."""
    names = made.dictionaries()
    tags = {tag.name: tag for tag in CATALOG.table(batch.table).tags if tag.kind == "resource" and not tag.when}
    out = []
    for row in plain_rows(made.tag(batch).data):
        shown = dict(row)
        for name, tag in tags.items():
            number = next((row[key] for key in tag.key if key in row and re.search(r"_id(_\d)?$", key)), 0)
            shown[name] = names.get(tag.dictionary, {}).get(number, "")
        out.append(shown)
    return out


SHOP = """
subnets:
  - {name: all, cidr: [10.0.0.0/8, "2001:db8::/32"], region: eu, vpc: shop}
  - {name: back, cidr: [10.1.0.0/16, "2001:db8:1::/48"], az: eu-a}
hosts:
  - {name: db-old, addresses: 10.1.0.5, kind: rds, valid_to: "1970-01-03"}
  - {name: db-new, addresses: [10.1.0.5, "2001:db8:1::5"], kind: rds, az: eu-b, valid_from: "1970-01-03", labels: {team: store}}
  - {name: hv-1, addresses: 10.9.0.1, kind: host}
  - {name: web-1, addresses: 10.2.0.1, kind: pod, cluster: c1, namespace: front, node: n1, workload: web, host: hv-1, labels: {app: web}}
services:
  - {name: wide, cidr: 10.0.0.0/8}
  - {name: checkout, cidr: 10.1.0.0/16, ports: [443, 8000-8010]}
  - {name: exact, cidr: 10.1.0.5, ports: 8005, protocol: tcp}
"""


class TestContract(TaggerContract):
    """What every tagger must do."""

    factory = FACTORY

    @pytest.fixture
    def component(self, tmp_path: Path) -> Any:
        return tagger(tmp_path, SHOP)

    options = {"files": ["cmdb.yaml"]}

    async def test_stop_without_start(self, component: Any) -> None:
        await component.stop()

    def batches(self) -> list[RecordBatch]:
        return [*super().batches(), rows_of({"ip_0": "10.1.0.5", "ip_1": "8.8.8.8", "time": 0})]


def test_everything_of_an_address(tmp_path: Path) -> None:
    made = tagger(tmp_path, SHOP)
    made.load()
    first, second = named(
        made,
        rows_of(
            {"ip_0": "10.2.0.1", "ip_1": "10.1.0.5", "server_port": 8005, "protocol": 6, "time": 86400},
            {"ip_0": "10.1.0.5", "ip_1": "10.9.0.1", "server_port": 443, "protocol": 17, "time": 86400 * 2},
        ),
    )
    (six,) = named(made, rows_of({"ip_0": "2001:db8:1::5", "ip_1": "2001:db9::", "time": 86400 * 2}))
    assert (six["auto_instance_0"], six["az_0"], six["subnet_0"], six["auto_service_0"]) == (
        "db-new",
        "eu-b",
        "back",
        "db-new",
    )
    assert (six["auto_instance_1"], six.get("auto_instance_type_1", 0)) == ("", 0)
    assert (first["pod_0"], first["pod_ns_0"], first["pod_cluster_0"], first["pod_node_0"]) == (
        "web-1",
        "front",
        "c1",
        "n1",
    )
    assert (first["pod_group_0"], first["host_0"], first["region_0"], first["vpc_0"]) == ("web", "hv-1", "eu", "shop")
    assert (first["auto_instance_0"], first["auto_instance_type_0"]) == ("web-1", 10)
    assert (first["auto_service_0"], first["auto_service_type_0"], first["service_0"]) == ("wide", 102, "wide")
    assert (first["auto_instance_1"], first["l3_device_type_1"], first["az_1"], first["subnet_1"]) == (
        "db-old",
        13,
        "eu-a",
        "back",
    )
    assert (first["service_1"], first["auto_service_type_1"], first["tag_source_1"]) == ("exact", 102, 8)
    assert (second["auto_instance_0"], second["az_0"], second["subnet_0"], second["vpc_0"]) == (
        "db-new",
        "eu-b",
        "back",
        "shop",
    )
    assert (second["auto_service_0"], second["auto_service_type_0"]) == ("wide", 102)
    assert (second["host_1"], second["auto_instance_1"], second["auto_instance_type_1"], second["service_1"]) == (
        "hv-1",
        "hv-1",
        6,
        "wide",
    )
    labels = made.dictionaries()
    assert json.loads(labels["pod_label"][first["pod_id_0"]]) == {"app": "web"}
    assert json.loads(labels["cloud_tag"][second["l3_device_id_0"]]) == {"team": "store"}


def test_what_stands_there_stays(tmp_path: Path) -> None:
    made = tagger(tmp_path, SHOP)
    made.load()
    batch = rows_of(
        {"ip_0": "10.2.0.1", "ip_1": "10.1.0.5", "time": 0, "region_id_0": 9, "auto_instance_id_0": 7, "auto_instance_type_0": 120,
         "tag_source_0": 1, "l3_epc_id_1": 9},
        {"ip_0": "10.2.0.1", "ip_1": "99.0.0.1", "time": 0, "region_id_0": 0, "auto_instance_id_0": 0, "auto_instance_type_0": 255,
         "tag_source_0": 0, "l3_epc_id_1": 0},
    )  # fmt: skip
    one, two = plain_rows(made.tag(batch).data)
    assert (one["region_id_0"], one["auto_instance_id_0"], one["auto_instance_type_0"], one["tag_source_0"]) == (
        9,
        7,
        120,
        9,
    )
    assert one["l3_epc_id_1"] == 9
    assert two["auto_instance_type_0"] == 10
    assert two["region_id_0"] != 0
    assert (two["l3_epc_id_1"], two["auto_instance_type_1"], two["subnet_id_1"]) == (0, 0, 0)


def test_one_ended_tables_roles_logs_and_the_internet(tmp_path: Path) -> None:
    made = tagger(tmp_path, SHOP, unknown_is_internet=True)
    made.load()
    client, server, unknown = named(
        made,
        rows_of(
            *({"ip": ip, "time": 0, "role": role, "server_port": 443, "protocol": 6} for ip, role in (("10.1.0.9", 0), ("10.1.0.9", 1), ("8.8.8.8", 1))),
            table="flow_metrics.network.1m",
        ),
    )  # fmt: skip
    assert (client["service"], server["service"], unknown["service"]) == ("wide", "checkout", "")
    assert (client["auto_instance"], client["auto_instance_type"]) == ("", 255)
    assert unknown["l3_epc_id"] == -2
    log = rows_of(
        {"ip": "10.2.0.1", "timestamp": 1, "app_service": "", "app_instance": "said"},
        {"ip": "10.2.0.1", "timestamp": 1, "app_service": "own", "app_instance": ""},
        table="application_log.log",
    )
    one, two = plain_rows(made.tag(log).data)
    assert (one["app_service"], one["app_instance"]) == ("wide", "said")
    assert (two["app_service"], two["app_instance"]) == ("own", "web-1")


networks = st.builds(
    lambda base, prefix: str(ipaddress.ip_network((base, prefix), strict=False)),
    st.integers(0, 255).map(lambda low: (10 << 24) + low),
    st.integers(24, 32),
) | st.builds(
    lambda base, prefix: str(ipaddress.ip_network(((0x20010DB8 << 96) + base, prefix), strict=False)),
    st.integers(0, 255),
    st.integers(120, 128),
)
days = st.tuples(st.integers(0, 9), st.integers(1, 5)).map(lambda pair: (pair[0], pair[0] + pair[1])) | st.just(
    (None, None)
)


def date(day: int | None) -> str | None:
    return None if day is None else f"1970-01-{day + 1:02}"


entries = st.lists(
    st.tuples(
        st.sampled_from(["subnets", "hosts", "services"]),
        networks,
        days,
        st.sampled_from(["", "80", "80-90", "443"]),
        st.booleans(),
    ),
    max_size=12,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    entries,
    st.lists(
        st.tuples(st.integers(0, 255), st.booleans(), st.integers(0, 15), st.sampled_from([80, 85, 443, 9])),
        min_size=1,
        max_size=20,
    ),
)
def test_as_read_naively(tmp_path: Path, drawn: list[Any], probes: list[Any]) -> None:
    """Against a loop over all entries for each row."""
    sections: dict[str, list[dict[str, Any]]] = {}
    kept: list[dict[str, Any]] = []
    for index, (section, net, (since, until), ports, extra) in enumerate(drawn):
        entry: dict[str, Any] = {"name": f"n{index}", "addresses" if section == "hosts" else "cidr": net}
        if since is not None:
            entry |= {"valid_from": date(since), "valid_to": date(until)}
        if section == "services" and ports:
            entry["ports"] = ports
        if section != "services" and extra:
            entry["region"] = f"r{index}"
        same = [
            k
            for k in kept
            if k["net"] == ipaddress.ip_network(net)
            and k["section"] == section
            and k["ports"] == (ports if section == "services" else "")
        ]
        if any((k["since"] or 0) < (until or 99) and (since or 0) < (k["until"] or 99) for k in same):
            continue
        sections.setdefault(section, []).append(entry)
        kept.append({"section": section, "net": ipaddress.ip_network(net), "since": since, "until": until,
                     "ports": ports if section == "services" else "", "name": f"n{index}", "region": entry.get("region", "")})  # fmt: skip
    made = tagger(tmp_path, json.dumps(sections))
    made.load()
    rows = []
    for low, four, day, port in probes:
        address = ipaddress.ip_address((10 << 24) + low) if four else ipaddress.ip_address((0x20010DB8 << 96) + low)
        rows.append(
            {"ip_0": "0.0.0.0", "ip_1": str(address), "end_time_ns": day * DAY, "server_port": port, "protocol": 6}
        )
    batch = rows_of(*({**row, "ip_0": row["ip_1"]} for row in rows))
    for row, found in zip(rows, named(made, batch), strict=True):
        address, day = ipaddress.ip_address(row["ip_1"]), row["end_time_ns"] // DAY
        active = [k for k in kept if address in k["net"] and (k["since"] is None or k["since"] <= day < k["until"])]
        active.sort(key=lambda k: -k["net"].prefixlen)
        hosts = [k["name"] for k in active if k["section"] == "hosts"]
        subnets = [k["name"] for k in active if k["section"] == "subnets"]
        regions = sorted(
            (k for k in active if k["region"]), key=lambda k: (-k["net"].prefixlen, k["section"] != "hosts")
        )
        spans = {"": (0, 65535), "80": (80, 80), "80-90": (80, 90), "443": (443, 443)}
        services = [
            k
            for k in active
            if k["section"] == "services" and spans[k["ports"]][0] <= row["server_port"] <= spans[k["ports"]][1]
        ]
        services.sort(key=lambda k: (-k["net"].prefixlen, spans[k["ports"]][1] - spans[k["ports"]][0]))
        clients = [k for k in active if k["section"] == "services" and not k["ports"]]
        assert found.get("chost_id_1", found["auto_instance_1"]) == (hosts[0] if hosts else "")
        assert found["subnet_1"] == (subnets[0] if subnets else "")
        assert found["region_1"] == (regions[0]["region"] if regions else "")
        assert found["service_1"] == (services[0]["name"] if services else "")
        assert found["service_0"] == (clients[0]["name"] if clients else "")


MISTAKES = """subnets:
  - {name: a, cidr: 10.0.0.0/8}
  - {cidr: 10.0.0.1/8}
  - {name: b, cidr: 10.0.0.0/33, regoin: x}
  - {name: c}
hosts:
  - {name: d, addresses: [], kind: chots}
  - {name: e, addresses: 10.0.0.1, valid_from: soon, valid_to: "2026-01-01"}
  - {name: f, addresses: 10.0.0.2, valid_from: "2026-01-02", valid_to: "2026-01-01", labels: [x]}
  - 17
services:
  - {name: g, cidr: 10.0.0.0/8, ports: [0, 70000, x, 9-8], protocol: sctp}
hots: []
"""


def test_every_mistake_is_told_with_its_line(tmp_path: Path) -> None:
    made = tagger(tmp_path, MISTAKES)
    with pytest.raises(ConfigError) as caught:
        made.load()
    lines = [(problem.line, problem.path) for problem in caught.value.problems]
    assert lines == [
        (3, "subnets.name"), (3, "subnets.cidr"), (4, "subnets.regoin"), (4, "subnets.cidr"), (5, "subnets.cidr"),
        (7, "hosts.addresses"), (7, "hosts.kind"), (8, "hosts.valid_from"), (9, "hosts.valid_to"), (9, "hosts.labels"), (10, "hosts"),
        (12, "services.ports"), (12, "services.ports"), (12, "services.ports"), (12, "services.ports"), (12, "services.protocol"),
        (13, "hots"),
    ]  # fmt: skip
    text = str(caught.value)
    assert "cmdb.yaml:4: subnets.regoin: there is no such key; did you mean 'region'?" in text
    assert "10.0.0.1/8 has host bits set" in text
    assert "did you mean 'chost'?" in text


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        (
            "x.yaml",
            "subnets: [{name: a, cidr: 1.0.0.0/8}, {name: b, cidr: 1.0.0.0/8}]",
            "'b' owns 1.0.0.0/8, which 'a' of",
        ),
        ("x.yaml", "[1, 2]", "expected the sections subnets, hosts and services, found a list"),
        ("x.yaml", "subnets: {a: [", "not valid YAML"),
        ("x.yaml", "a: &a [*a, *a]", "x.yaml:1"),
        ("x.csv", "kind,name,cidr\nsubnet,a\n", "x.csv:2: has 2 fields, but the first line names 3 columns"),
        ("x.csv", "name,cidr\n", "'kind' among them"),
        ("x.csv", 'kind,name,cidr\nsubnett,a,1.0.0.0/8\nsubnet,"a', "'subnett' is no kind"),
        ("x.csv", "kind,name,cidr\nchost,a,1.2.3.999\n", "x.csv:2: hosts.addresses: '1.2.3.999' is not an address"),
        ("x.txt", "", "is named neither .yaml, .yml nor .csv"),
    ],
)
def test_mistakes_in_files(tmp_path: Path, name: str, text: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        tagger(tmp_path, text, name).load()


@pytest.mark.parametrize(
    ("table", "name", "unit"),
    [
        (FLOWS, "time", 1),
        (FLOWS, "end_time", 10**6),
        (FLOWS, "end_time_ns", 10**9),
        ("flow_metrics.network.1m", "time", 1),
        ("flow_metrics.network.1m", "start_time_ns", 10**9),
        ("application_log.log", "time", 1),
        ("event.event", "time", 1),
    ],
)
@pytest.mark.parametrize("typed", [True, False])
def test_the_time_of_a_row_however_it_is_sent(tmp_path: Path, table: str, name: str, unit: int, typed: bool) -> None:
    made = tagger(
        tmp_path,
        """
subnets:
  - {name: old, cidr: 10.0.0.0/8, valid_to: "2001-09-09T01:46:40Z"}
  - {name: new, cidr: 10.0.0.0/8, valid_from: "2001-09-09T01:46:40Z"}
""",
    )
    made.load()
    moments = pa.array([(10**9 - 1) * unit, 10**9 * unit])
    if typed:
        moments = moments.cast(pa.timestamp({1: "s", 10**6: "us", 10**9: "ns"}[unit], "UTC"))
    end = "_0" if table == FLOWS else ""
    data = pa.RecordBatch.from_pydict(
        {f"ip4{end}": pa.array([10 << 24] * 2, pa.uint32()), "is_ipv4": [True, True], name: moments}
    )
    assert [row[f"subnet{end}"] for row in named(made, RecordBatch(table, data))] == ["old", "new"]


async def test_a_missing_file_and_bad_bytes(tmp_path: Path) -> None:
    made = tagger(tmp_path, "")
    (tmp_path / "cmdb.yaml").unlink()
    with pytest.raises(StartError, match="cannot be read: No such file"):
        await made.start()
    (tmp_path / "cmdb.yaml").write_bytes(b"subnets:\xff")
    with pytest.raises(ConfigError, match="is not UTF-8 text: byte 8 is 0xff"):
        made.load()
    await made.stop()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(max_size=200) | st.text(alphabet="subnetshosts:{}[],- \n\"'&*!|>%@`0123456789./#", max_size=200),
    st.sampled_from(["f.yaml", "f.csv"]),
)
def test_any_text_is_read_or_refused(tmp_path: Path, text: str, name: str) -> None:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8", newline="")
    made = FileTagger(build_context(Kind.TAGGER, "file"), FileTaggerConfig(files=(str(file),)))
    with contextlib.suppress(ConfigError):
        made.load()


async def test_a_changed_file_is_read_and_a_wrong_one_is_not(tmp_path: Path) -> None:
    made = tagger(tmp_path, "subnets: [{name: one, cidr: 10.0.0.0/8}]")
    clock = made.context.clock
    assert isinstance(clock, FakeClock)
    await made.start()
    batch = rows_of({"ip_0": "10.0.0.1", "ip_1": "10.0.0.1", "time": 0})
    before = named(made, batch)[0]
    assert before["subnet_0"] == "one"
    assert not await made.look()
    (tmp_path / "cmdb.yaml").write_text("subnets: [{name: two, cidr: 10.0.0.0/8}]  # changed")
    assert await made.look()
    after = named(made, batch)[0]
    assert after["subnet_0"] == "two"
    assert after["subnet_id_0"] != before["subnet_id_0"], "rows that were stored keep the name they had"
    (tmp_path / "cmdb.yaml").write_text("subnets: [{name: two, cidr: 10.0.0.0/99}]")
    assert not await made.look()
    assert named(made, batch)[0]["subnet_0"] == "two"
    state, sentence = made.reports[-1]  # type: ignore[attr-defined]
    assert state == "degraded"
    assert re.search(r"the last good version stays in force: .*cmdb\.yaml:1: subnets\.cidr: '10\.0\.0\.0/99'", sentence)
    await made.stop()


async def test_the_file_is_watched(tmp_path: Path) -> None:
    """By the clock of the app, without anybody asking."""
    from metaflow_core.api import SystemClock

    file = tmp_path / "w.yaml"
    file.write_text("subnets: []")
    context = build_context(Kind.TAGGER, "file", clock=SystemClock())
    made = FileTagger(context, FileTaggerConfig(files=(str(file),), reload_s=0.05))
    await made.start()
    file.write_text("subnets: [{name: two, cidr: 10.0.0.0/8}]")
    async with asyncio.timeout(20):
        while "subnet" not in made.dictionaries():
            await asyncio.sleep(0.05)
    await made.stop()


def test_numbers_are_stable_and_never_given_twice(tmp_path: Path) -> None:
    made = tagger(tmp_path, SHOP)
    made.load()
    first = made.dictionaries()
    numbers = [
        number
        for kind, names in first.items()
        if kind not in ("device", "pod_service", "pod_label", "cloud_tag")
        for number in names
    ]
    assert len(numbers) == len(set(numbers))
    assert all(
        number < 65_536
        for kind in ("region", "az", "vpc", "subnet", "host", "pod_ns", "pod_cluster")
        for number in first[kind]
    )
    again = tagger(
        tmp_path, "hosts: [{name: new, addresses: 10.0.0.1}]\n" + SHOP.replace("hosts:", "# hosts:").split("hosts:")[0]
    )
    again.context.ids.open()
    again.load()
    second = again.dictionaries()
    for kind, names in first.items():
        if kind not in ("pod_label", "cloud_tag"):
            assert names.items() <= second[kind].items(), "names of numbers in older rows are kept"
    assert not set(second["chost"]) & set(numbers)


async def test_broken_ids_are_told(tmp_path: Path) -> None:
    made = tagger(tmp_path, SHOP)
    made.load()
    (tmp_path / "data" / "ids.json").write_text('{"ids": 3')
    with pytest.raises(StartError, match=r"ids\.json: holds the ids that stored rows refer to, and cannot be read"):
        await tagger(tmp_path, SHOP).start()


def test_names_for_storages(tmp_path: Path) -> None:
    made = tagger(tmp_path, SHOP)
    assert made.names(0) == (0, ())
    made.load()
    position, found = made.names(0)
    assert {each.dictionary: each.names for each in found} == made.dictionaries()
    assert made.names(position) == (position, ())
    made.load()
    assert made.names(position) == (position, ()), "what was told already is not told again"


@pytest.fixture
def page(tmp_path: Path) -> str:
    """The how-to, with its files and the capture it speaks of beside each other."""
    text = (ROOT / "docs" / "how-to" / "tag-from-a-file.md").read_text()
    for name, content in re.findall(r"<!-- file (\S+) -->\n```\w+\n(.*?)```", text, re.DOTALL):
        (tmp_path / name).write_text(content)
    (tmp_path / "shop.pcap").symlink_to(ROOT / "tests" / "captures" / "shop.pcap")
    return text


def test_the_program_of_the_page_runs(tmp_path: Path, page: str) -> None:
    program = re.search(r"<!-- run -->\n```python\n(.*?)```", page, re.DOTALL)
    assert program is not None
    done = subprocess.run([sys.executable, "-c", program[1]], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 10
    assert not any("'l3_epc_id_1': 0" in line for line in done.stdout.splitlines()), done.stdout


async def test_real_traffic(tmp_path: Path, page: str) -> None:
    """The rows of a capture of real servers, through a pipeline into a storage, asked for by names."""
    import metaflow_core as mf
    from metaflow_core.model.expression import Ref
    from metaflow_core.query import Aggregate, Fold, Named, Scan

    config = {
        "collectors": {"pcap": {"files": [str(tmp_path / "shop.pcap")]}},
        "taggers": {"file": {"files": [str(tmp_path / "cmdb.yaml"), str(tmp_path / "more.csv")]}},
        "pipelines": {"shop": {"collectors": ["pcap"], "parsers": ["*"], "taggers": ["file"], "storages": ["memory"]}},
    }
    async with mf.App(config, autoload=True) as app:
        await app.wait()
        components = {str(key[1]): unit.component for key, unit in app._runtime.generation.units.items()}
        storage: Any = components["memory"]
        for dictionary, names in components["file"].dictionaries().items():  # type: ignore[attr-defined]
            storage.learn(dictionary, names)
        keys = tuple(
            Named(tag, Ref(tag)) for tag in ("auto_instance_0", "auto_service_1", "vpc_1", "cloud.tag.owner_1")
        )
        plan = Aggregate(Scan(FLOWS), keys, (Fold("requests", "count"),))
        found = (await storage.execute(plan)).to_pylist()
        flows = (await storage.execute(Aggregate(Scan("l4_flow_log"), keys[:3], (Fold("n", "count"),)))).to_pylist()
    assert {row["auto_instance_0"] for row in found} == {"workbench"}
    assert {row["vpc_1"] for row in found} == {"test"}
    assert {row["cloud.tag.owner_1"] for row in found} == {"me"}
    by_service = {row["auto_service_1"]: row["requests"] for row in found}
    assert {"storefront", "cache", "workbench"} <= set(by_service)
    assert {"storefront", "cache"} <= {row["auto_service_1"] for row in flows}
