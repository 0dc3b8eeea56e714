"""Which of the installed components are used for capturing, and why."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Capture", "choose_capture", "first_installed", "from_files"]

# best first
STORAGES = ("clickhouse", "memory")


@dataclass(frozen=True, slots=True)
class Capture:
    """Where packets come from.

    :ivar collector: its type and id; empty when nothing can be captured here.
    :ivar options: for the collector.
    :ivar why: a sentence for the first lines of the output.
    :ivar is_live: packets of now, not of files.
    :ivar more: further collectors that are used when they can start.
    """

    collector: str
    options: Mapping[str, Any]
    why: str
    is_live: bool = True
    more: tuple[str, ...] = field(default=())


def first_installed(wanted: tuple[str, ...], installed: Mapping[str, object]) -> str:
    """The first of the wanted types that is installed, empty when none is."""
    return next((name for name in wanted if name in installed), "")


def from_files(files: tuple[str, ...], capture_filter: str | None) -> Capture:
    """Packets of capture files."""
    return Capture("pcap", {"files": list(files), "filter": capture_filter}, f"the files {', '.join(files)}", False)


def choose_capture(
    installed: Mapping[str, object],
    interfaces: tuple[str, ...],
    capture_filter: str | None,
    own_ports: tuple[int, ...],
    command: str = "up",
) -> Capture:
    """The best live collector that works here.

    :param own_ports: ports that MetaFlow itself listens on; its own traffic is left out.
    :param command: the command that asks, for the sentence that says what to do.
    """
    wanted = tuple(interfaces) or ("*",)
    if "cbpf" in installed and sys.platform.startswith("linux"):
        reason = _packet_socket_refused()
        if reason:
            return Capture("", {}, f"{reason}; {_instead(command)}")
        options = {"interfaces": list(wanted), "filter": capture_filter, "exclude_ports": list(own_ports)}
        return Capture(
            "cbpf",
            options,
            f"packets of {_named(wanted)} through AF_PACKET, since this process may open packet sockets",
        )
    if "winpcap" in installed:
        return Capture(
            "winpcap",
            {"interfaces": list(wanted), "filter": capture_filter},
            f"packets of {_named(wanted)} through the pcap library, since this system has no AF_PACKET",
        )
    return Capture(
        "",
        {},
        f"no installed plugin captures live; install metaflow-collector-cbpf, or give a capture: mflow {command} --pcap FILE",
    )


def _instead(command: str) -> str:
    return f"run as root (sudo mflow {command}), or give a capture: mflow {command} --pcap FILE"


def _packet_socket_refused() -> str:
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except PermissionError:
        return f"capturing packets needs CAP_NET_RAW, which user {os.geteuid()} lacks here"
    except (AttributeError, OSError) as error:
        return f"this system has no packet sockets ({error})"
    return ""


def _named(interfaces: tuple[str, ...]) -> str:
    return "every interface" if interfaces == ("*",) else ", ".join(interfaces)
