"""The collector: tshark reads the file, each application layer of each packet becomes a row."""

from __future__ import annotations

import asyncio
import ipaddress
import shutil
import threading
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metaflow_collector_pyshark.config import PysharkConfig
from metaflow_collector_pyshark.mapping import columns_of, load_dissectors
from metaflow_core.api import BuildContext, Emit, EmitEnded, RecordBatch, Resource, ThreadEmit
from metaflow_core.errors import InputError, UnavailableError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["PysharkCollector"]

_TABLE = "flow_log.l7_message"
_ROWS = 1024
_BELOW = frozenset(
    {
        "eth", "vlan", "sll", "null", "raw", "frame", "ip", "ipv6", "arp", "tcp", "udp", "icmp", "icmpv6", "gre", "vxlan",
        "geneve", "sctp", "data", "tcp.segments", "fake-field-wrapper",
    }
)  # fmt: skip


class PysharkCollector:
    """Reads capture files through tshark to their end, then returns."""

    def __init__(self, context: BuildContext, config: PysharkConfig) -> None:
        self._context = context
        self._config = config
        self._dissectors = load_dissectors()
        self._stopping = threading.Event()

    def resources(self) -> Iterable[Resource]:
        """Nothing exclusive."""
        return ()

    async def start(self) -> None:
        """Find tshark and look whether the files are there.

        :raises UnavailableError: tshark is missing. :raises InputError: a file is.
        """
        self._stopping.clear()
        tshark = self._config.tshark or "tshark"
        if shutil.which(tshark) is None:
            raise UnavailableError(f"{tshark} is not installed; run: apt-get install tshark (or set the option tshark)")
        for name in self._config.files:
            if not Path(name).is_file():
                raise InputError(f"{name}: there is no such file")

    async def stop(self) -> None:
        """End the reading. Idempotent."""
        self._stopping.set()

    async def run(self, emit: Emit) -> None:
        """Emit the rows of every file."""
        hand = ThreadEmit(emit, self._stopping)

        def work() -> None:
            # pyshark drives tshark with an event loop of its own, which must not be the app's
            own = asyncio.new_event_loop()
            asyncio.set_event_loop(own)
            try:
                for batch in self.batches(own):
                    if not hand(batch):
                        self._context.counters.add("dropped", batch.data.num_rows, reason="stopping", unit="rows")
            except EmitEnded:
                return
            finally:
                asyncio.set_event_loop(None)
                own.close()

        try:
            await asyncio.to_thread(work)
        finally:
            self._stopping.set()

    def batches(self, loop: asyncio.AbstractEventLoop) -> Iterator[RecordBatch]:
        """The rows of every file, a thousand at a time."""
        rows: list[dict[str, Any]] = []
        for name in self._config.files:
            for row in self._rows(name, loop):
                rows.append(row)
                if len(rows) >= _ROWS:
                    yield self._batch(rows)
                    rows = []
        if rows:
            yield self._batch(rows)

    def _rows(self, name: str, loop: asyncio.AbstractEventLoop) -> Iterator[dict[str, Any]]:
        import pyshark
        from pyshark.capture.capture import TSharkCrashException

        capture = pyshark.FileCapture(
            name,
            display_filter=self._config.filter,
            keep_packets=False,
            tshark_path=self._config.tshark and shutil.which(self._config.tshark),
            eventloop=loop,
            # names are looked up nowhere: a capture must not cause traffic
            custom_parameters=["-n"],
        )
        try:
            for packet in capture:
                if self._stopping.is_set():
                    return
                self._context.counters.add("received", 1, unit="packets")
                yield from self._packet(packet)
        except TSharkCrashException as error:
            self._failed(name, error)
        finally:
            try:
                capture.close()
            except TSharkCrashException as error:
                self._failed(name, error)
            # pyshark 0.6 closes a crashed tshark once more when it is collected, on a loop that is gone by then
            capture._running_processes.clear()  # noqa: SLF001

    def _failed(self, name: str, error: Exception) -> None:
        self._context.counters.add("frames", 1, reason="tshark_failed", unit="errors")
        self._context.logger.warning("%s: tshark ended with an error: %s.", name, str(error).strip())

    def _packet(self, packet: Any) -> Iterator[dict[str, Any]]:
        common = _addresses(packet)
        for layer in packet.layers:
            name = layer.layer_name.lower()
            if name in _BELOW or (self._config.layers and name not in self._config.layers):
                continue
            row = columns_of(
                layer,
                self._dissectors.get(name),
                max_attributes=self._config.max_attributes,
                max_value_bytes=self._config.max_value_bytes,
            )
            yield {**common, **_oriented(common, row["type"]), **row}

    def _batch(self, rows: list[dict[str, Any]]) -> RecordBatch:
        import pyarrow as pa

        from metaflow_core.model.catalog.arrow import arrow_schema
        from metaflow_core.model.catalog.conform import conform

        table = self._context.catalog.table(_TABLE)
        schema = arrow_schema(table)
        names = [field.name for field in schema if any(field.name in row for row in rows)]
        data: pa.RecordBatch = pa.record_batch(
            {name: pa.array([row.get(name) for row in rows], schema.field(name).type) for name in names}
        )
        return RecordBatch(_TABLE, conform(data, table))


def _addresses(packet: Any) -> dict[str, Any]:
    """Addresses, ports and time of a packet, as it was sent: from ``_source`` to ``_target``."""
    ip = getattr(packet, "ip", None) or getattr(packet, "ipv6", None)
    transport = str(packet.transport_layer or "").lower()
    ports = getattr(packet, transport, None) if transport else None
    found: dict[str, Any] = {
        "time_ns": round(float(packet.sniff_timestamp) * 1e9),
        "_ends": (
            (str(ip.src) if ip is not None else "", int(ports.srcport) if ports is not None else 0),
            (str(ip.dst) if ip is not None else "", int(ports.dstport) if ports is not None else 0),
        ),
        "protocol": {"tcp": 6, "udp": 17}.get(transport, 0),
        "_stream": f"{transport}.{getattr(ports, 'stream', '')}",
    }
    return found


def _oriented(common: dict[str, Any], kind: int) -> dict[str, Any]:
    """Client and server: an answer's sender is the server; what is neither request nor answer goes by the lower port."""
    source, target = common["_ends"]
    to_client = kind == 1 or (kind == 2 and source[1] < target[1])
    client, server = (target, source) if to_client else (source, target)
    row: dict[str, Any] = {"direction": int(to_client), "client_port": client[1], "server_port": server[1]}
    for suffix, (address, _) in (("_0", client), ("_1", server)):
        if not address:
            continue
        parsed = ipaddress.ip_address(address)
        row["is_ipv4"] = parsed.version == 4
        row[f"ip{parsed.version}{suffix}"] = int(parsed) if parsed.version == 4 else parsed.packed
    key = f"{sorted((client, server))}{common['_stream']}"
    row["flow_id"] = zlib.crc32(key.encode()) | zlib.adler32(key.encode()) << 32
    return row
