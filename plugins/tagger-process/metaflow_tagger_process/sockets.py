"""The kernel's tables of sockets, and who holds them (proc_net(5), proc_pid_fd(5))."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Socket", "holders", "local_addresses", "read_tables"]

TCP, UDP = 6, 17
_TABLES = (("tcp", TCP), ("tcp6", TCP), ("udp", UDP), ("udp6", UDP))
_LISTEN = "0A"
_MAPPED = bytes(10) + b"\xff\xff"
_MOST_LINES = 200_000


@dataclass(frozen=True, slots=True)
class Socket:
    """A socket: addresses of 4 or 16 bytes, ports, and the inode that descriptors name. ``open`` ones wait for anybody."""

    protocol: int
    local: bytes
    local_port: int
    remote: bytes
    remote_port: int
    inode: int
    open: bool


def read_tables(pid: int, root: Path = Path("/proc")) -> Iterator[Socket]:
    """Every socket in the network namespace of a process; those that nobody holds any more are left out."""
    for name, protocol in _TABLES:
        try:
            with (root / str(pid) / "net" / name).open(encoding="ascii", errors="replace") as file:
                next(file, None)
                for number, line in enumerate(file):
                    if number >= _MOST_LINES:
                        break
                    found = _socket(line, protocol)
                    if found:
                        yield found
        except OSError:
            continue


def _socket(line: str, protocol: int) -> Socket | None:
    fields = line.split(None, 10)
    try:
        if fields[9] == "0":
            # a connection that waits for its end, of which a busy server has thousands
            return None
        local, local_port = fields[1].split(":")
        remote, remote_port = fields[2].split(":")
        inode = int(fields[9])
        far_port = int(remote_port, 16)
        is_open = fields[3] == _LISTEN if protocol == TCP else not far_port
        return Socket(protocol, _address(local), int(local_port, 16), _address(remote), far_port, inode, is_open)
    except (IndexError, ValueError, struct.error):
        return None


def _address(text: str) -> bytes:
    """The kernel prints words in its own byte order; an IPv4 address in IPv6's clothes is IPv4."""
    words = [int(text[at : at + 8], 16) for at in range(0, len(text), 8)]
    if len(words) not in (1, 4):
        raise ValueError(text)
    address = struct.pack(f"={len(words)}I", *words)
    return address[12:] if len(address) == 16 and address[:12] == _MAPPED else address


def holders(pids: Iterable[int], wanted: set[int], root: Path = Path("/proc")) -> dict[int, list[int]]:
    """Processes that hold sockets, by inode."""
    found: dict[int, list[int]] = {}
    for pid in pids:
        folder = f"{root}/{pid}/fd"
        try:
            names = os.listdir(folder)  # noqa: PTH208 - tens of thousands of names at each look
        except OSError:
            continue
        for name in names:
            try:
                target = os.readlink(f"{folder}/{name}")  # noqa: PTH115 - the same
            except OSError:
                continue
            if target.startswith("socket:["):
                inode = int(target[8:-1])
                if inode in wanted:
                    owners = found.setdefault(inode, [])
                    if pid not in owners:
                        owners.append(pid)
    return found


def local_addresses(pid: int, root: Path = Path("/proc")) -> set[bytes]:
    """Addresses of a network namespace, from the kernel's routing tables."""
    found: set[bytes] = set()
    try:
        last = ""
        for line in (root / str(pid) / "net" / "fib_trie").read_text(errors="replace").splitlines():
            stripped = line.strip()
            if stripped.startswith("|-- "):
                last = stripped[4:]
            elif stripped.endswith("host LOCAL") and stripped.startswith("/32") and last:
                found.add(bytes(int(part) for part in last.split(".")))
    except (OSError, ValueError):
        pass
    try:
        for line in (root / str(pid) / "net" / "if_inet6").read_text(errors="replace").splitlines():
            found.add(bytes.fromhex(line.split()[0]))
    except (OSError, ValueError, IndexError):
        pass
    return found
