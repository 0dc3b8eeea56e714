"""Which of the installed components are used for capturing, and why."""

from __future__ import annotations

import fnmatch
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from metaflow_core.errors import InputError

__all__ = ["MODES", "Capture", "Wanted", "choose_capture", "first_installed", "from_files"]

# best first
STORAGES = ("clickhouse", "memory")
_RINGS_MIB, _AGENT_RINGS_MIB, _LEAST_RING_MIB = 64, 16, 8
MODES = ("auto", "packets", "ebpf", "both")
_CAPABILITY = "CAP_NET_RAW"
_EBPF = "system calls and TLS plain text of this machine's processes through eBPF"


@dataclass(frozen=True, slots=True)
class Capture:
    """Where packets and calls come from.

    :ivar collector: its type and id; empty when nothing can be captured here.
    :ivar options: for the collector.
    :ivar why: a sentence for the first lines of the output.
    :ivar is_live: packets of now, not of files.
    :ivar more: further collectors with their options; they are used when they can start.
    :ivar why_more: a sentence about those, or about why there is none; empty where nothing is to be said.
    """

    collector: str
    options: Mapping[str, Any]
    why: str
    is_live: bool = True
    more: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    why_more: str = ""

    def said(self) -> list[tuple[str, str]]:
        """Lines of the block at the start."""
        return [("capture", text) for text in (self.why, self.why_more) if text]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the person who starts it wants to be captured.

    :ivar mode: one of ``MODES``. :ivar interfaces: names or patterns; empty for all. :ivar capture_filter: BPF, for packets.
    :ivar ports: only connections with one of these, whatever sees them; empty for all.
    :ivar keeps_values: what statements and stored values hold is kept.
    """

    mode: str = "auto"
    interfaces: tuple[str, ...] = ()
    capture_filter: str | None = None
    ports: tuple[int, ...] = ()
    keeps_values: bool = False

    @property
    def packet_filter(self) -> str | None:
        """The capture filter with the ports in it."""
        ports = " or ".join(f"port {port}" for port in self.ports)
        if not ports:
            return self.capture_filter
        return f"({self.capture_filter}) and ({ports})" if self.capture_filter else ports


def first_installed(wanted: tuple[str, ...], installed: Mapping[str, object]) -> str:
    """The first of the wanted types that is installed, empty when none is."""
    return next((name for name in wanted if name in installed), "")


def from_files(files: tuple[str, ...], capture_filter: str | None) -> Capture:
    """Packets of capture files.

    :raises InputError: one is not there: said before anything answers, not when the collector starts.
    """
    missing = next((name for name in files if name != "-" and not Path(name).exists()), None)
    if missing is not None:
        raise InputError(f"{missing}: there is no such file")
    return Capture("pcap", {"files": list(files), "filter": capture_filter}, f"the files {', '.join(files)}", False)


def choose_capture(
    installed: Mapping[str, object],
    wanted: Wanted,
    own_ports: tuple[int, ...],
    command: str = "up",
    ebpf_refused: str = "",
) -> Capture:
    """The best live collectors that work here: packets, and beside them what processes do.

    :param own_ports: ports that MetaFlow itself listens on; its own traffic is left out.
    :param command: the command that asks, for the sentence that says what to do.
    :param ebpf_refused: why processes cannot be watched here, empty when they can.
    """
    refused = ebpf_refused if "ebpf" in installed else "metaflow-collector-ebpf is not installed"
    options: dict[str, Any] = {"ports": list(wanted.ports), "exclude_ports": list(own_ports)}
    if wanted.mode == "ebpf":
        if refused:
            return Capture("", {}, f"{refused}; watch packets instead: mflow {command} --capture packets")
        return Capture("ebpf", options, f"{_EBPF}; no packets, so there are no flows")
    packets = _packets(installed, wanted, own_ports, command)
    if wanted.mode == "packets" or not sys.platform.startswith("linux"):
        return packets
    if wanted.mode == "both":
        if not packets.collector:
            return packets
        if refused:
            return Capture("", {}, f"{refused}; watch packets alone: mflow {command} --capture packets")
        return replace(packets, more={"ebpf": options}, why_more=_EBPF)
    narrow = " and ".join(
        name for name, given in (("--interface", wanted.interfaces), ("--filter", wanted.capture_filter)) if given
    )
    if narrow:
        said = f"no eBPF: {narrow} can narrow packets only (--capture both watches all processes beside them)"
        return replace(packets, why_more="" if refused else said)
    if refused:
        return replace(packets, why_more=f"no eBPF: {refused}")
    if not packets.collector:
        return Capture("ebpf", options, f"{_EBPF}; {packets.why.partition(';')[0]}, so there are no flows")
    return replace(packets, more={"ebpf": options}, why_more=f"{_EBPF} (--no-ebpf leaves it out)")


def _packets(installed: Mapping[str, object], wanted: Wanted, own_ports: tuple[int, ...], command: str) -> Capture:
    interfaces = wanted.interfaces or ("*",)
    options: dict[str, Any] = {"interfaces": list(interfaces), "filter": wanted.packet_filter}
    if "cbpf" in installed and sys.platform.startswith("linux"):
        reason = _packet_socket_refused()
        if reason:
            return Capture("", {}, f"{reason}; {_instead(command, reason)}")
        return Capture(
            "cbpf",
            {**options, "exclude_ports": list(own_ports), **_rings(interfaces, command)},
            f"packets of {_named(interfaces)} through AF_PACKET, since this process may open packet sockets",
        )
    if "winpcap" in installed:
        return Capture(
            "winpcap",
            options,
            f"packets of {_named(interfaces)} through the pcap library, since this system has no AF_PACKET",
        )
    return Capture(
        "",
        {},
        f"no installed plugin captures live; install metaflow-collector-cbpf, or give a capture: mflow {command} --pcap FILE",
    )


def _rings(interfaces: tuple[str, ...], command: str, present: Path = Path("/sys/class/net")) -> dict[str, int]:
    """Options of the rings that packets wait in.

    A block that the kernel hands over costs as much with ten packets as with a thousand, so it may fill it for a tenth of a second; smaller
    blocks make the same memory outlast a longer standstill. The memory is shared among the interfaces: an agent has little.
    """
    names = [folder.name for folder in present.iterdir()] if present.is_dir() else []
    count = sum(any(fnmatch.fnmatchcase(name, pattern) for pattern in interfaces) for name in names)
    budget = _AGENT_RINGS_MIB if command == "agent" else _RINGS_MIB
    return {"retire_ms": 100, "block_kib": 256, "ring_mib": max(_LEAST_RING_MIB, budget // max(1, count))}


def _instead(command: str, reason: str) -> str:
    """What to do where packets cannot be captured; becoming root is no help to a root who has lost the capability."""
    capture = f"give a capture: mflow {command} --pcap FILE"
    if _CAPABILITY not in reason:
        return capture
    if os.geteuid() == 0:
        return (
            f"where a container took it, start that with --cap-add NET_RAW (Kubernetes: capabilities.add), or {capture}"
        )
    return f"run as root (sudo mflow {command}), in a systemd unit with AmbientCapabilities={_CAPABILITY}, or {capture}"


def _packet_socket_refused() -> str:
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except PermissionError:
        return f"capturing packets needs {_CAPABILITY}, which user {os.geteuid()} lacks here"
    except (AttributeError, OSError) as error:
        return f"this system has no packet sockets ({error})"
    return ""


def _named(interfaces: tuple[str, ...]) -> str:
    return "every interface" if interfaces == ("*",) else ", ".join(interfaces)
