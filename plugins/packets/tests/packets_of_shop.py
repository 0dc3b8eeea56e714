"""A real capture, as blocks, and a store to put it in."""

from __future__ import annotations

from pathlib import Path

from metaflow_packets.config import KeeperConfig
from metaflow_packets.keeper import PacketKeeper

from metaflow_core.api import BlockFormat, Kind, PacketBlock
from metaflow_core.testing import build_context

SHOP = Path(__file__).resolve().parents[3] / "tests" / "captures" / "shop.pcap"
FLOW = 1716982399974423122
"""A flow of that capture: 79 packets between ports 56506 and 18080."""


def shop_blocks(size: int = 1 << 16) -> list[PacketBlock]:
    """The capture in blocks that end anywhere; it is a classic file, little-endian, with microseconds."""
    whole = SHOP.read_bytes()
    assert whole[:4] == b"\xd4\xc3\xb2\xa1"
    link_type = int.from_bytes(whole[20:24], "little")
    body = whole[24:]
    return [PacketBlock(body[at : at + size], BlockFormat.PCAP, link_type) for at in range(0, len(body), size)]


def keeper(folder: Path, **options: object) -> PacketKeeper:
    """One that keeps in this folder."""
    context = build_context(Kind.ENGINE, "packets", data_dir=folder)
    return PacketKeeper(context, KeeperConfig.model_validate(options))
