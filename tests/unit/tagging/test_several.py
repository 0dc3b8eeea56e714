"""Several taggers on one row: each adds what it knows, and what is more exact is put in the place of what is less."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pyarrow as pa
import pytest

from metaflow_core.api import IdBook, Kind, RecordBatch
from metaflow_core.tagging import AddressTagger, Entry, Section, network
from metaflow_core.testing import FakeClock, build_context

_POD, _HOST, _CHOST, _SERVICE, _DEPLOYMENT = 10, 6, 1, 102, 130


class Taggers:
    """Taggers of one app."""

    def __init__(self) -> None:
        self.book = IdBook(None)
        self.all: dict[str, AddressTagger] = {}

    def add(self, name: str, *entries: Entry, **options: bool) -> None:
        self.all[name] = AddressTagger(replace(build_context(Kind.TAGGER, clock=FakeClock()), ids=self.book), **options)
        self.all[name].learn(entries)

    def row(self, order: str, address: str, port: int = 8080) -> dict[str, Any]:
        """Both ends have the address; names of numbers."""
        columns = {f"ip4_{end}": pa.array([int(ip_address(address))], pa.uint32()) for end in (0, 1)}
        columns |= {
            "is_ipv4": pa.array([True]),
            "server_port": pa.array([port], pa.uint16()),
            "protocol": pa.array([6], pa.uint8()),
        }
        batch = RecordBatch("flow_log.l7_flow_log", pa.record_batch(columns))
        for name in order.split():
            batch = self.all[name].tag(batch)
        row: dict[str, Any] = batch.data.to_pylist()[0]
        return {
            name: self.book.name(value) if "_id_" in name and value > 0 else value
            for name, value in row.items()
            if value
        }


@pytest.fixture
def taggers() -> Taggers:
    made = Taggers()
    of_pod = {"cluster": "c", "namespace": "shop", "node": "n1", "workload": "web"}
    pod = Entry(section=Section.HOSTS, name="web-1", networks=(network("10.1.0.5"),), dictionary="pod", type=_POD,
                group_type=_DEPLOYMENT, attributes=of_pod)  # fmt: skip
    made.add("kubernetes", pod)
    place = {"vpc": "prod", "region": "eu", "az": "eu-a"}
    vm = Entry(
        section=Section.HOSTS,
        name="vm",
        networks=(network("10.1.0.9"),),
        dictionary="chost",
        type=_CHOST,
        attributes={"host": "hyp"},
    )
    made.add(
        "cloud", Entry(section=Section.SUBNETS, name="sub", networks=(network("10.1.0.0/16"),), attributes=place), vm
    )
    service = Entry(
        section=Section.SERVICES, name="checkout", networks=(network("10.1.0.5"),), type=_SERVICE, ports=((8080, 8080),)
    )
    machine = Entry(
        section=Section.HOSTS, name="machine", networks=(network("10.1.0.9"),), dictionary="host", type=_HOST
    )
    made.add("registry", service, machine)
    made.add(
        "file",
        Entry(section=Section.SUBNETS, name="office", networks=(network("172.16.0.0/16"),)),
        unknown_is_internet=True,
    )
    return made


@pytest.mark.parametrize(
    "order", ["kubernetes registry cloud", "cloud kubernetes registry", "registry cloud kubernetes"]
)
def test_universal_tags_of_all_sources_at_both_ends(taggers: Taggers, order: str) -> None:
    row = taggers.row(order, "10.1.0.5")
    for end in ("_0", "_1"):
        found = {name.removesuffix(end): value for name, value in row.items() if name.endswith(end)}
        assert (found["region_id"], found["az_id"], found["l3_epc_id"], found["subnet_id"]) == (
            "eu",
            "eu-a",
            "prod",
            "sub",
        )
        assert (found["pod_id"], found["pod_node_id"], found["pod_ns_id"], found["pod_group_id"]) == (
            "web-1",
            "n1",
            "shop",
            "web",
        )
        assert (found["auto_instance_id"], found["auto_instance_type"]) == ("web-1", _POD)
    assert (row["service_id_1"], row["auto_service_id_1"], row["auto_service_type_1"]) == (
        "checkout",
        "checkout",
        _SERVICE,
    )
    assert (row["auto_service_id_0"], row["auto_service_type_0"]) == ("web", _DEPLOYMENT), "the port is the server's"


def test_another_port_is_not_the_services(taggers: Taggers) -> None:
    row = taggers.row("kubernetes registry cloud", "10.1.0.5", 9)
    assert (row["auto_service_id_1"], row["auto_service_type_1"]) == ("web", _DEPLOYMENT)
    assert "service_id_1" not in row


def test_a_service_that_stands_is_not_overruled(taggers: Taggers) -> None:
    mine = Entry(section=Section.SERVICES, name="mine", networks=(network("10.1.0.5"),), type=_SERVICE)
    taggers.add("mine", mine)
    row = taggers.row("mine registry kubernetes", "10.1.0.5")
    assert (row["service_id_1"], row["auto_service_id_1"], row["auto_service_type_1"]) == ("mine", "mine", _SERVICE)


def test_hearsay_takes_the_place_of_nothing(taggers: Taggers) -> None:
    said = Entry(section=Section.SERVICES, name="evil.test", networks=(network("10.1.0.5"), network("10.1.0.7")))
    taggers.add("seen", said, is_hearsay=True)
    for order in ("kubernetes seen", "registry kubernetes seen"):
        assert taggers.row(order, "10.1.0.5")["auto_service_id_1"] != "evil.test", "a client wrote it into Host"
    assert taggers.row("kubernetes seen", "10.1.0.5")["auto_service_type_1"] == _DEPLOYMENT
    assert taggers.row("kubernetes seen", "10.1.0.7")["auto_service_id_1"] == "evil.test", "nobody knows better"


def test_a_bare_host_carries_another_device(taggers: Taggers) -> None:
    row = taggers.row("registry cloud", "10.1.0.9")
    assert (row["host_id_1"], row["l3_device_id_1"], row["l3_device_type_1"]) == ("machine", "vm", _CHOST)
    row = taggers.row("cloud registry", "10.1.0.9")
    assert (row["l3_device_id_1"], row["l3_device_type_1"]) == ("vm", _CHOST)


def test_what_somebody_knows_is_not_on_the_internet(taggers: Taggers) -> None:
    assert taggers.row("file", "10.1.0.5")["l3_epc_id_1"] == -2
    assert taggers.row("file cloud", "10.1.0.5")["l3_epc_id_1"] == "prod"
    assert "l3_epc_id_1" not in taggers.row("file kubernetes", "10.1.0.5"), "a pod is not, though nobody names its VPC"
    assert taggers.row("file cloud", "8.8.8.8")["l3_epc_id_1"] == -2
