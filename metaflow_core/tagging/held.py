"""Entries as the look-up sees them: which hold an address, and which numbers they have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Held", "Numbers"]

Held: TypeAlias = tuple[int, int]
"""An entry that holds an address: its slot, and the length of the prefix by which it does."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers of an entry: its own (0 for none), and those of its attributes by name."""

    own: int
    attributes: Mapping[str, int]
