"""Options of the collector."""

from __future__ import annotations

from metaflow_core import Config, Field

__all__ = ["PcapConfig"]


class PcapConfig(Config):
    """Which files to read, and what of them."""

    files: tuple[str, ...] = Field(
        min_length=1, description="Capture files in any order; '-' is standard input. Several are merged by time."
    )
    filter: str | None = Field(None, description="A capture filter in libpcap's language (pcap-filter(7)).")
    block_bytes: int = Field(
        1 << 20, ge=4096, le=1 << 28, description="How many bytes of capture go to the engine at once."
    )
