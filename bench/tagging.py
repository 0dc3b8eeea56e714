"""Tagging: rows a second a core, time from new knowledge to rows that carry it, memory a pod; against a plain dictionary look-up."""

from __future__ import annotations

import argparse
import gc
import random
import resource
import time
from ipaddress import IPv4Address

import numpy as np
import pyarrow as pa

from bench.machine import machine
from metaflow_core.api import Kind, RecordBatch, SystemClock
from metaflow_core.tagging import AddressTagger, Entry, Network, Section
from metaflow_core.testing import build_context

_ROWS = 200_000
_POD = 10


def pod(index: int, labels: int) -> Entry:
    """One pod of a few hundred workloads."""
    address = int(IPv4Address("10.0.0.0")) + index
    return Entry(
        section=Section.HOSTS,
        name=f"web-{index % 400}-{index}",
        networks=(Network(4, address, address, 32),),
        dictionary="pod",
        type=_POD,
        attributes={
            "cluster": "bench",
            "namespace": f"team-{index % 40}",
            "node": f"node-{index % 100}",
            "workload": f"web-{index % 400}",
        },
        tags={"pod_label": {f"label-{number}": f"value-{index % 50}" for number in range(labels)}},
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


def _memory() -> int:
    gc.collect()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(arguments: list[str]) -> int:
    """Exit code."""
    parser = argparse.ArgumentParser(prog="script/bench tagging", description=__doc__)
    parser.add_argument("--pods", type=int, nargs="*", default=[2_000, 20_000, 50_000])
    parser.add_argument("--labels", type=int, default=10)
    options = parser.parse_args(arguments)
    print(machine())
    print("   pods   rows/s a core   of a dictionary   learn all   learn 100 new   bytes a pod")
    for pods in options.pods:
        before = _memory()
        entries = [pod(index, options.labels) for index in range(pods)]
        tagger = AddressTagger(build_context(Kind.TAGGER, clock=SystemClock()))
        began = time.process_time()
        tagger.learn(entries)
        whole = time.process_time() - began
        each = (_memory() - before) / pods
        random.Random(1).shuffle(entries)
        entries[:100] = [pod(pods + index, options.labels) for index in range(100)]
        began = time.process_time()
        tagger.learn(entries)
        some = time.process_time() - began
        rows = batch(pods)
        tagger.tag(rows)
        began = time.process_time()
        for _ in range(5):
            tagger.tag(rows)
        rate = 5 * _ROWS / (time.process_time() - began)
        known = {address: address for address in range(pods)}
        addresses = (rows.data.column("ip4_0").to_numpy() - int(IPv4Address("10.0.0.0"))).tolist()
        began = time.process_time()
        for address in addresses:
            known.get(address)
        floor = _ROWS / (time.process_time() - began)
        print(f"{pods:7} {rate:15,.0f} {rate / floor:15.2f} x {whole:9.2f} s {some:13.2f} s {each:12,.0f}")
    return 0
