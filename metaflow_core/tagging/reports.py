"""What taggers of an agent know, told to a server that tags for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from metaflow_core.tagging.entries import EARLIEST, LATEST, Entry, Section, network

__all__ = ["Report", "ReportsSource", "document", "entry_of"]

_LONGEST = 1024
_MOST_NETWORKS = 65_536


@dataclass(frozen=True, slots=True)
class Report:
    """What a tagger knows.

    :ivar version: tells two reports of one tagger apart. :ivar entries: what it knows; None when another one speaks for the scope.
    :ivar scope: whose rows these entries are about: what several agents name together (a cluster); empty for this machine's alone.
    :ivar reign: of several agents that spoke for a scope the one with the greatest counts.
    """

    version: int
    entries: Sequence[Entry] | None
    scope: str = ""
    reign: int = 0


@runtime_checkable
class ReportsSource(Protocol):
    """A tagger whose knowledge can be used elsewhere; every :class:`AddressTagger` is one.

    :ivar version: that of the next report; cheap to look at.
    """

    version: int

    def report(self) -> Report:
        """What it knows now; safe from any thread."""
        ...


def document(entry: Entry) -> dict[str, Any]:
    """An entry as JSON may hold it, without what is empty."""
    found: dict[str, Any] = {
        "section": str(entry.section),
        "name": entry.name,
        "networks": [str(each) for each in entry.networks],
        "identity": entry.identity,
        "dictionary": entry.dictionary,
        "type": entry.type,
        "group_type": entry.group_type,
        "ports": [list(each) for each in entry.ports],
        "protocol": entry.protocol,
        "attributes": dict(entry.attributes),
        "tags": {name: dict(tags) for name, tags in entry.tags.items()},
        "rank": entry.rank,
        "valid_from": entry.valid_from if entry.valid_from != EARLIEST else None,
        "valid_to": entry.valid_to if entry.valid_to != LATEST else None,
    }
    return {name: value for name, value in found.items() if value not in ("", 0, [], {}, None)}


def entry_of(found: Any) -> Entry:
    """The entry that a document tells of; it is believed nothing.

    :raises ValueError: it is none, with a sentence.
    """
    if not isinstance(found, dict):
        raise ValueError("an entry is a map")
    networks = found.get("networks", [])
    if not isinstance(networks, list) or len(networks) > _MOST_NETWORKS:
        raise ValueError(f"an entry has a list of {_MOST_NETWORKS} networks at most")
    dictionary = _text(found, "dictionary")
    if dictionary and not (dictionary.isascii() and dictionary.replace("_", "").isalnum()):
        raise ValueError(f"{dictionary[:40]!r} is no name of a dictionary")
    return Entry(
        section=Section(_text(found, "section")),
        name=_text(found, "name"),
        networks=tuple(network(str(each)) for each in networks),
        identity=_text(found, "identity"),
        dictionary=dictionary,
        type=_number(found, "type", 0, 255),
        group_type=_number(found, "group_type", 0, 255),
        ports=tuple(_range(each) for each in _list(found, "ports")),
        protocol=_number(found, "protocol", 0, 255),
        attributes=_texts(found.get("attributes", {})),
        tags={str(name): _texts(tags) for name, tags in _map(found.get("tags", {})).items()},
        rank=_number(found, "rank", EARLIEST * 4, LATEST * 4),
        valid_from=_number(found, "valid_from", EARLIEST, LATEST, EARLIEST),
        valid_to=_number(found, "valid_to", EARLIEST, LATEST, LATEST),
    )


def _text(found: Mapping[str, Any], name: str) -> str:
    text = found.get(name, "")
    if not isinstance(text, str) or len(text) > _LONGEST:
        raise ValueError(f"{name} is a text of {_LONGEST} characters at most")
    return text


def _number(found: Mapping[str, Any], name: str, least: int, most: int, otherwise: int = 0) -> int:
    value = found.get(name, otherwise)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"{name} is a number from {least} to {most}")
    return value


def _list(found: Mapping[str, Any], name: str) -> list[Any]:
    value = found.get(name, [])
    if not isinstance(value, list) or len(value) > _MOST_NETWORKS:
        raise ValueError(f"{name} is a list")
    return value


def _range(found: Any) -> tuple[int, int]:
    if not isinstance(found, list) or len(found) != 2 or not all(isinstance(each, int) for each in found):
        raise ValueError("a range of ports has two numbers")
    low, high = int(found[0]), int(found[1])
    if not 0 <= low <= high < 1 << 16:
        raise ValueError("ports are from 0 to 65535")
    return low, high


def _map(found: Any) -> Mapping[str, Any]:
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise ValueError("attributes and tags are maps")
    return found


def _texts(found: Any) -> Mapping[str, str]:
    if not all(isinstance(text, str) for text in _map(found).values()):
        raise ValueError("attributes and tags are texts")
    return dict(found)
