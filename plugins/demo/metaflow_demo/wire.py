"""A wire that loses packets: carries frames between two interfaces of a network namespace of its own.

``python -m metaflow_demo.wire PERCENT`` makes the namespace, prints ``ready``, waits for interfaces ``left`` and ``right`` and carries
frames between them; it needs no module of the kernel, and who watches an end sees what is lost behind it.
``python -m metaflow_demo.wire checksums INTERFACE`` has an interface write whole checksums and packets no longer than its MTU, which
frames must have that go through a program.
"""

from __future__ import annotations

import array
import fcntl
import random
import selectors
import socket
import struct
import sys
import time

from metaflow_demo.inside import new_network

__all__ = ["carry", "plain_frames"]

# linux/sockios.h, linux/ethtool.h, linux/if_ether.h, linux/if_packet.h
_SIOCETHTOOL = 0x8946
_SET_TX_CHECKSUM, _SET_TSO, _SET_GSO = 0x17, 0x1F, 0x24
_ETH_P_ALL, _PACKET_OUTGOING, _TCP = 3, 4, 6


def plain_frames(interface: str) -> None:
    """Switch the offloads of an interface off."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for command in (_SET_TX_CHECKSUM, _SET_TSO, _SET_GSO):
            value = array.array("I", [command, 0])
            try:
                fcntl.ioctl(sock, _SIOCETHTOOL, struct.pack("16sP", interface.encode(), value.buffer_info()[0]))
            except OSError:
                # what it cannot do it does not do
                continue


def _ends() -> list[socket.socket]:
    found = []
    for name in ("left", "right"):
        while True:
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
            try:
                sock.bind((name, 0))
            except OSError:
                sock.close()
                time.sleep(0.02)
                continue
            found.append(sock)
            break
    return found


def carry(percent: float) -> None:
    """For ever."""
    chance = random.Random(7)  # noqa: S311 - no secret
    left, right = _ends()
    selector = selectors.DefaultSelector()
    selector.register(left, selectors.EVENT_READ, right)
    selector.register(right, selectors.EVENT_READ, left)
    while True:
        for key, _ in selector.select():
            source: socket.socket = key.fileobj  # type: ignore[assignment]  # it is the socket that was registered
            try:
                frame, address = source.recvfrom(65_535)
                if address[2] == _PACKET_OUTGOING or (
                    frame[12:14] == b"\x08\x00" and frame[23] == _TCP and chance.random() * 100 < percent
                ):
                    continue
                key.data.send(frame)
            except OSError:
                # an end is down, or its queue is full: then this frame is lost as well
                time.sleep(0.001)


if __name__ == "__main__":
    if sys.argv[1] == "checksums":
        plain_frames(sys.argv[2])
    else:
        new_network()
        print("ready", flush=True)
        carry(float(sys.argv[1]))
