"""What collectors hand to engines: bytes by the block, never packets one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview

__all__ = ["BlockFlag", "BlockFormat", "Buffer", "PacketBlock", "SegmentBlock", "TickBlock"]


class BlockFormat(IntEnum):
    """How the frames stand in a block; see docs/explanation/data-plane.md, "Blocks"."""

    RECORDS = 0
    PCAP = 1
    PCAPNG = 2
    TPACKET3 = 3


class BlockFlag(IntFlag):
    """Details of a block's format."""

    NONE = 0
    BIG_ENDIAN = 1
    NANOSECONDS = 2


@dataclass(frozen=True, slots=True)
class PacketBlock:
    """A block of captured frames.

    :ivar data: the bytes; an engine reads them during ``push`` and keeps no reference.
    :ivar format: how the frames stand in it.
    :ivar link_type: number of the pcap link-type registry (1 = Ethernet); ignored where frames carry their own.
    :ivar source: tells files and interfaces apart inside one collector; a frame may continue in the next block of the
        same source.
    :ivar flags: details of the format.
    """

    data: Buffer
    format: BlockFormat
    link_type: int = 1
    source: int = 0
    flags: BlockFlag = BlockFlag.NONE


@dataclass(frozen=True, slots=True)
class SegmentBlock:
    """A block of kernel events (bytes of a call with process and thread), as the engine's segment format wants them.

    :ivar data: the bytes, :ivar format: the version of the layout, :ivar names: interned texts that the events refer to.
    """

    data: Buffer
    format: int = 1
    names: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class TickBlock:
    """Time went on without packets (live collectors emit one about each second).

    :ivar now_ns: wall-clock time in nanoseconds.
    """

    now_ns: int
