"""How the data of a batch is packed; apart from the packing itself, so that options are read without Arrow."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Packing"]


class Packing(StrEnum):
    """How the data of a batch is packed."""

    NONE = "none"
    ZSTD = "zstd"
    LZ4 = "lz4"
