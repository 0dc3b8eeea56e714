"""For authors of taggers: who owns which addresses and ports at which time, looked up for whole columns at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metaflow_core.tagging.entries import ATTRIBUTES, EARLIEST, LATEST, Entry, Network, Section, network
from metaflow_core.tagging.past import Past
from metaflow_core.tagging.reports import Report, ReportsSource, document, entry_of
from metaflow_core.tagging.tags import TAGS

if TYPE_CHECKING:
    from metaflow_core.tagging.base import AddressTagger
    from metaflow_core.tagging.following import FollowingTagger

__all__ = [
    "ATTRIBUTES",
    "EARLIEST",
    "LATEST",
    "TAGS",
    "AddressTagger",
    "Entry",
    "FollowingTagger",
    "Network",
    "Past",
    "Report",
    "ReportsSource",
    "Section",
    "document",
    "entry_of",
    "network",
]


def __getattr__(name: str) -> Any:
    # numpy and pyarrow are imported when a tagger is built, not when one is declared
    if name == "AddressTagger":
        from metaflow_core.tagging.base import AddressTagger

        return AddressTagger
    if name == "FollowingTagger":
        from metaflow_core.tagging.following import FollowingTagger

        return FollowingTagger
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
