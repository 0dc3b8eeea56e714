"""Options of the tagger."""

from __future__ import annotations

from metaflow_core.api import Config, Field

__all__ = ["SeenTaggerConfig"]


class SeenTaggerConfig(Config):
    """What names are taken from, and how long one stays against another."""

    dns: bool = Field(default=True, description="An address is called what it was looked up as.")
    hosts: bool = Field(
        default=True, description="A server's address and port are called what requests call their host."
    )
    own_host: bool = Field(default=True, description="The addresses of this machine are called by its host name.")
    hold_s: float = Field(
        default=300.0,
        ge=0,
        description="Seconds for which a name that was seen again keeps its address against another.",
    )
    max_names: int = Field(
        default=20_000, ge=1, description="Names kept; beyond, the one that was not seen for longest is forgotten."
    )
    refresh_s: float = Field(
        default=1.0,
        ge=0,
        description="Seconds of the rows' time between two rounds of taking in new names, once there are many.",
    )
