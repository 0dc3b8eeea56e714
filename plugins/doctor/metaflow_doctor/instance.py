"""A running instance: the state of its components, and what each stage counted, from capture to store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from metaflow_core.api import Finding, FindingState, Surroundings
from metaflow_core.errors import MetaFlowError
from metaflow_doctor.status import base_url, fetch

__all__ = ["look", "read"]

_OK, _NOTE, _MISSING, _PROBLEM = FindingState.OK, FindingState.NOTE, FindingState.MISSING, FindingState.PROBLEM
_GOOD = frozenset({"running", "ended", "stopped", "starting"})
_STAGES = (
    (
        "packets captured",
        "collector.",
        (("received", "", "packets"), ("received", "", "bytes"), ("received", "", "segments")),
        "is the interface the right one (ip -s link), and the filter not too narrow?",
    ),
    (
        "packets decoded",
        "engine.",
        (("decode", "packets", "packets"),),
        "the engine gets nothing it can decode: see its state",
    ),
    (
        "messages parsed",
        "engine.",
        (("parser", "messages", "events"),),
        "packets arrive, and no parser knows them: mflow plugins list --kind parser; mflow explain flow ID FILE says why",
    ),
    (
        "rows made",
        "engine.",
        (("sent", "", "records"),),
        "wait a moment: rows come when a request is answered or a minute is over",
    ),
    (
        "rows stored",
        "storage.",
        (("stored", "", "records"), ("sent", "", "records")),
        "rows are made and not stored: see the storage's state above and the log",
    ),
)
_MOST_LOSSES = 12


def look(surroundings: Surroundings) -> Iterable[Finding]:
    """Of the instance at the URL that was given, or where one usually is."""
    try:
        base = base_url(surroundings.url or f"http://127.0.0.1:{surroundings.port}")
        document = fetch(base, "/v1/status", surroundings.token)
    except MetaFlowError as error:
        if surroundings.is_asked:
            remedy = "is it running, and is this its address? mflow up prints it"
            return [Finding(_PROBLEM, "instance", str(error), remedy)]
        return [
            Finding(_NOTE, "instance", f"none answers ({error})", "start one with: mflow up, or name it with --url")
        ]
    if not isinstance(document, Mapping):
        return [Finding(_PROBLEM, "instance", f"{base} does not answer as MetaFlow does", "name another with --url")]
    return [Finding(_OK, "instance", f"answers at {base}"), *read(document)]


def read(status: Mapping[str, Any]) -> Iterator[Finding]:
    """What ``/v1/status`` says."""
    components = [each for each in status.get("components", ()) if isinstance(each, Mapping)]
    counters = [each for each in status.get("counters", ()) if isinstance(each, Mapping)]
    states = Counter(str(each.get("state", "")) for each in components)
    if components:
        said = ", ".join(f"{count} {state}" for state, count in states.most_common())
        yield Finding(_OK, "components", said)
    for each in components:
        state = str(each.get("state", ""))
        if state in _GOOD:
            continue
        subject = f"{each.get('kind', '')} {each.get('id', '')}".strip()
        words = str(each.get("message") or "no reason is told")
        found = _PROBLEM if state == "failed" else _MISSING
        yield Finding(found, subject, f"{state}: {words}", "see the log; the component's README names its options")
    yield from _stages(counters)
    yield from _losses(counters)


def _stages(counters: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """The first stage at zero is what is wrong; those behind it cannot be otherwise."""
    for name, prefix, sources, remedy in _STAGES:
        if not any(str(each.get("component", "")).startswith(prefix) for each in counters):
            continue
        total, unit = next(
            ((value, key[2]) for key in sources if (value := _sum(counters, prefix, key))), (0, sources[0][2])
        )
        if not total:
            yield Finding(_MISSING, name, "none yet", remedy)
            return
        yield Finding(_OK, name, f"{total:,} {unit}")


def _sum(counters: Sequence[Mapping[str, Any]], prefix: str, key: tuple[str, str, str]) -> int:
    return sum(
        int(each.get("value", 0))
        for each in counters
        if str(each.get("component", "")).startswith(prefix)
        and (each.get("stage"), each.get("reason"), each.get("unit")) == key
    )


def _losses(counters: Iterable[Mapping[str, Any]]) -> Iterator[Finding]:
    lost: Counter[tuple[str, str, str]] = Counter()
    for each in counters:
        if each.get("stage") in ("dropped", "failed"):
            key = (str(each.get("component", "")), str(each.get("reason", "")), str(each.get("unit", "")))
            lost[key] += int(each.get("value", 0))
    for (component, reason, unit), value in lost.most_common(_MOST_LOSSES):
        if value:
            remedy = "more cores, a narrower filter or larger buffers; docs/reference/counters.md names every reason"
            yield Finding(_MISSING, f"{component}: dropped", f"{value:,} {unit} ({reason or 'no reason told'})", remedy)
