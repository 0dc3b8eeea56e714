"""How traces are put together: rules that say which rows tell of the same message, and which was caused by which.

A rule names keys and judges pairs. Whoever assembles traces finds the pairs through the keys (never by comparing all with all), asks the
rule, and keeps its verdict as the evidence of the edge; a refusal is kept too, as the reason of a break.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

__all__ = ["LinkEnd", "LinkRule", "LinkSpan", "Lookup", "Match", "Relation", "Verdict"]


class Relation(StrEnum):
    """What it means when two rows match.

    ``same``: they tell of one message, seen at two places. ``cause``: the first made the second happen. ``sibling``: one and the same
    thing made both happen.
    """

    SAME = "same"
    CAUSE = "cause"
    SIBLING = "sibling"


@dataclass(frozen=True, slots=True)
class LinkEnd:
    """One end of a connection: address as text (empty when there is none) and port."""

    ip: str
    port: int


class LinkSpan(Protocol):
    """One row of ``flow_log.l7_flow_log`` as rules see it; any column by its name, as stored: ``span["x_request_id_0"]``.

    Times are microseconds since 1970. In rules of ``same`` they are those of the row; in the others they are corrected by the estimated
    offset of the clock that took them.
    """

    @property
    def point(self) -> str:
        """Where it was seen (``observation_point``)."""
        ...

    @property
    def agent_id(self) -> int:
        """Whose clock took the times."""
        ...

    @property
    def start_us(self) -> int:
        """When it began."""
        ...

    @property
    def end_us(self) -> int:
        """When it ended; not before it began."""
        ...

    @property
    def client(self) -> LinkEnd:
        """Who asked."""
        ...

    @property
    def server(self) -> LinkEnd:
        """Who was asked."""
        ...

    @property
    def is_span(self) -> bool:
        """An application told of it (a span); else it was seen from outside."""
        ...

    def __getitem__(self, column: str) -> Any:
        """A column's stored value."""
        ...


@dataclass(frozen=True, slots=True)
class Lookup:
    """How a row leads to others in a storage: a value in one of ``have`` is looked for in each of ``want``. 0 and empty lead nowhere.

    :ivar together: columns of numbers that must agree as well, where the value alone is too common to lead anywhere. Such rows are looked
        for near the known ones' time only.
    """

    have: tuple[str, ...]
    want: tuple[str, ...]
    together: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """Values that agreed (or, in a refusal, did not): the column of the first row, that of the second, the value as text."""

    first: str
    second: str
    value: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule says of two rows.

    :ivar confidence: above 0 up to 1 (certain); 0 refuses.
    :ivar reason: half a sentence for a person: why, or why not.
    :ivar matched: the values it rests on.
    :ivar is_exclusive: it holds only when no other row fits this rule as well; else it would be a guess.
    """

    confidence: float
    reason: str
    matched: tuple[Match, ...] = field(default=())
    is_exclusive: bool = False

    @property
    def accepts(self) -> bool:
        """Whether the rows belong together."""
        return self.confidence > 0


class LinkRule(Protocol):
    """Says which rows belong together. Pure: the same rows give the same answer, whatever was asked before.

    Rows share a key when one of :meth:`seeks` (the later, the effect) equals one of :meth:`offers` (the earlier, the cause); only
    those are judged. Keys begin with something of the rule's own, since rules do not share them. A row that cannot be linked yields none.
    """

    @property
    def relation(self) -> Relation:
        """What a match means."""
        ...

    @property
    def lookups(self) -> Sequence[Lookup]:
        """How the other rows are found in a storage; empty when the keys of other rules bring them in."""
        ...

    def offers(self, span: LinkSpan) -> Iterable[Hashable]:
        """Keys under which others find this row, as a cause (``same``, ``sibling``: as the earlier one)."""
        ...

    def seeks(self, span: LinkSpan) -> Iterable[Hashable]:
        """Keys of what this row belongs to, the best first."""
        ...

    def judge(self, first: LinkSpan, second: LinkSpan, slack_us: int) -> Verdict:
        """Whether two rows that share a key belong together.

        :param first: the one that offered, :param second: the one that sought.
        :param slack_us: by how much their times may be wrong against each other: little on one clock, more across two.
        """
        ...
