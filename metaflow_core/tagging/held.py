"""Entries as the look-up sees them: which hold an address, and which numbers they have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from metaflow_core.tagging.entries import Entry

__all__ = ["Held", "Slots"]

Held: TypeAlias = tuple[int, int]
"""An entry that holds an address: its slot, and the length of the prefix by which it does."""


@dataclass(slots=True)
class Slots:
    """What is in each slot, as columns: there are as many as there are pods.

    :ivar entries: None in a slot that is free. :ivar own: the entry's number (0 for none), and :ivar attributes: those of its attributes
        by name.
    """

    entries: list[Entry | None] = field(default_factory=list)
    own: list[int] = field(default_factory=list)
    attributes: list[Mapping[str, int]] = field(default_factory=list)

    def entry(self, slot: int) -> Entry:
        """The entry of a slot that is not free."""
        found = self.entries[slot]
        assert found is not None
        return found
