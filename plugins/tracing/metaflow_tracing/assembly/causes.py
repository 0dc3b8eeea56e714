"""What caused what: candidates by key, the rules' verdicts, the best of them, and the reasons why not the others."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from metaflow_core.api import Verdict
from metaflow_tracing.assembly.evidence import Break, Edge, Link
from metaflow_tracing.rules.parts import covers

if TYPE_CHECKING:
    from metaflow_core.api import LinkRule
    from metaflow_tracing.assembly.clocks import Clocks
    from metaflow_tracing.assembly.hops import Hop

__all__ = ["Causes", "causes_of"]

# how many of the candidates under one key are judged; where there are more, an exclusive verdict cannot be given
_MOST = 64
# from here on the weaker rules are not asked any more
_SURE = 0.95
_NEARLY = 0.9


@dataclass(slots=True)
class _Bucket:
    """Hops under one key by their start, with the latest end of all up to each."""

    starts: list[int]
    hops: list[Hop]
    latest: list[int]

    @classmethod
    def of(cls, hops: list[Hop]) -> _Bucket:
        hops.sort(key=lambda hop: (hop.last.start_us, hop.index))
        latest: list[int] = []
        for hop in hops:
            latest.append(max(hop.last.end_us, latest[-1] if latest else 0))
        return cls([hop.last.start_us for hop in hops], hops, latest)

    def before(self, start_us: int, end_us: int) -> Iterator[Hop]:
        """Those that began by a moment, the latest first, as long as one may still reach to another moment."""
        for at in range(bisect_right(self.starts, start_us) - 1, -1, -1):
            yield self.hops[at]
            if at and self.latest[at - 1] < end_us and self.hops[at].last["type"] != 0:
                return


@dataclass(frozen=True, slots=True)
class _Candidate:
    link: Link
    rule_at: int
    key_at: int
    verdict: Verdict

    def worth(self) -> tuple[float, int, int, int]:
        """Surest first; then the stronger rule, the better key, the one that began last (the innermost)."""
        return self.verdict.confidence, -self.rule_at, -self.key_at, self.link.parent.last.start_us

    def stands_before(self, other: _Candidate) -> bool:
        """Found by a better key, and nearly sure whatever else there is."""
        return self.key_at < other.key_at and not self.verdict.is_exclusive and self.verdict.confidence >= _NEARLY


@dataclass(slots=True)
class Causes:
    """What is known of each hop, by its index: the link to what caused it, or why there is none."""

    links: dict[int, Link]
    breaks: dict[int, Break]


def causes_of(
    hops: Sequence[Hop], causes: Mapping[str, LinkRule], siblings: Mapping[str, LinkRule], clocks: Clocks
) -> Causes:
    """Link every hop to at most one other; no link closes a loop."""
    found = Causes({}, {})
    refusals: dict[int, list[_Candidate]] = defaultdict(list)
    # what goes by time and place alone, and so leads from no row to another, is asked last, and only where nothing better told
    told = {name: rule for name, rule in causes.items() if rule.lookups}
    for rules in (told, {name: rule for name, rule in causes.items() if name not in told}):
        indexes = {name: _index(hops, rule) for name, rule in rules.items()}
        order = {name: at for at, name in enumerate(causes) if name in rules}
        for hop in hops:
            if hop.index in found.links:
                continue
            best, refused = _best(hop, rules, order, indexes, clocks)
            if best is not None:
                found.links[hop.index] = best
            else:
                refusals[hop.index] += refused
        for name, rule in siblings.items():
            _share(hops, name, rule, clocks, found)
    _open_loops(hops, found)
    # only now, because what a hop caused itself is no missed cause of it, and shares the most ids with it
    for at, refused in refusals.items():
        if at not in found.links and at not in found.breaks:
            found.breaks[at] = _nearest(hops[at], refused, found)
    return found


def _index(hops: Sequence[Hop], rule: LinkRule) -> dict[Hashable, _Bucket]:
    held: dict[Hashable, list[Hop]] = defaultdict(list)
    for hop in hops:
        for key in rule.offers(hop.last):
            held[key].append(hop)
    return {key: _Bucket.of(bucket) for key, bucket in held.items()}


def _best(
    hop: Hop,
    rules: Mapping[str, LinkRule],
    order: Mapping[str, int],
    indexes: Mapping[str, Mapping[Hashable, _Bucket]],
    clocks: Clocks,
) -> tuple[Link | None, list[_Candidate]]:
    accepted: list[_Candidate] = []
    refused: list[_Candidate] = []
    for name, rule in rules.items():
        fitting, against = _judged(hop, name, rule, order[name], indexes[name], clocks)
        sure = _unambiguous(fitting)
        accepted += sure
        refused += [*against, *(_doubtful(each, len(fitting)) for each in fitting if each not in sure)]
        if any(each.verdict.confidence >= _SURE for each in sure):
            break
    if accepted:
        best = max(accepted, key=_Candidate.worth)
        # ids that prove by themselves: a nearer key of the same rule stands, though times (which may be wrong) speak for a farther one
        nearer = [each for each in accepted if each.rule_at == best.rule_at and each.stands_before(best)]
        if nearer:
            best = max(nearer, key=lambda each: (-each.key_at, *each.worth()))
        return best.link, refused
    return None, refused


def _judged(
    hop: Hop, name: str, rule: LinkRule, rule_at: int, index: Mapping[Hashable, _Bucket], clocks: Clocks
) -> tuple[list[_Candidate], list[_Candidate]]:
    fitting: list[_Candidate] = []
    against: list[_Candidate] = []
    seen: set[int] = {hop.index}
    effect = hop.first
    for key_at, key in enumerate(rule.seeks(effect)):
        bucket = index.get(key)
        if bucket is None:
            continue
        is_small = len(bucket.hops) <= _MOST
        candidates = iter(bucket.hops) if is_small else bucket.before(effect.start_us + 10_000, effect.end_us - 10_000)
        for number, other in enumerate(candidates):
            if number >= _MOST:
                fitting = [each for each in fitting if not each.verdict.is_exclusive]
                break
            if other.index in seen:
                continue
            seen.add(other.index)
            verdict = rule.judge(other.last, effect, clocks.slack_us(other.last, effect))
            edge = Edge(name, rule.relation.value, verdict.confidence, verdict.reason, verdict.matched)
            (fitting if verdict.accepts else against).append(_Candidate(Link(other, edge), rule_at, key_at, verdict))
    return fitting, against


def _unambiguous(fitting: list[_Candidate]) -> list[_Candidate]:
    """Leave out verdicts that hold only for a single candidate when there are several of as good a key."""
    if not any(each.verdict.is_exclusive for each in fitting):
        return fitting
    best = min(each.key_at for each in fitting)
    rivals = sum(each.key_at == best or each.verdict.is_exclusive for each in fitting)
    return [each for each in fitting if not each.verdict.is_exclusive or rivals == 1]


def _doubtful(candidate: _Candidate, how_many: int) -> _Candidate:
    verdict = Verdict(0, f"{how_many} fit equally well, so any of them would be a guess", candidate.verdict.matched)
    return _Candidate(candidate.link, candidate.rule_at, candidate.key_at, verdict)


def _is_below(hop: Hop, other: Hop, found: Causes) -> bool:
    """Whether the one is known to have caused the other, directly or over some others."""
    at = other.index
    for _ in range(_MOST):
        link = found.links.get(at)
        if link is None:
            return False
        at = link.parent.index
        if at == hop.index:
            return True
    return False


def _nearest(hop: Hop, judged: list[_Candidate], found: Causes) -> Break:
    """The refusal that came nearest to a link: of the strongest evidence, then in time."""
    refused = [each for each in judged if not _is_below(hop, each.link.parent, found)]
    if judged and not refused:
        return Break(
            "all that shares an id with it was caused by it; what caused it was not watched, or lies outside of the time asked for"
        )
    # whoever has nothing in common with it is not its missing cause, however near in time
    refused = [each for each in refused if each.verdict.matched]
    if not refused:
        row = hop.first
        if row.point == "c-p" and not row["syscall_trace_id_request"]:
            return Break(
                "the thread or goroutine that sent it carries no number: it was serving several requests at once, had received none "
                "before, or was started by one that had served others before; and no header tells"
            )
        return Break(
            "nothing that was seen shares an id with it; what caused it was not watched, or lies outside of the time asked for"
        )
    start = hop.first.start_us
    best = max(
        refused,
        key=lambda each: (len(each.verdict.matched), -each.rule_at, -abs(each.link.parent.last.start_us - start)),
    )
    return Break(best.verdict.reason, best.link.edge.kind, best.link.parent, best.verdict.matched)


def _share(hops: Sequence[Hop], name: str, rule: LinkRule, clocks: Clocks, found: Causes) -> None:
    """Hops without a cause take over that of the hop before or after them in their chain."""
    index = _index_first(hops, rule)
    before: dict[int, Link] = {}
    for hop in hops:
        judged: list[_Candidate] = []
        for key_at, key in enumerate(rule.seeks(hop.first)):
            for other in index.get(key, ())[:_MOST]:
                if other.index != hop.index:
                    verdict = rule.judge(other.first, hop.first, clocks.slack_us(other.first, hop.first))
                    if verdict.accepts:
                        edge = Edge(name, rule.relation.value, verdict.confidence, verdict.reason, verdict.matched)
                        judged.append(_Candidate(Link(other, edge), 0, key_at, verdict))
        sure = _unambiguous(judged)
        if sure:
            before[hop.index] = max(sure, key=_Candidate.worth).link
    ordered = sorted(before, key=lambda at: hops[at].first.start_us)
    for at in ordered:
        known = _beyond_its_own_span(found.links.get(before[at].parent.index), found)
        if at not in found.links and known is not None and _can_share(hops[at], known, clocks):
            _take_over(at, before[at], known, found)
    for at in reversed(ordered):
        earlier = before[at].parent.index
        known = _beyond_its_own_span(found.links.get(at), found)
        if earlier in found.links or known is None or known.parent.index == earlier:
            continue
        if _can_share(hops[earlier], known, clocks):
            _take_over(earlier, before[at], known, found)


def _can_share(hop: Hop, known: Link, clocks: Clocks) -> bool:
    """Whether what caused one call of a thread may have caused the next one: only while it was worked on, by the thread that received it.

    A thread of a pool, to which others hand their work, goes from one request to the next without a trace.
    """
    cause, effect = known.parent.last, hop.first
    if covers(cause, effect, clocks.slack_us(cause, effect)):
        return False
    received, sent = cause["syscall_coroutine_1"], effect["syscall_coroutine_0"]
    if not (received and sent):
        received, sent = cause["syscall_thread_1"], effect["syscall_thread_0"]
    return cause.is_span or not (received and sent) or received == sent


def _beyond_its_own_span(link: Link | None, found: Causes) -> Link | None:
    """What caused a call, where the link leads to the span that the caller's instrumentation wrapped around that very call: two
    calls of a thread share what caused them, not the span of one of them. A span of the application's own work is a cause.
    """
    for _ in range(_MOST):
        if link is None or not link.parent.is_span or link.parent.first.point != "c-app":
            return link
        link = found.links.get(link.parent.index)
    return None


def _index_first(hops: Sequence[Hop], rule: LinkRule) -> Mapping[Hashable, list[Hop]]:
    held: dict[Hashable, list[Hop]] = defaultdict(list)
    for hop in hops:
        for key in rule.offers(hop.first):
            held[key].append(hop)
    return held


def _take_over(at: int, sibling: Link, known: Link, found: Causes) -> None:
    edge = sibling.edge
    reason = f"{edge.reason}; the other call was caused by it ({known.edge.kind})"
    confidence = round(min(edge.confidence, known.edge.confidence) * 0.98, 3)
    found.links[at] = Link(
        known.parent, Edge(edge.kind, edge.relation, confidence, reason, (*edge.matched, *known.edge.matched))
    )
    found.breaks.pop(at, None)


def _open_loops(hops: Sequence[Hop], found: Causes) -> None:
    """Take the weakest link out of each loop; between equals, that of the hop which began first."""
    state = [0] * len(hops)
    for hop in hops:
        way: list[int] = []
        at = hop.index
        while state[at] == 0:
            state[at] = 1
            way.append(at)
            link = found.links.get(at)
            if link is None:
                break
            at = link.parent.index
        else:
            if state[at] == 1 and at in way:
                loop = way[way.index(at) :]
                worst = min(loop, key=lambda each: (found.links[each].edge.confidence, hops[each].first.start_us, each))
                link = found.links.pop(worst)
                found.breaks[worst] = Break(
                    f"it would close a loop of {len(loop)} hops that each name another as their cause",
                    link.edge.kind,
                    link.parent,
                    link.edge.matched,
                )
        for each in way:
            state[each] = 2
