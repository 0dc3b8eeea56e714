"""Options of the tagger."""

from __future__ import annotations

from metaflow_core import Config, Field

__all__ = ["ProcessTaggerConfig"]


class ProcessTaggerConfig(Config):
    """What is looked at, how often, and how much of it is kept."""

    sample_s: float = Field(
        2.0, ge=0.1, le=60, description="How often processes and their sockets are looked at, in seconds."
    )
    history_s: float = Field(
        300.0,
        ge=1,
        description="How long ended processes and closed sockets are remembered, for rows that arrive later, in seconds.",
    )
    sockets: bool = Field(
        True,
        description="Find the processes of packet rows through the kernel's socket tables; needs CAP_SYS_PTRACE for processes of others.",
    )
    auto_service: bool = Field(
        True,
        description="Where nothing better is known of an end, its service is the name of its process, and its instance the process.",
    )
    command_line: bool = Field(
        True, description="Keep command lines (values of password, token, secret and key options are masked)."
    )
    max_processes: int = Field(20_000, ge=100, description="Processes that are remembered, those that run first.")
    max_sockets: int = Field(200_000, ge=100, description="Sockets that are remembered.")
    max_named: int = Field(
        50_000,
        ge=100,
        description="Processes that get a number of their own; later ones share one with all of the same name.",
    )
