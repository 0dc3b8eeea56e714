"""Blocks as the engine's C ABI wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from metaflow_core.api import PacketBlock, SegmentBlock

Block: TypeAlias = "PacketBlock | SegmentBlock"

# The block format of kernel segments (docs/explanation/data-plane.md, "Blocks").
_SEGMENTS = 4


def push_facts(block: Block) -> tuple[int, int, int, int]:
    """``source, format, flags, link_type`` of a block, as ``mfe_push_part`` takes them."""
    from metaflow_core.api import SegmentBlock

    if isinstance(block, SegmentBlock):
        return 0, _SEGMENTS, block.format, 0
    return block.source, int(block.format), int(block.flags), block.link_type
