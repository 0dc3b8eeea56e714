"""Batches of rows as bytes: an Arrow IPC stream, packed as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from metaflow_core.api import RecordBatch
from metaflow_core.errors import ParseError
from metaflow_link.wire.messages import messages
from metaflow_link.wire.packing import Packing

__all__ = ["Packed", "Packing", "Unpacked", "pack", "unpack"]

_MOST_COLUMNS = 4096


_NUMBERS = {Packing.NONE: 0, Packing.ZSTD: 1, Packing.LZ4: 2}
_CODECS = {1: "zstd", 2: "lz4"}


@dataclass(frozen=True, slots=True)
class Packed:
    """A serialised ``Batch``. :ivar rows: in it."""

    data: bytes
    rows: int


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What a ``Batch`` held."""

    id: str
    table: str
    data: pa.RecordBatch


def pack(batch: RecordBatch, packing: Packing, max_bytes: int) -> Iterator[Packed]:
    """A batch as one message, or as several when it has more than ``max_bytes``; their ids then have a number behind."""
    rows = batch.data.num_rows
    parts = min(max(-(-batch.data.nbytes // max_bytes), 1), max(rows, 1))
    if parts == 1:
        yield _packed(batch.batch_id, batch.table, batch.data, packing)
        return
    step = -(-rows // parts)
    for number, start in enumerate(range(0, rows, step)):
        yield _packed(f"{batch.batch_id}#{number}", batch.table, batch.data.slice(start, step), packing)


def _packed(batch_id: str, table: str, data: pa.RecordBatch, packing: Packing) -> Packed:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, data.schema) as writer:
        writer.write_batch(data)
    plain = sink.getvalue()
    number = _NUMBERS[packing]
    if number:
        # level 1: half of the processor time of the default, a tenth more bytes
        codec = pa.Codec(_CODECS[number], compression_level=1) if number == 1 else pa.Codec(_CODECS[number])
        content = codec.compress(plain, asbytes=True)
    else:
        content = plain.to_pybytes()
    message = messages()["Batch"](
        id=batch_id, table=table, rows=data.num_rows, packing=number, size=plain.size, data=content
    )
    return Packed(message.SerializeToString(), data.num_rows)


def unpack(message: Any, max_bytes: int) -> Unpacked:
    """What a ``Batch`` message holds; the bytes are believed nothing.

    :param max_bytes: of the data unpacked.
    :raises ParseError: with a sentence.
    """
    if message.size > max_bytes:
        raise ParseError(f"a batch of {message.size} bytes unpacked; at most {max_bytes} are taken")
    try:
        reader = pa.ipc.open_stream(_plain(message))
        if len(reader.schema) > _MOST_COLUMNS:
            raise ParseError(f"a batch of {len(reader.schema)} columns; at most {_MOST_COLUMNS} are taken")
        data = reader.read_next_batch()
        data.validate(full=True)
    except StopIteration:
        raise ParseError("the stream in the batch holds no record batch") from None
    except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        raise ParseError(
            f"the batch is no Arrow stream: {str(error).splitlines()[0] if str(error) else error!r}"
        ) from None
    if data.num_rows != message.rows:
        raise ParseError(f"the batch says {message.rows} rows and holds {data.num_rows}")
    return Unpacked(message.id, message.table, data)


def _plain(message: Any) -> pa.Buffer:
    if message.packing == 0:
        return pa.py_buffer(message.data)
    name = _CODECS.get(message.packing)
    if name is None:
        raise ParseError(f"packing {message.packing} is not known; 0 (none), 1 (zstd) and 2 (lz4) are")
    return pa.Codec(name).decompress(message.data, decompressed_size=message.size)
