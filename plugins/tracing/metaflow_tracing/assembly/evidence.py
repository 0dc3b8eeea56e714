"""Why two rows stand together, and why others do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from metaflow_core.api import Match

if TYPE_CHECKING:
    from metaflow_tracing.assembly.hops import Hop

__all__ = ["Break", "Edge", "Link"]


@dataclass(frozen=True, slots=True)
class Edge:
    """The evidence of one edge.

    :ivar kind: the rule's name. :ivar relation: ``same``, ``cause`` or ``sibling``. :ivar matched: the values that agreed, by column.
    """

    kind: str
    relation: str
    confidence: float
    reason: str
    matched: tuple[Match, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """An edge and the hop that it comes from."""

    parent: Hop
    edge: Edge


@dataclass(frozen=True, slots=True)
class Break:
    """A hop that nothing is known to have caused.

    :ivar kind: the rule whose refusal came nearest; empty when no rule found anything. :ivar candidate: the hop that it refused.
    """

    reason: str
    kind: str = ""
    candidate: Hop | None = None
    matched: tuple[Match, ...] = ()
