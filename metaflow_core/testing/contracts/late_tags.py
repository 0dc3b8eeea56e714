"""The contract of storages that put late tags on their rows (:class:`metaflow_core.api.LateTagsKeeper`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from metaflow_core.api import Kind, RecordBatch
from metaflow_core.model.expression import Ref
from metaflow_core.query.plan import Aggregate, Fold, Named, Scan

__all__ = ["LateTagsContract"]

_LOG, _METRICS = "flow_log.l7_flow_log", "flow_metrics.application.1m"
_S = 10**9
_OF = 0x0A000000
_SIX = bytes.fromhex("20010db8000000000000000000000005")


class LateTagsContract:
    """Inherit it beside :class:`StorageContract` and :class:`NamesContract`."""

    async def test_rows_get_the_tags_that_came_after_them(self, running: Any) -> None:
        """Both ends, IPv4 and IPv6, with the name; asked again there is nothing more to do."""
        await _write(running, [(100, 5, 6, 0), (110, 6, 5, 0), (120, 7, 7, 0)])
        await _write_six(running, 130)
        tagger = await _tagger(running, [("web", 5, 0, None), ("db", 6, 0, None), ("six", _SIX, 0, None)])
        assert await running.retag(_LOG, 0, 1_000, tagger) == 5
        assert await _counted(running, "pod_0") == {"web": 1, "db": 1, "": 1, "six": 1}
        assert await _counted(running, "pod_1") == {"web": 1, "db": 1, "": 2}
        assert await _counted(running, "region_0") == {"north": 3, "": 1}
        assert (await _counted(running, "auto_instance_0")).keys() == {"web", "db", "10.0.0.7", "six"}
        assert await running.retag(_LOG, 0, 1_000, tagger) == 0

    async def test_only_rows_of_the_time_of_a_tag_get_it(self, running: Any) -> None:
        """An address that was another's, or nobody's, before keeps that; and so do rows outside of the range asked for."""
        await _write(running, [(at, 5, 9, 0) for at in (100, 200, 300, 400)])
        tagger = await _tagger(running, [("old", 5, 150, 250), ("new", 5, 250, None)])
        assert await running.retag(_LOG, 0, 400, tagger) == 2
        assert await _counted(running, "pod_0") == {"": 2, "old": 1, "new": 1}
        assert await running.retag(_LOG, 400, 401, tagger) == 1
        assert await _counted(running, "pod_0") == {"": 1, "old": 1, "new": 2}

    async def test_what_stands_in_a_row_stays(self, running: Any) -> None:
        """A row with a number is another one's business, and rows keep everything else that they hold."""
        await _write(running, [(100, 5, 6, 77), (110, 5, 6, 0)])
        tagger = await _tagger(running, [("web", 5, 0, None)])
        assert await running.retag(_LOG, 0, 1_000, tagger) == 1
        rows = (await running.execute(Scan(_LOG, ("flow_id", "auto_instance_id_0", "endpoint")))).sort_by("flow_id")
        assert rows.column("endpoint").to_pylist() == ["at 100", "at 110"]
        assert rows.column("auto_instance_id_0").to_pylist()[0] == 77
        assert rows.column("auto_instance_id_0").to_pylist()[1] not in (0, 77)

    async def test_tables_without_addresses_have_nothing_to_tag(self, running: Any) -> None:
        """Nor have empty ones."""
        tagger = await _tagger(running, [("web", 5, 0, None)])
        for table in ("flow_log.explain", "prometheus.samples", _LOG, _METRICS):
            assert await running.retag(table, 0, 1_000, tagger) == 0


async def _tagger(storage: Any, pods: Sequence[tuple[str, int | bytes, int, int | None]]) -> Any:
    """A tagger of the core that knows pods by name, address, and seconds from when to when; the storage is told their names."""
    from ipaddress import ip_address

    from metaflow_core.tagging import LATEST, AddressTagger, Entry, Section, network
    from metaflow_core.testing.context import build_context

    tagger = AddressTagger(build_context(Kind.TAGGER, "late"))
    await tagger.start()
    tagger.learn(
        [
            Entry(
                section=Section.HOSTS,
                name=name,
                networks=(network(str(ip_address(own if isinstance(own, bytes) else _OF + own))),),
                dictionary="pod",
                type=10,
                attributes={"region": "north"},
                valid_from=start * _S,
                valid_to=LATEST if end is None else end * _S,
            )
            for name, own, start, end in pods
        ]
    )
    for names in tagger.names(0)[1]:
        learnt = storage.learn(names.dictionary, names.names, names.valid_from_s)
        if learnt is not None:
            await learnt

    async def tags(batch: RecordBatch) -> RecordBatch:
        return tagger.tag(batch)

    return tags


async def _write(storage: Any, rows: Sequence[tuple[int, int, int, int]]) -> None:
    """Second, last octets of client and server, number of the client."""
    import pyarrow as pa

    columns = {
        "time": pa.array([at for at, *_ in rows], pa.int64()),
        "flow_id": pa.array([at for at, *_ in rows], pa.uint64()),
        "ip4_0": pa.array([_OF + client for _, client, _, _ in rows], pa.uint32()),
        "ip4_1": pa.array([_OF + server for _, _, server, _ in rows], pa.uint32()),
        "is_ipv4": pa.array([True] * len(rows)),
        "auto_instance_id_0": pa.array([number for *_, number in rows], pa.uint32()),
        "auto_service_id_0": pa.array([number for *_, number in rows], pa.uint32()),
        "endpoint": pa.array([f"at {at}" for at, *_ in rows]),
    }
    await storage.write(RecordBatch(_LOG, pa.RecordBatch.from_pydict(columns)))


async def _write_six(storage: Any, at: int) -> None:
    import pyarrow as pa

    columns = {
        "time": pa.array([at], pa.int64()),
        "flow_id": pa.array([at], pa.uint64()),
        "ip6_0": pa.array([_SIX], pa.binary(16)),
        "ip6_1": pa.array([bytes(16)], pa.binary(16)),
        "is_ipv4": pa.array([False]),
    }
    await storage.write(RecordBatch(_LOG, pa.RecordBatch.from_pydict(columns)))


async def _counted(storage: Any, tag: str) -> dict[str, int]:
    plan = Aggregate(Scan(_LOG), (Named("tag", Ref(tag)),), (Fold("n", "count"),))
    return {row["tag"]: row["n"] for row in (await storage.execute(plan)).to_pylist()}
