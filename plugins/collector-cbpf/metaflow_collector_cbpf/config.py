"""Options of the collector."""

from __future__ import annotations

from metaflow_core import Config, Field

__all__ = ["CbpfConfig"]


class CbpfConfig(Config):
    """Which interfaces to watch, and how."""

    interfaces: tuple[str, ...] = Field(
        ("*",), min_length=1, description="Interface names or shell patterns; '*' is every interface that is up."
    )
    filter: str | None = Field(None, description="A capture filter in libpcap's language (pcap-filter(7)).")
    exclude_ports: tuple[int, ...] = Field((), description="Ports of MetaFlow's own connections; not captured.")
    ring_mib: int = Field(64, ge=1, le=4096, description="Size of the ring per interface and ring, in MiB.")
    block_kib: int = Field(1024, ge=64, le=16384, description="Size of a ring block, in KiB.")
    retire_ms: int = Field(20, ge=1, le=1000, description="How long the kernel may fill a block, in milliseconds.")
    rings: int = Field(1, ge=1, le=64, description="Rings per interface; more share the flows by hash (PACKET_FANOUT).")
    promiscuous: bool = Field(False, description="Also take frames for other machines.")
    rescan_s: float = Field(
        5.0, ge=0, description="How often new and vanished interfaces are looked for, in seconds; 0 never."
    )
