"""Looking at a machine: what a plugin needs of it, what was found, and what to do about it.

A plugin that needs something of the machine (a privilege, a kernel feature, room on a disk) offers an
:class:`Examination` for it; ``mflow doctor`` and ``GET /v1/doctor`` run them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

__all__ = ["Examination", "Finding", "FindingState", "Surroundings"]


class FindingState(StrEnum):
    """How good what was found is."""

    OK = "ok"
    NOTE = "note"
    """Nothing is wrong; a person may want to know it."""
    MISSING = "missing"
    """Something cannot be done here; everything else works."""
    PROBLEM = "problem"
    """Something that is installed or was asked for cannot work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    :ivar subject: what, in few words, e.g. ``CAP_NET_RAW`` or ``disk of /var/lib/metaflow``.
    :ivar said: what was found. :ivar remedy: what to do; empty only where nothing needs doing.
    """

    state: FindingState
    subject: str
    said: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What is looked at.

    :ivar data_dir: where data is or would be kept. :ivar port: the port that MetaFlow listens on or would.
    :ivar url: of a running instance, empty for none. :ivar is_asked: a person named that instance, so it has to answer.
    :ivar token: for it, empty for none.
    """

    data_dir: Path
    port: int = 8088
    url: str = ""
    is_asked: bool = False
    token: str = ""


@dataclass(frozen=True, slots=True)
class Examination:
    """A look at one side of the machine.

    :ivar name: shown as a heading, e.g. ``kernel``; several plugins may share one.
    :ivar run: looks, and changes nothing; needs no privilege, waits for nothing longer than a few seconds. What it raises is
        reported as a problem of its own.
    """

    name: str
    run: Callable[[Surroundings], Iterable[Finding]]
