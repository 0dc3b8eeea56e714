"""Options of the collector."""

from __future__ import annotations

from metaflow_core import Config, Field

__all__ = ["WinpcapConfig"]


class WinpcapConfig(Config):
    """Which devices to watch, and how."""

    interfaces: tuple[str, ...] = Field(min_length=1, description="Device names or shell patterns.")
    filter: str | None = Field(None, description="A capture filter (pcap-filter(7)).")
    snap_len: int = Field(262_144, ge=64, le=262_144, description="How many bytes of each frame are kept.")
    promiscuous: bool = Field(False, description="Also take frames for other machines.")
    read_ms: int = Field(50, ge=1, le=1000, description="How long the driver may gather frames, in milliseconds.")
    block_bytes: int = Field(1 << 20, ge=4096, le=1 << 28, description="How many bytes go to the engine at once.")
    library: str | None = Field(None, description="Path of the pcap library; found by itself when absent.")
