"""Options of the collector."""

from __future__ import annotations

from metaflow_core import Config, Field

__all__ = ["PysharkConfig"]


class PysharkConfig(Config):
    """Which files to read, and how much of each layer to keep."""

    files: tuple[str, ...] = Field(min_length=1, description="Capture files.")
    filter: str | None = Field(None, description="A Wireshark display filter, e.g. 'http or dns'.")
    tshark: str | None = Field(None, description="Path of tshark; found by itself when absent.")
    max_attributes: int = Field(32, ge=0, le=1024, description="How many fields of a layer become attributes.")
    max_value_bytes: int = Field(256, ge=1, le=65536, description="How long a field's text may be.")
    layers: tuple[str, ...] = Field((), description="Only these layers; empty for all above the transport.")
