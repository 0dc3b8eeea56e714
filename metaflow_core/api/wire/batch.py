"""Writing an ``MFB1`` batch: for tests, tools and collectors of segments."""

from __future__ import annotations

from metaflow_core.api import abi
from metaflow_core.api.wire.segments import BATCH_HEADER, SEGMENT_HEADER

__all__ = ["BatchBuilder"]

_MASK_64 = (1 << 64) - 1


class BatchBuilder:
    """Builds a batch segment by segment; stream offsets are counted for each session and direction.

    >>> batch = BatchBuilder()
    >>> batch.data(b"get a", session_id=1)
    >>> batch.close(session_id=1)
    >>> len(batch)
    2
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._offsets: dict[tuple[int, int], int] = {}

    def __len__(self) -> int:
        return len(self._parts)

    def data(
        self,
        payload: bytes | bytearray | memoryview,
        *,
        session_id: int = 1,
        direction: int = abi.DIRECTION_C2S,
        timestamp_ns: int = 0,
        stream_offset: int | None = None,
        wire_len: int | None = None,
        transport: int = abi.TRANSPORT_TCP,
        flags: int = 0,
        server_port: int = 0,
        client_port: int = 0,
    ) -> None:
        """Add captured bytes.

        :param stream_offset: where they stand in their direction; default behind what came before.
        :param wire_len: bytes on the wire, when the capture kept fewer; the segment is then flagged as truncated.
        """
        length = len(payload) if wire_len is None else max(wire_len, len(payload))
        if length > len(payload):
            flags |= abi.SEGMENT_FLAG_TRUNCATED
        self._add(
            abi.SEGMENT_KIND_DATA, session_id, direction, timestamp_ns, stream_offset, length, bytes(payload),
            transport, flags, server_port, client_port,
        )  # fmt: skip

    def gap(
        self,
        missing: int,
        *,
        session_id: int = 1,
        direction: int = abi.DIRECTION_C2S,
        timestamp_ns: int = 0,
        stream_offset: int | None = None,
        transport: int = abi.TRANSPORT_TCP,
    ) -> None:
        """Add a gap of ``missing`` bytes."""
        self._add(
            abi.SEGMENT_KIND_GAP, session_id, direction, timestamp_ns, stream_offset, missing, b"", transport, 0, 0, 0
        )

    def close(self, *, session_id: int = 1, timestamp_ns: int = 0, transport: int = abi.TRANSPORT_TCP) -> None:
        """End a session."""
        self._add(abi.SEGMENT_KIND_CLOSE, session_id, 0, timestamp_ns, None, 0, b"", transport, 0, 0, 0)
        for direction in (abi.DIRECTION_C2S, abi.DIRECTION_S2C):
            self._offsets.pop((session_id, direction), None)

    def _add(
        self,
        kind: int,
        session: int,
        direction: int,
        time: int,
        offset: int | None,
        wire_len: int,
        payload: bytes,
        transport: int,
        flags: int,
        server_port: int,
        client_port: int,
    ) -> None:
        start = self._offsets.get((session, direction), 0) if offset is None else offset
        self._offsets[session, direction] = (start + wire_len) & _MASK_64
        pad = -len(payload) % abi.LIMIT_ALIGNMENT
        header = SEGMENT_HEADER.pack(
            abi.SEGMENT_SIZE + len(payload) + pad, kind, direction, transport, flags, session, time, start,
            server_port, client_port, wire_len, len(payload), 0,
        )  # fmt: skip
        self._parts.append(header + payload + bytes(pad))

    def finish(self) -> bytes:
        """The batch; the builder is then empty, but goes on counting offsets."""
        parts, self._parts = self._parts, []
        return BATCH_HEADER.pack(abi.MAGIC_BATCH, len(parts), 0, 0) + b"".join(parts)
