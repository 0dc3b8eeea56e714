"""A wire with loss, delay, reordering and duplicates between two network devices, in user space: what `tc netem` does, for kernels without it.

Usage: tcp-wire.py DEVICE_A DEVICE_B CONTROL_FILE

The control file is read again when it changes. Its one line is `a_loss a_delay_ms a_jitter_ms a_reorder b_loss b_delay_ms
b_jitter_ms b_reorder [a_duplicate b_duplicate]`: values for frames that come from A, then from B; loss and reorder are probabilities, a reordered frame is
sent at once instead of after the delay, a duplicate is a second copy of it with a delay of its own. The random numbers are seeded, so that a run is as repeatable as its timing.
"""

from __future__ import annotations

import heapq
import os
import random
import select
import socket
import sys
import time

ETH_P_ALL = 3
PACKET_OUTGOING = 4
SOL_PACKET = 263
PACKET_ADD_MEMBERSHIP = 1
PACKET_MR_PROMISC = 1


def port(device: str) -> socket.socket:
    """A raw socket on a device that sees every frame arriving there."""
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    raw.bind((device, 0))
    index = socket.if_nametoindex(device)
    member = index.to_bytes(4, "little") + PACKET_MR_PROMISC.to_bytes(2, "little") + bytes(10)
    raw.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, member)
    return raw


def main() -> None:
    """Forwards until it is killed."""
    ports = [port(sys.argv[1]), port(sys.argv[2])]
    control = sys.argv[3]
    rng = random.Random(7)
    waiting: list[tuple[float, int, int, bytes]] = []
    serial, stamp, rules = 0, -1.0, [[0.0] * 5, [0.0] * 5]
    while True:
        changed = os.stat(control).st_mtime
        if changed != stamp:
            with open(control, encoding="ascii") as text:
                values = [float(word) for word in text.read().split()]
            if len(values) in (8, 10):
                twice = values[8:] or [0.0, 0.0]
                stamp, rules = changed, [[*values[:4], twice[0]], [*values[4:8], twice[1]]]
        timeout = 0.05 if not waiting else max(0.0, min(0.05, waiting[0][0] - time.monotonic()))
        for raw in select.select(ports, [], [], timeout)[0]:
            frame, address = raw.recvfrom(65536)
            if address[2] == PACKET_OUTGOING:
                continue
            side = ports.index(raw)
            loss, delay, jitter, reorder, duplicate = rules[side]
            if rng.random() < loss:
                continue
            wait = 0.0 if rng.random() < reorder else (delay + rng.uniform(-jitter, jitter)) / 1000
            serial += 1
            heapq.heappush(waiting, (time.monotonic() + wait, serial, 1 - side, frame))
            if duplicate and rng.random() < duplicate:
                serial += 1
                wait = (delay + rng.uniform(0, 2 * delay)) / 1000
                heapq.heappush(waiting, (time.monotonic() + wait, serial, 1 - side, frame))
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, to, frame = heapq.heappop(waiting)
            ports[to].send(frame)


if __name__ == "__main__":
    main()
