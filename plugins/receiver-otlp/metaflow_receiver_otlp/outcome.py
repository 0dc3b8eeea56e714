"""What became of one request."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

__all__ = ["Outcome"]


@dataclass(slots=True)
class Outcome:
    """Batches by table, and what was refused.

    :ivar batches: rows by the full name of their table. :ivar refused: reason -> how many spans, points or records.
    """

    batches: dict[str, pa.RecordBatch] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)

    def refuse(self, reason: str, count: int = 1) -> None:
        """Count what is not taken."""
        if count:
            self.refused[reason] = self.refused.get(reason, 0) + count

    @property
    def rejected(self) -> int:
        """How many items were refused."""
        return sum(self.refused.values())

    def sentence(self) -> str:
        """The reasons in words; empty when everything was taken."""
        return "; ".join(f"{count} because {reason}" for reason, count in self.refused.items())
