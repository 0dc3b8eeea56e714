"""What is known after any row of changes is what would be known had it all been told at once, and what a look at every entry says."""

from __future__ import annotations

import random
from ipaddress import ip_address

import numpy as np
import pyarrow as pa
import pytest

from metaflow_core.api import Kind, RecordBatch, SystemClock
from metaflow_core.tagging import EARLIEST, LATEST, AddressTagger, Entry, Network, Section, network
from metaflow_core.testing import build_context

_SPAN = 64


def _entry(chance: random.Random, number: int) -> Entry:
    section = chance.choice([Section.HOSTS, Section.HOSTS, Section.SUBNETS, Section.SERVICES])
    version = chance.choice([4, 6])
    bits = 32 if version == 4 else 128
    base = int(ip_address("10.0.0.0" if version == 4 else "2001:db8::"))
    prefix = bits - (0 if section is Section.HOSTS else chance.randrange(4))
    size = 1 << (bits - prefix)
    first = base + chance.randrange(_SPAN) // size * size
    begin, end = sorted(chance.sample(range(20), 2))
    low = chance.randrange(100)
    return Entry(
        section=section,
        name=f"n{number}",
        networks=(Network(version, first, first + size - 1, prefix),),
        dictionary="pod" if section is Section.HOSTS else "",
        type=10 if section is Section.HOSTS else 0,
        ports=((low, low + chance.randrange(20)),) if section is Section.SERVICES and chance.random() < 0.7 else (),
        protocol=chance.choice([0, 6, 17]) if section is Section.SERVICES else 0,
        attributes={"namespace": f"ns{number % 3}"} if chance.random() < 0.5 else {},
        valid_from=chance.choice([EARLIEST, begin]),
        valid_to=chance.choice([LATEST, end]),
        rank=chance.randrange(3),
    )


def _rows(count: int, seed: int) -> RecordBatch:
    chance = np.random.default_rng(seed)
    four = chance.integers(0, 2, count).astype(bool)
    offset = chance.integers(-2, _SPAN + 2, count)
    six_base = int(ip_address("2001:db8::"))
    columns = {
        "end_time": pa.array(chance.integers(0, 20, count) // 1, pa.int64()).cast(pa.timestamp("us", "UTC")),
        "ip4_1": pa.array((int(ip_address("10.0.0.0")) + offset).astype(np.uint32)),
        "ip6_1": pa.array([(six_base + int(each)).to_bytes(16, "big") for each in offset], pa.binary(16)),
        "is_ipv4": pa.array(four),
        "server_port": pa.array(chance.integers(0, 120, count).astype(np.uint16)),
        "protocol": pa.array(chance.choice([6, 17], count).astype(np.uint8)),
    }
    return RecordBatch("flow_log.l7_flow_log", pa.record_batch(columns))


def _tagger() -> AddressTagger:
    return AddressTagger(build_context(Kind.TAGGER, clock=SystemClock()))


def _named(tagger: AddressTagger, batch: RecordBatch) -> list[dict[str, object]]:
    names = {number: text for texts in tagger.dictionaries().values() for number, text in texts.items()}
    wanted = ("pod_id_1", "pod_ns_id_1", "subnet_id_1", "service_id_1", "auto_service_id_1")
    rows = tagger.tag(batch).data
    return [
        {name: names.get(row[name]) for name in wanted if row.get(name)} | {"kind": row["auto_service_type_1"]}
        for row in rows.select([*wanted, "auto_service_type_1"]).to_pylist()
    ]


@pytest.mark.parametrize("seed", range(4))
def test_any_row_of_changes_is_the_same_as_all_at_once(seed: int) -> None:
    chance = random.Random(seed)
    changed = _tagger()
    held: list[Entry] = []
    number = 0
    for _ in range(30):
        gone = chance.sample(held, min(len(held), chance.randrange(4)))
        come = [_entry(chance, number + each) for each in range(chance.randrange(6))]
        number += len(come)
        marks = {id(entry) for entry in gone}
        held = [entry for entry in held if id(entry) not in marks] + come
        if chance.random() < 0.3:
            changed.learn(held)
        else:
            changed.revise(gone, come)
    whole = _tagger()
    whole.learn(held)
    batch = _rows(500, seed)
    assert _named(changed, batch) == _named(whole, batch)
    assert changed.entries == len(held)
    rows = batch.data.to_pylist()
    for row, found in zip(rows, _named(changed, batch), strict=True):
        at_ns = row["end_time"].value if hasattr(row["end_time"], "value") else int(row["end_time"].timestamp() * 1e9)
        assert found.get("pod_id_1") == _host(held, row, at_ns)


def _host(held: list[Entry], row: dict[str, object], at_ns: int) -> str | None:
    """The same, by looking at every entry."""
    address = row["ip4_1"] if row["is_ipv4"] else int.from_bytes(row["ip6_1"], "big")  # type: ignore[arg-type]
    version = 4 if row["is_ipv4"] else 6
    fits = [
        (entry.rank, place, entry.name)
        for place, entry in enumerate(held)
        if entry.section is Section.HOSTS
        and entry.valid_from <= at_ns < entry.valid_to
        and any(net.version == version and net.first <= address <= net.last for net in entry.networks)  # type: ignore[operator]
    ]
    return min(fits)[2] if fits else None


def test_churn_leaves_nothing_behind() -> None:
    """Pods that come and go for ever: what is held for looking up stays as large as what is known."""
    tagger = _tagger()
    held: list[Entry] = []
    for round_ in range(200):
        come = [
            Entry(
                section=Section.HOSTS,
                name=f"p{each}",
                networks=(network(f"10.0.{round_ % 16}.{each}"),),
                dictionary="pod",
                type=10,
                valid_from=round_,
            )
            for each in range(50)
        ]
        tagger.revise(held, come)
        held = come
    lookup = tagger._lookup
    assert lookup is not None
    assert lookup.entries == 50
    assert len(lookup.four.starts) < 200
    assert len(lookup.instances) < 9_000


def test_what_is_not_held_is_passed_over() -> None:
    tagger = _tagger()
    one = Entry(section=Section.HOSTS, name="a", networks=(network("10.0.0.1"),), dictionary="pod", type=10)
    tagger.revise([one], [one, one])
    tagger.revise([], [one])
    assert tagger.entries == 1
    tagger.revise([one], [])
    assert tagger.entries == 0
