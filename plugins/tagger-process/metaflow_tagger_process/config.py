"""Options of the tagger."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import field_validator

from metaflow_core import Config, Field

__all__ = ["ProcessRule", "ProcessTaggerConfig"]


class ProcessRule(Config):
    """What processes that match are called, and what they are tagged with."""

    match: str = Field(description="A regular expression, found anywhere in the text.")
    of: Literal["name", "command_line", "parent", "unit"] = Field(
        "name",
        description="The text: the name, the command line (needs command_line), the parent's name, the systemd unit.",
    )
    name: str = Field("", description="The name instead, with \\1 for what the first group matched; empty: as before.")
    tags: dict[str, str] = Field(
        default_factory=dict, description="Tags of the process (os.app.KEY), with \\1 for what the first group matched."
    )

    @field_validator("match")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"{value!r} is no regular expression: {error}") from error
        return value


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
    rules: tuple[ProcessRule, ...] = Field(
        (),
        description="Names and tags for processes; the first rule that has a name gives it, tags of all are put together.",
    )
    max_processes: int = Field(20_000, ge=100, description="Processes that are remembered, those that run first.")
    max_sockets: int = Field(200_000, ge=100, description="Sockets that are remembered.")
    max_named: int = Field(
        50_000,
        ge=100,
        description="Processes that get a number of their own; later ones share one with all of the same name.",
    )
