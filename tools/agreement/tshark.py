"""tshark as a second opinion: fields of packets as columns of text."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["fields", "missing"]


def missing() -> str:
    """Why tshark cannot be asked, empty when it can."""
    return "" if shutil.which("tshark") else "tshark is not installed (Debian: apt-get install tshark)"


def fields(
    path: Path, wanted: Sequence[str], *, show: str = "", decode_as: Sequence[str] = ()
) -> Iterator[list[list[str]]]:
    """Of each packet that ``show`` (a display filter) lets through: all values of each field.

    :param decode_as: rules like ``tcp.port==8080,http``, for ports that tshark does not know.
    """
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=\x1f"]
    # What a sender's network card fills in is no error, and a message is counted once, where it is complete.
    command += ["-o", "tcp.check_checksum:false", "-o", "tcp.desegment_tcp_streams:true"]
    command += ["-o", "tcp.reassemble_out_of_order:true"]
    for name in wanted:
        command += ["-e", name]
    for rule in decode_as:
        command += ["-d", rule]
    if show:
        command += ["-Y", show]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise RuntimeError(f"tshark -r {path}: {done.stderr.strip().splitlines()[-1:]}")
    for line in done.stdout.splitlines():
        cells = line.split("\t")
        if len(cells) == len(wanted):
            yield [cell.split("\x1f") if cell else [] for cell in cells]
