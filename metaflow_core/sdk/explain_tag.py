"""Which tagger says what of an address, and whose word is put on rows."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from metaflow_core.api.clock import SystemClock
from metaflow_core.api.components import NamesSource, RecordBatch
from metaflow_core.api.identity import Kind
from metaflow_core.config.document import Source
from metaflow_core.errors import InputError
from metaflow_core.hooks.status import ComponentState
from metaflow_core.model.catalog import Catalog, Table
from metaflow_core.pipeline.board import StatusBoard
from metaflow_core.pipeline.builder import Builder
from metaflow_core.pipeline.unit import Unit
from metaflow_core.sdk.loading import Loading, open_host
from metaflow_core.sdk.vocabulary import catalog_of

__all__ = ["Said", "TagQuestion", "explain_tag"]

_TABLE = "flow_log.l7_flow_log"
_END = "_1"


@dataclass(frozen=True, slots=True, kw_only=True)
class TagQuestion:
    """What is asked about.

    :ivar address: IPv4 or IPv6. :ivar port: a server's port, 0 for none. :ivar protocol: 6 TCP, 17 UDP.
    :ivar time_ns: the row's time in nanoseconds since 1970; None for now.
    """

    address: str
    port: int = 0
    protocol: int = 6
    time_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """One tagger's word.

    :ivar tagger: its id. :ivar tags: tag to name, by itself alone. :ivar counted: the tags of which it is the one that counts.
    :ivar problem: why it could not be asked, or what it reports of itself; empty when all is well.
    """

    tagger: str
    tags: Mapping[str, str]
    counted: frozenset[str] = field(default_factory=frozenset)
    problem: str = ""


async def explain_tag(sources: Sequence[Source], question: TagQuestion, *, sets: Sequence[str] = ()) -> list[Said]:
    """Ask every tagger of a configuration, in the order in which they are configured. Nothing else of it is started.

    :raises ConfigError: the configuration has mistakes. :raises InputError: the address is none.
    """
    try:
        address = ipaddress.ip_address(question.address)
    except ValueError:
        raise InputError(f"{question.address!r} is no IPv4 or IPv6 address") from None
    clock = SystemClock()
    loading = Loading(sources=tuple(sources), sets=tuple(sets))
    document = loading.document()
    host = open_host(document, autoload=True)
    loaded = loading.load(document, host)
    catalog = catalog_of(host)
    said: dict[str, str] = {}
    board = StatusBoard(
        clock,
        lambda status: said.__setitem__(
            str(status.id), "" if status.state is ComponentState.RUNNING else status.message
        ),
    )
    builder = Builder(host, catalog, clock, board)
    units = [builder.unit(loaded, (Kind.TAGGER, each.id, "")) for each in loaded.of_kind(Kind.TAGGER)]
    found: list[Said] = []
    names: dict[str, dict[int, str]] = {}
    last: dict[str, str] = {}
    broken: dict[str, str] = {}
    try:
        for unit in units:
            try:
                unit.build()
                await unit.component.start()
            except Exception as error:  # noqa: BLE001 - one tagger's trouble must not hide what the others know
                broken[str(unit.config.id)] = str(error)
        # "now" is after all have looked: what one sees at its first look has no past.
        batch = merged = _row(address, question, clock.time_ns() if question.time_ns is None else question.time_ns)
        for unit in units:
            cid = str(unit.config.id)
            try:
                if cid in broken:
                    found.append(Said(cid, {}, problem=broken[cid]))
                    continue
                alone, merged = await _ask(unit, batch, merged, names)
            except Exception as error:  # noqa: BLE001 - as above
                found.append(Said(cid, {}, problem=str(error)))
                continue
            last = _tags(merged, catalog.table(_TABLE), names, catalog)
            found.append(Said(cid, _tags(alone, catalog.table(_TABLE), names, catalog), problem=said.get(cid, "")))
    finally:
        for unit in units:
            if unit.component is not None:
                await unit.component.stop()
    return _winners(found, last)


async def _ask(
    unit: Unit, batch: RecordBatch, merged: RecordBatch, names: dict[str, dict[int, str]]
) -> tuple[RecordBatch, RecordBatch]:
    alone, merged = (
        await asyncio.to_thread(unit.component.tag, batch),
        await asyncio.to_thread(unit.component.tag, merged),
    )
    if isinstance(unit.component, NamesSource):
        for each in unit.component.names(0)[1]:
            names.setdefault(each.dictionary, {}).update(each.names)
    return alone, merged


def _winners(found: Sequence[Said], last: Mapping[str, str]) -> list[Said]:
    """Of several that say something, the first whose word stands in the end."""
    taken: set[str] = set()
    out: list[Said] = []
    for each in found:
        won = frozenset(tag for tag, name in each.tags.items() if tag not in taken and last.get(tag) == name)
        taken |= won
        out.append(Said(each.tagger, each.tags, won, each.problem))
    return out


def _row(address: ipaddress.IPv4Address | ipaddress.IPv6Address, question: TagQuestion, time_ns: int) -> RecordBatch:
    import pyarrow as pa

    four = address.version == 4
    columns = {
        "end_time": pa.array([time_ns // 1000], pa.int64()).cast(pa.timestamp("us", "UTC")),
        "ip4_0": pa.array([0], pa.uint32()),
        "ip6_0": pa.array([bytes(16)], pa.binary(16)),
        "ip4_1": pa.array([int(address) if four else 0], pa.uint32()),
        "ip6_1": pa.array([bytes(16) if four else address.packed], pa.binary(16)),
        "is_ipv4": pa.array([four]),
        "server_port": pa.array([question.port], pa.uint16()),
        "protocol": pa.array([question.protocol], pa.uint8()),
    }
    return RecordBatch(_TABLE, pa.record_batch(columns))


def _tags(batch: RecordBatch, table: Table, names: Mapping[str, Mapping[int, str]], catalog: Catalog) -> dict[str, str]:
    """Tag to name at the row's server end; numbers without a name stay numbers."""
    row: dict[str, Any] = batch.data.to_pylist()[0]
    out: dict[str, str] = {}
    for tag in table.tags:
        if not tag.name.endswith(_END) or not tag.dictionary or not _applies(tag.when, row):
            continue
        ids = [row.get(key) or 0 for key in tag.key if key.endswith(f"_id{_END}")]
        known = names.get(tag.dictionary, {})
        texts = [known[number] for number in ids if number in known]
        if texts:
            out[tag.name.removesuffix(_END)] = texts[0]
        elif any(ids) and tag.kind == "resource":
            out[tag.name.removesuffix(_END)] = str(next(number for number in ids if number))
    for name, enum in (("auto_instance_type", "auto_instance_type"), ("auto_service_type", "auto_service_type")):
        value = row.get(f"{name}{_END}")
        if value:
            out[name] = catalog.enum(enum).name_of(value)
    if out.get("pod_service") and out.get("pod_service") == out.get("service"):
        del out["pod_service"]
    return out


def _applies(when: str, row: Mapping[str, Any]) -> bool:
    """Conditions of tags that are resolved by number are of one form: ``column = number``."""
    column, _, number = when.partition(" = ")
    return not when or row.get(column) == int(number)
