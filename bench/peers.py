"""Other programs on the same captures: a floor (tcpdump), dissectors (tshark, pyshark), a classifier (ndpiReader), a library (dpkt)."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

TSHARK = {
    "http": ("http.request", "http.response"),
    "redis": ("resp.array", ""),
    "mysql": ("mysql.command", ""),
    "dns": ("dns.flags.response == 0", "dns.flags.response == 1"),
}

DPKT = """
import dpkt, sys
found = 0
with open(sys.argv[1], "rb") as file:
    for _, frame in dpkt.pcap.Reader(file):
        transport = dpkt.ethernet.Ethernet(frame).data.data
        if isinstance(transport, (dpkt.tcp.TCP, dpkt.udp.UDP)) and transport.data:
            found += {test}
print(found)
"""
DPKT_TESTS = {
    "http": 'transport.data[:5] == b"HTTP/"',
    "redis": 'transport.data[:1] in b"+-:$*" and transport.sport == 6379',
    "mysql": "transport.sport == 3306",
    "dns": "dpkt.dns.DNS(transport.data).qr == 1",
}
PYSHARK = """
import pyshark, sys
capture = pyshark.FileCapture(sys.argv[1], keep_packets=False, display_filter=sys.argv[2])
print(sum(1 for _ in capture))
capture.close()
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """A program to run beside the engine.

    :ivar command: from protocol and file. :ivar exchanges: from what it printed, None when it does not count them.
    :ivar share: part of the capture that it is given: slow programs are given less, and rates are compared.
    """

    name: str
    version: str
    command: Callable[[str, Path], list[str]]
    exchanges: Callable[[str], int | None]
    share: float = 1.0


def peers() -> list[Peer]:
    """Those that are installed."""
    last = _last_number
    found = [
        ("tcpdump", Peer("tcpdump -w /dev/null", _version("tcpdump", "--version"), _tcpdump, _none)),
        ("ndpiReader", Peer("ndpiReader", _version("ndpiReader", "-h"), _ndpi, _none)),
        ("tshark", Peer("tshark", _version("tshark", "--version"), _tshark, lambda text: len(text.splitlines()), 0.2)),
    ]
    programs = [peer for program, peer in found if shutil.which(program)]
    if importlib.util.find_spec("dpkt"):
        programs.append(Peer("dpkt", importlib.metadata.version("dpkt"), _dpkt, last, 0.2))
    if importlib.util.find_spec("pyshark") and shutil.which("tshark"):
        programs.append(Peer("pyshark", importlib.metadata.version("pyshark"), _pyshark, last, 0.01))
    return programs


def _tcpdump(_protocol: str, file: Path) -> list[str]:
    return ["tcpdump", "-r", str(file), "-w", "/dev/null"]


def _ndpi(_protocol: str, file: Path) -> list[str]:
    return ["ndpiReader", "-i", str(file), "-q"]


def _tshark(protocol: str, file: Path) -> list[str]:
    request = TSHARK[protocol][1] or TSHARK[protocol][0]
    return [
        "tshark",
        "-r",
        str(file),
        "-d",
        "tcp.port==8080,http",
        "-d",
        "udp.port==5353,dns",
        "-Y",
        request,
        "-T",
        "fields",
        "-e",
        "frame.number",
    ]


def _dpkt(protocol: str, file: Path) -> list[str]:
    return [sys.executable, "-c", DPKT.format(test=DPKT_TESTS[protocol]), str(file)]


def _pyshark(protocol: str, file: Path) -> list[str]:
    return [sys.executable, "-c", PYSHARK, str(file), TSHARK[protocol][1] or TSHARK[protocol][0]]


def _none(_text: str) -> None:
    return None


def _last_number(text: str) -> int | None:
    found = re.findall(r"^\d+$", text, re.MULTILINE)
    return int(found[-1]) if found else None


def _version(program: str, option: str) -> str:
    if not shutil.which(program):
        return ""
    done = subprocess.run([program, option], capture_output=True, text=True, check=False)
    found = re.search(r"\d+\.\d+(\.\d+)?", done.stdout + done.stderr)
    return found[0] if found else "?"
