"""Tagging: rows a second a core, cost of a change, memory a pod; against a plain dictionary look-up."""

from __future__ import annotations

import argparse
import gc
import os
import random
import tempfile
import time
import tracemalloc
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from ipaddress import IPv4Address
from pathlib import Path

import numpy as np
import pyarrow as pa

from bench.machine import machine
from metaflow_core.api import IdBook, Kind, RecordBatch, SystemClock
from metaflow_core.tagging import AddressTagger, Entry, Network, Section
from metaflow_core.testing import build_context

_ROWS = 200_000
_POD = 10
_PAST = 50_000


@cache
def _attributes(index: int) -> dict[str, str]:
    """Shared, as the tagger for Kubernetes shares them."""
    return {
        "cluster": "bench",
        "namespace": f"team-{index % 40}",
        "node": f"node-{index % 100}",
        "workload": f"web-{index % 400}",
    }


def pod(index: int, labels: int) -> Entry:
    """One pod of a few hundred workloads."""
    address = int(IPv4Address("10.0.0.0")) + index
    return Entry(
        section=Section.HOSTS,
        name=f"web-{index % 400}-{index}",
        networks=(Network(4, address, address, 32),),
        dictionary="pod",
        type=_POD,
        valid_from=1_700_000_000_000_000_000 + index % 1000 * 1_000_000_000,
        attributes=_attributes(index % 4000),
        tags={"pod_label": {f"label-{number}": f"value-{index % 50}" for number in range(labels)}} if labels else {},
    )


def batch(pods: int) -> RecordBatch:
    """Rows between random pods."""
    chosen = np.random.default_rng(1).integers(0, pods, (2, _ROWS), dtype=np.uint32) + int(IPv4Address("10.0.0.0"))
    columns = {
        "end_time": pa.array(np.full(_ROWS, time.time_ns() // 1000)).cast(pa.timestamp("us", "UTC")),
        "ip4_0": pa.array(chosen[0].astype(np.uint32)),
        "ip4_1": pa.array(chosen[1].astype(np.uint32)),
        "is_ipv4": pa.array(np.ones(_ROWS, np.bool_)),
        "server_port": pa.array(np.full(_ROWS, 8080, np.uint16)),
        "protocol": pa.array(np.full(_ROWS, 6, np.uint8)),
    }
    return RecordBatch("flow_log.l7_flow_log", pa.record_batch(columns))


def _memory(pods: int, labels: int) -> float:
    """Bytes that a pod takes, its entry included, as Python's allocator counts them."""
    tagger = AddressTagger(build_context(Kind.TAGGER, clock=SystemClock()))
    # what is there with the first pod, and what pods share, is no pod's
    tagger.learn([pod(index, labels) for index in range(min(4000, pods // 2))])
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    began = tagger.entries
    tagger.revise([], [pod(index, labels) for index in range(began, pods)])
    gc.collect()
    took = tracemalloc.get_traced_memory()[0] - before
    pods -= began
    tracemalloc.stop()
    return took / pods


def main(arguments: list[str]) -> int:
    """Exit code."""
    parser = argparse.ArgumentParser(prog="script/bench tagging", description=__doc__)
    parser.add_argument("--pods", type=int, nargs="*", default=[2_000, 20_000, 50_000])
    parser.add_argument("--labels", type=int, default=10)
    parser.add_argument("--churn", type=int, default=0, help="instead: so many seconds of 100 pods that come and go")
    options = parser.parse_args(arguments)
    print(machine())
    if options.churn:
        _churn(options.churn, max(options.pods), options.labels)
        return 0
    pods = max(options.pods)
    bare, whole = _memory(pods, 0), _memory(pods, options.labels)
    print(f"memory with {pods:,} pods: {bare:,.0f} bytes a pod, and {whole - bare:,.0f} for {options.labels} labels")
    print("   pods   rows/s a core   of a dictionary   learn all   100 of them change: told as a change   as a list")
    for pods in options.pods:
        print(_measured(pods, options.labels))
    return 0


def _churn(seconds: int, pods: int, labels: int) -> None:
    """A cluster in which 100 pods end and 100 others begin every second, told once a second; each is of the past for an hour."""
    clock = [0.0]
    with tempfile.TemporaryDirectory() as folder:
        book = IdBook(Path(folder) / "ids.json", now_s=lambda: clock[0])
        tagger = AddressTagger(replace(build_context(Kind.TAGGER, clock=SystemClock()), ids=book))
        living = deque(pod(index, labels) for index in range(pods))
        tagger.learn(list(living))
        past: deque[Entry] = deque()
        number, began, position = pods, time.process_time(), 0
        print(" simulated   process   numbers known   file of numbers   processor time a pod")
        for second in range(1, seconds + 1):
            clock[0] = second
            gone = [living.popleft() for _ in range(100)]
            ended = [replace(each, valid_to=1_800_000_000_000_000_000 + second * 10**9) for each in gone]
            past.extend(ended)
            gone += [past.popleft() for _ in range(max(0, len(past) - _PAST))]
            come = [_replaced(number + index, pods, labels) for index in range(100)]
            number += 100
            living.extend(come)
            tagger.revise(gone, [*ended, *come], 1_800_000_000_000_000_000 + second * 10**9)
            position, _ = tagger.names(position)
            if second % max(1, seconds // 12) == 0:
                size = (Path(folder) / "ids.json").stat().st_size
                each_us = (time.process_time() - began) / (second * 100) * 1e6
                print(
                    f"{second / 3600:8.2f} h {_resident() / 1e6:6.0f} MB {len(book):15,} {size / 1e6:14.1f} MB {each_us:19.0f} us"
                )


def _replaced(index: int, pods: int, labels: int) -> Entry:
    """A new pod at an address that one had before."""
    return replace(pod(index, labels), networks=pod(index % (2 * pods), 0).networks)


def _resident() -> int:
    """Bytes of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _measured(pods: int, labels: int) -> str:
    """A line of the table."""
    entries = [pod(index, labels) for index in range(pods)]
    tagger = AddressTagger(build_context(Kind.TAGGER, clock=SystemClock()))
    whole_s = _cpu(lambda: tagger.learn(entries))
    random.Random(1).shuffle(entries)
    gone, come = entries[:100], [pod(pods + index, labels) for index in range(100)]
    change_s = _cpu(lambda: tagger.revise(gone, come))
    entries[:100] = [pod(pods + 100 + index, labels) for index in range(100)]
    list_s = _cpu(lambda: tagger.learn(entries))
    rows = batch(pods)
    tagger.tag(rows)
    rate = 5 * _ROWS / _cpu(lambda: [tagger.tag(rows) for _ in range(5)])
    known = {address: address for address in range(pods)}
    addresses = (rows.data.column("ip4_0").to_numpy() - int(IPv4Address("10.0.0.0"))).tolist()
    floor = _ROWS / _cpu(lambda: [known.get(address) for address in addresses])
    return f"{pods:7} {rate:15,.0f} {rate / floor:15.2f} x {whole_s:9.2f} s {change_s * 1000:35.1f} ms {list_s * 1000:8.1f} ms"


def _cpu(run: Callable[[], object]) -> float:
    """Seconds of processor time."""
    began = time.process_time()
    run()
    return time.process_time() - began
