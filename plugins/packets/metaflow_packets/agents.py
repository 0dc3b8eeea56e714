"""Packets that agents keep: asked for when somebody wants them, over the connection on which their rows come."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from typing import Any

from metaflow_core.api import Answer, Asker, BuildContext, Peer
from metaflow_core.errors import QueryError, UnavailableError, UnsupportedQuery
from metaflow_packets.finding import Flow, Found

__all__ = ["KIND", "AgentPackets", "Asked", "told"]

KIND = "packets"
"""Of the question."""

_MAGICS = (b"\x4d\x3c\xb2\xa1", b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\xa1\xb2\xc3\xd4")

Asked = tuple[Found, str, str]
"""What was found, why there is nothing, and the name of the agent."""


class AgentPackets:
    """Finds the agent by the number in the flow's rows, and asks it."""

    def __init__(self, context: BuildContext) -> None:
        self._context = context

    def peers(self) -> list[tuple[Asker, Peer]]:
        """Every agent that is known, with whom to ask it through."""
        return [(asker, peer) for asker in self._askers() for peer in asker.peers()]

    def _askers(self) -> Iterator[Asker]:
        collectors = self._context.services.get("collectors")
        for component in collectors.values() if isinstance(collectors, Mapping) else ():
            if isinstance(component, Asker):
                yield component

    async def ask(self, flow: Flow, number: int, max_bytes: int, timeout_s: float) -> Asked:
        """The packets of a flow that the agent of this number saw.

        :raises UnavailableError: it is not there. :raises QueryError: it keeps none, or cannot answer.
        """
        found = next(((asker, peer) for asker, peer in self.peers() if peer.number == number), None)
        if found is None:
            raise QueryError(f"{flow} was seen by an agent that is not known any more (number {number})")
        asker, peer = found
        if not peer.is_there:
            raise UnavailableError(
                f"the packets of {flow} are with agent {peer.name}, which cannot be asked now (it was last heard of "
                f"{_time(peer.seen_ns)}); try again when it is connected, and when it is of this version"
            )
        try:
            answer = await asker.ask(peer.id, KIND, flow.to_json(), max_bytes=max_bytes, timeout_s=timeout_s)
        except UnsupportedQuery:
            raise QueryError(
                f"agent {peer.name} keeps no packets; start it with mflow agent --keep-packets headers (and metaflow-packets installed)"
            ) from None
        return _read(answer, peer.name)


def _read(answer: Answer, name: str) -> Asked:
    """:raises QueryError: it is no capture."""
    counts = [answer.about.get(word) for word in ("packets", "left_out", "damaged")]
    if not all(type(count) is int for count in counts) or (answer.data and answer.data[:4] not in _MAGICS):
        raise QueryError(f"agent {name} answered with something that is no capture; is it of another version?")
    packets, left_out, damaged = (int(count or 0) for count in counts)
    why = answer.about.get("why")
    return Found(answer.data, packets, left_out, damaged), f"agent {name}: {why}", name


def _time(ns: int) -> str:
    return datetime.datetime.fromtimestamp(ns / 1e9, datetime.UTC).isoformat(sep=" ", timespec="seconds")


def told(found: Found, why: str) -> Answer:
    """An agent's answer. :param why: there is nothing."""
    about: dict[str, Any] = {"packets": found.packets, "left_out": found.left_out, "damaged": found.damaged}
    return Answer(about | ({} if found.packets else {"why": why}), found.pcap if found.packets else b"")
