"""What came of a check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

__all__ = ["Measure", "Verdict"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A check with what was found.

    :ivar wanted: what was expected, :ivar found: what there was, each in one sentence's part.
    :ivar examples: lines that show where, at most a few; flow ids in them are for ``mflow explain flow``.
    """

    kind: str
    name: str
    file: str
    line: int | None
    passed: bool
    wanted: str
    found: str
    examples: tuple[str, ...] = ()

    def document(self) -> Mapping[str, Any]:
        """The stable form for machines."""
        return {
            "kind": self.kind,
            "name": self.name,
            "file": self.file,
            "line": self.line,
            "passed": self.passed,
            "wanted": self.wanted,
            "found": self.found,
            "examples": list(self.examples),
        }


class Measure(Protocol):
    """Takes batches of one table, then says what it found.

    :ivar table: full name of the table it wants.
    """

    table: str

    def take(self, batch: pa.RecordBatch) -> None:
        """Look at rows as they are stored."""
        ...

    def verdict(self) -> Verdict:
        """Once everything was taken."""
        ...
