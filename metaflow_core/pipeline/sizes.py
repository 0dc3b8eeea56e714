"""How many bytes and rows something in a queue stands for."""

from __future__ import annotations

from metaflow_core.api.blocks import TickBlock
from metaflow_core.api.components import Emitted, RecordBatch

__all__ = ["byte_size", "unit_of"]

_LEAST = 64


def byte_size(item: Emitted) -> int:
    """Bytes of memory that waiting costs: of a block its data, of a batch its Arrow buffers."""
    if isinstance(item, RecordBatch):
        return max(_LEAST, int(item.data.nbytes))
    if isinstance(item, TickBlock):
        return _LEAST
    data = item.data
    return max(_LEAST, data.nbytes if isinstance(data, memoryview) else len(data))


def unit_of(item: Emitted) -> tuple[str, int]:
    """Unit and amount in which an item is counted: records by the row, everything else by the block."""
    if isinstance(item, RecordBatch):
        return "records", int(item.data.num_rows)
    return "blocks", 1
