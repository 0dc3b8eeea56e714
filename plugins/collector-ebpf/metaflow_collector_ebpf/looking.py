"""Whether the programs see: the collector makes calls of its own, and the programs count them in place of recording them.

A session that stands in the kernel and sees nothing says nothing either, and looks like a machine on which nothing happens. So it is asked:
after it is attached, and whenever the machine moved segments and no call was seen.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from metaflow_collector_ebpf.layout import COUNTERS, position
from metaflow_core.api import Counters
from metaflow_core.errors import MetaFlowError

__all__ = ["OWN_CALLS", "Eyes", "exchange", "why_blind"]

# of one exchange: one that sends, one that receives
OWN_CALLS = 2
_SEEN, _CALLS = position("self_check", "seen"), position("calls")
_SNMP = Path("/proc/net/snmp")
_FIRST_S, _LONGEST_S = 10.0, 600.0
# a few segments may be of connections that were there before, and move nothing but their being alive
_WORTH_A_LOOK = 8


def exchange() -> None:
    """A few bytes from this thread to itself, over TCP on loopback.

    :raises OSError: there is no loopback here, or no port.
    """
    try:
        listening = socket.create_server(("127.0.0.1", 0))
    except OSError:
        listening = socket.create_server(("::1", 0), family=socket.AF_INET6)
    with listening:
        listening.settimeout(2)
        with socket.create_connection(listening.getsockname()[:2], 2) as near, listening.accept()[0] as far:
            far.settimeout(2)
            near.sendall(b"seen?")
            far.recv(16)


def why_blind(before: Sequence[int], after: Sequence[int], *, knows_sockets: bool) -> str:
    """What the counters say of an exchange that was not seen; empty when both of its calls were.

    :param before: totals before it, :param after: and after it.
    """
    moved = [end - start for start, end in zip(before, after, strict=True)]
    if moved[_SEEN] >= OWN_CALLS:
        return ""
    what = f"of {OWN_CALLS} calls that this collector made on a connection to itself the programs saw {moved[_SEEN]}: "
    if not knows_sockets:
        return what + "the program at the tracepoint syscalls/sys_enter_close did not run, which tells what a socket is"
    if not moved[_CALLS]:
        return what + "no program at the end of a call ran, or none found the socket that the call was about"
    lost = [
        f"{stage} {reason}: {value}"
        for (stage, reason, _), value in zip(COUNTERS, moved, strict=True)
        if stage == "dropped" and value
    ]
    return what + (f"calls were seen, and no records made of them ({', '.join(lost) or 'no counter says why'})")


def moved_segments(text: str) -> int:
    """TCP segments that came and went on this machine, by the text of /proc/net/snmp; 0 where it does not say."""
    lines = [line.split() for line in text.splitlines() if line.startswith("Tcp:")]
    if len(lines) != 2:
        return 0
    found = dict(zip(*lines, strict=False))
    return sum(int(found[name]) for name in ("InSegs", "OutSegs") if found.get(name, "").isdigit())


class Looking(Protocol):
    """A session, as far as it can be asked."""

    def look(self) -> str:
        """Why it sees nothing; empty when it sees."""

    def attach_anew(self) -> object:
        """Take the programs off their tracepoints and put them back."""


class Eyes:
    """Asks a session that has seen no call while segments moved; puts it back on its tracepoints when it is blind.

    Each answer that all is well makes it wait twice as long, up to ten minutes: where only a silent process is watched there is nothing to see.
    """

    def __init__(
        self,
        session: Looking,
        counters: Counters,
        logger: logging.Logger,
        report: Callable[[str, str], None],
        segments: Callable[[], int] = lambda: moved_segments(_SNMP.read_text()),
    ) -> None:
        self._session = session
        self._counters = counters
        self._logger = logger
        self._report = report
        self._segments = segments
        self._calls = -1
        self._since = 0.0
        self._moved = 0
        self._wait = _FIRST_S
        self._blind = ""

    def tick(self, now: float, calls: int) -> None:
        """Once a second or so. :param now: monotonic seconds. :param calls: that were seen since the start."""
        if calls != self._calls and not self._blind:
            self._calls, self._since, self._moved, self._wait = calls, now, self._count_segments(), _FIRST_S
            return
        if now - self._since < self._wait:
            return
        self._since = now
        if not self._blind and self._count_segments() - self._moved < _WORTH_A_LOOK:
            return
        self._ask()
        self._wait = _FIRST_S if self._blind else min(_LONGEST_S, 2 * self._wait)

    def _count_segments(self) -> int:
        try:
            return self._segments()
        except (OSError, ValueError):
            return 0

    def _look(self) -> str:
        try:
            return self._session.look()
        except (OSError, MetaFlowError) as error:
            return str(error)

    def _ask(self) -> None:
        was, self._blind = self._blind, self._look()
        if self._blind:
            self._counters.add("self_check", 1, reason="blind", unit="times")
            if not was:
                self._logger.error("The kernel programs see nothing: %s. They are attached anew.", self._blind)
            try:
                self._session.attach_anew()
                again = self._look()
            except (OSError, MetaFlowError) as error:
                again = f"{self._blind}; attaching them anew failed: {error}"
            if again:
                self._blind = again
                self._report(
                    "degraded", f"the kernel programs see nothing: {again}; they are attached anew every ten seconds"
                )
                return
            was, self._blind = self._blind, ""
        if was:
            self._calls = -1
            self._counters.add("self_check", 1, reason="healed", unit="times")
            self._logger.warning("The kernel programs see again; what happened meanwhile was not recorded.")
            self._report("running", "")
