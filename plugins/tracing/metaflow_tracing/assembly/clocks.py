"""By how much the clocks of hosts differ, from messages that both saw.

What the client's side saw of an exchange encloses what the server's side saw. So each shared exchange bounds the offset between two
clocks from both sides; all of them together bound it well. Where 0 is possible, clocks are taken to agree.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from metaflow_tracing.assembly.hops import Hop
    from metaflow_tracing.spans import Span

__all__ = ["Clock", "Clocks", "estimate", "refine"]

_SAME_CLOCK_US = 100
_UNKNOWN_US = 10_000


@dataclass(frozen=True, slots=True)
class Clock:
    """What is known of a clock.

    :ivar offset_us: what was added to its times. :ivar uncertainty_us: by how much that may be wrong, to either side.
    :ivar pairs: exchanges that it rests on. :ivar is_steady: one offset fits all of them; else the clock jumped, and each time is set
        right by the nearest shared exchange. :ivar against: the clock that it was compared with; empty for the reference and for clocks
        that share no exchange with it.
    """

    name: str
    offset_us: int = 0
    uncertainty_us: int = 0
    pairs: int = 0
    is_steady: bool = True
    against: str = ""


@dataclass(slots=True)
class _Sample:
    """Bounds of the offset, and when on the clock that is to be set right."""

    at_us: int
    low: int
    high: int


@dataclass(slots=True)
class _Step:
    """How one clock differs from the one it was compared with.

    :ivar samples: by their time, for a clock that jumped; else the one offset holds.
    """

    against: str
    offset_us: int
    samples: list[_Sample] = field(default_factory=list)

    def own_us(self, at_us: int) -> int:
        if not self.samples:
            return self.offset_us
        place = bisect_left(self.samples, at_us, key=lambda sample: sample.at_us)
        near = min(self.samples[max(0, place - 1) : place + 1], key=lambda sample: abs(sample.at_us - at_us))
        return _inside(near.low, near.high)


@dataclass(slots=True)
class Clocks:
    """The clocks of one trace."""

    found: dict[str, Clock]
    _steps: dict[str, _Step] = field(default_factory=dict)

    def offset_us(self, clock: str, at_us: int) -> int:
        """What to add to a time that a clock showed: its step to the clock that it was compared with, then that one's, and so on."""
        total = 0
        while (step := self._steps.get(clock)) is not None:
            total += step.own_us(at_us + total)
            clock = step.against
        return total

    def slack_us(self, one: Span, other: Span) -> int:
        """By how much the times of two rows may be wrong against each other."""
        if one.clock == other.clock:
            return _SAME_CLOCK_US
        mine, theirs = self.found.get(one.clock), self.found.get(other.clock)
        if mine is None or theirs is None or not (mine.pairs or theirs.pairs):
            return _UNKNOWN_US
        return max(_SAME_CLOCK_US, min(_UNKNOWN_US, mine.uncertainty_us + theirs.uncertainty_us))


def _inside(low: int, high: int) -> int:
    return 0 if low <= 0 <= high else (low + high) // 2


def estimate(hops: Sequence[Hop]) -> Clocks:
    """Compare the clocks of agents that saw the same exchanges, and set every row's times right."""
    pairs = (pair for hop in hops for pair in zip(hop.rows, hop.rows[1:], strict=False) if not hop.is_span)
    rows = [row for hop in hops for row in hop.rows]
    clocks = _solve(Counter(row.clock for row in rows if not row.is_span), pairs)
    for row in rows:
        row.shift(clocks.offset_us(row.clock, row.seen_start_us))
    return clocks


def refine(clocks: Clocks, pairs: Iterable[tuple[Span, Span]], rows: Sequence[Span]) -> None:
    """Do the same for the clocks of applications, from spans and the messages that belong to them; agents' clocks stay."""
    found = _solve(Counter(), pairs, fixed=clocks)
    for name, clock in found.found.items():
        if name not in clocks.found:
            clocks.found[name] = clock
    for row in rows:
        if row.is_span and row.clock in clocks.found:
            row.shift(found.offset_us(row.clock, row.seen_start_us))


def _solve(rows: Counter[str], pairs: Iterable[tuple[Span, Span]], fixed: Clocks | None = None) -> Clocks:
    between: dict[tuple[str, str], list[_Sample]] = defaultdict(list)
    for outer, inner in pairs:
        if outer.clock == inner.clock or not (_is_whole(outer) and _is_whole(inner)):
            continue
        base = (0, 0) if fixed is None else (_known(fixed, outer), _known(fixed, inner))
        low = outer.seen_start_us + base[0] - inner.seen_start_us - base[1]
        high = outer.seen_end_us + base[0] - inner.seen_end_us - base[1]
        low, high = min(low, high), max(low, high)
        between[outer.clock, inner.clock].append(_Sample(inner.seen_start_us, low, high))
        between[inner.clock, outer.clock].append(_Sample(outer.seen_start_us, -high, -low))
    out = Clocks({})
    neighbours: dict[str, list[str]] = defaultdict(list)
    for one, other in between:
        neighbours[one].append(other)
    names = sorted({*rows, *neighbours}, key=lambda name: (-rows[name], name))
    if fixed is not None:
        names = [name for name in names if name in fixed.found] + [name for name in names if name not in fixed.found]
    for root in names:
        if root in out.found:
            continue
        out.found[root] = Clock(
            root, *((0, 0) if fixed is None or root not in fixed.found else (0, fixed.found[root].uncertainty_us))
        )
        queue = deque([root])
        while queue:
            here = queue.popleft()
            for there in sorted(neighbours[here]):
                if there not in out.found:
                    _settle(out, here, there, between[here, there], fixed)
                    queue.append(there)
    return out


def _known(clocks: Clocks, row: Span) -> int:
    return clocks.offset_us(row.clock, row.seen_start_us) if row.clock in clocks.found else 0


def _settle(out: Clocks, here: str, there: str, samples: list[_Sample], fixed: Clocks | None) -> None:
    """The offset of one clock against one that is known already."""
    if fixed is not None and there in fixed.found:
        out.found[there] = Clock(there, 0, fixed.found[there].uncertainty_us)
        return
    low, high = max(sample.low for sample in samples), min(sample.high for sample in samples)
    base = out.found[here]
    if low <= high:
        offset, wide, is_steady = _inside(low, high), (high - low) // 2, True
    else:
        middles = sorted((sample.low + sample.high) // 2 for sample in samples)
        offset, wide, is_steady = middles[len(middles) // 2], (low - high) // 2, False
    jumps = [] if is_steady else sorted(samples, key=lambda sample: sample.at_us)
    out._steps[there] = _Step(here, offset, jumps)  # noqa: SLF001 - the same module
    out.found[there] = Clock(there, base.offset_us + offset, base.uncertainty_us + wide, len(samples), is_steady, here)


def _is_whole(row: Span) -> bool:
    """Seen with its answer, so that it bounds from both sides."""
    return row["type"] not in (0, 1) and not row["is_async"]
