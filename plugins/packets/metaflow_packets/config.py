"""Options of the store of packets and of the service that reads it."""

from __future__ import annotations

from pathlib import Path

from metaflow_core.api import Config, Field

__all__ = ["KeeperConfig", "PacketsConfig"]


class KeeperConfig(Config):
    """What is kept of each packet, how much and how long."""

    path: Path | None = Field(
        default=None, description="Directory of the packets; default one of its own in the data directory."
    )
    payload_bytes: int = Field(
        default=0,
        ge=0,
        le=65_535,
        description="Bytes kept behind the headers of each packet. They are as they were on the wire: nothing is masked in them.",
    )
    max_mib: int = Field(default=256, ge=8, description="MiB on disk; then the oldest packets go.")
    max_age_s: float = Field(default=3600.0, gt=0, description="Seconds that packets are kept at most.")


class PacketsConfig(Config):
    """Where the service finds packets."""

    path: Path | None = Field(
        default=None,
        description="The directory that the engine 'packets' writes to; null where agents alone keep packets.",
    )
    dialect: str = Field(default="sql", description="The dialect in which flows are looked up.")
    max_mib: int = Field(
        default=256, ge=1, description="MiB of one download; further packets are left out, and counted."
    )
    agent_mib: int = Field(
        default=64,
        ge=1,
        le=256,
        description="The same for packets that an agent is asked for: they travel over its network.",
    )
    agent_timeout_s: float = Field(default=30.0, gt=0, le=300, description="Seconds that an agent has for its answer.")
