"""Samples that both sides are asked about. No sample lies on a whole second, so that no window has one on its edge.

Prometheus 2's windows are closed on the left and 3's are open; off the edges both see the same samples.
"""

from __future__ import annotations

import math
import random
import struct

STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
MINUTES = 90
INTERVAL_MS = 15_000

Series = list[tuple[dict[str, str], list[tuple[int, float]]]]


def _times(base_ms: int, seed: int) -> list[int]:
    rng = random.Random(seed)
    shift = rng.randrange(101, 899)
    return [base_ms + index * INTERVAL_MS + shift for index in range(MINUTES * 4)]


def dataset(base_ms: int) -> Series:
    """Counters with resets, gauges, histograms, gaps, stale markers, NaN and infinities, series that begin and end."""
    rng = random.Random(7)
    out: Series = []
    seed = 0
    for job in ("api", "db", "web"):
        for instance in range(4):
            seed += 1
            times = _times(base_ms, seed)
            base = {"job": job, "instance": f"host-{instance}:9100", "env": "prod" if instance % 2 else "dev"}
            for code in ("200", "404", "500"):
                value = float(rng.randrange(0, 50))
                samples = []
                for at in times:
                    value += rng.randrange(0, 20)
                    if rng.random() < 0.004:
                        value = float(rng.randrange(0, 3))
                    samples.append((at, value))
                out.append(({"__name__": "http_requests_total", "code": code, **base}, samples))
            value = rng.uniform(10, 90)
            gauge = []
            for at in times:
                value += rng.gauss(0, 3)
                gauge.append((at, round(value, 3)))
            out.append(({"__name__": "memory_bytes", **base}, gauge))
            out.append(({"__name__": "temperature", **base}, [(at, rng.uniform(-20, 20)) for at in times]))
            bounds = ("0.05", "0.1", "0.5", "1", "5", "+Inf")
            counts = [0.0] * len(bounds)
            rows: list[list[tuple[int, float]]] = [[] for _ in bounds]
            total: list[tuple[int, float]] = []
            amount = 0.0
            for at in times:
                for _ in range(rng.randrange(0, 6)):
                    seen = rng.expovariate(1.5)
                    amount += seen
                    for index, bound in enumerate(bounds):
                        if seen <= float(bound):
                            counts[index] += 1
                for index, count in enumerate(counts):
                    rows[index].append((at, count))
                total.append((at, amount))
            for bound, row in zip(bounds, rows, strict=True):
                out.append(({"__name__": "latency_seconds_bucket", "le": bound, **base}, row))
            out.append(({"__name__": "latency_seconds_count", **base}, rows[-1]))
            out.append(({"__name__": "latency_seconds_sum", **base}, total))
    times = _times(base_ms, 99)
    # Gaps of several minutes, one longer than the look-back.
    gaps = [(at, float(i % 13)) for i, at in enumerate(times) if not (60 < i < 75 or 120 < i < 150)]
    out.append(({"__name__": "gappy", "kind": "gap"}, gaps))
    stale = [(at, STALE if i % 40 == 25 else float(i)) for i, at in enumerate(times) if not 25 < i % 40 < 32]
    out.append(({"__name__": "gappy", "kind": "stale"}, stale))
    out.append(({"__name__": "gappy", "kind": "ends"}, [(at, 5.0) for at in times[:150]] + [(times[150], STALE)]))
    out.append(({"__name__": "gappy", "kind": "begins"}, [(at, float(i)) for i, at in enumerate(times[200:])]))
    special = [math.nan, math.inf, -math.inf, 0.0, -0.0, 1e-9, 1e22, 3.5]
    for index, name in enumerate(("nan", "inf", "ninf", "zero", "negzero", "tiny", "huge", "plain")):
        out.append(({"__name__": "special", "name": name}, [(at, special[index]) for at in times]))
    out.append(({"__name__": "special", "name": "mixed"}, [(at, special[i % 8]) for i, at in enumerate(times)]))
    out.append(({"__name__": "constant", "name": "a"}, [(at, 42.0) for at in times]))
    out.append(({"__name__": "build_info", "version": "1.2.3", "instance": "host-0:9100"}, [(at, 1.0) for at in times]))
    out.append(({"__name__": "build_info", "version": "1.2.4", "instance": "host-1:9100"}, [(at, 1.0) for at in times]))
    out.append(({"__name__": "info", "job": "api", "team": "red"}, [(at, 1.0) for at in times]))
    out.append(({"__name__": "info", "job": "db", "team": "blue"}, [(at, 1.0) for at in times]))
    out.append(({"__name__": "limits", "job": "api"}, [(at, 5000.0) for at in times]))
    out.append(({"__name__": "limits", "job": "web"}, [(at, 3000.0) for at in times]))
    return [*out, *_edges(base_ms)]


_ODD = {
    "noinf": ("0.1", "1", "5"), "onlyinf": ("+Inf",), "dup": ("1", "1.0", "2", "+Inf"), "nonmono": ("1", "2", "3", "+Inf"), "zero": ("1", "+Inf"),
    "neg": ("-5", "-1", "0", "1", "+Inf"), "bad": ("abc", "", "1", "2", "+Inf"), "nan": ("1", "2", "+Inf"), "late": ("1", "2", "+Inf"),
    "forms": ("1e-1", "0x10", "2E1", "Inf"), "one": ("2", "+Inf"), "inf": ("-Inf", "1", "+Inf", "inf"), "stale": ("1", "3", "+Inf"),
}  # fmt: skip
"""Upper bounds of histograms that are none, or hardly."""


def _edges(base_ms: int) -> Series:
    """What :mod:`edges` asks about: odd histograms, equal numbers, markers beside every sample, labels of odd characters, series that share their keys."""
    out: Series = []
    rng = random.Random(11)
    for name, bounds in _ODD.items():
        times = _times(base_ms, 300)
        for index, bound in enumerate(bounds):
            steps = {"zero": 0, "nonmono": 5 - index}.get(name, index + 1)
            values = [float(steps * i) for i in range(len(times))]
            if name == "nan" and index == 1:
                values = [math.nan] * len(times)
            if name == "stale" and index == 1:
                values = [STALE if i % 8 == 3 else value for i, value in enumerate(values)]
            rows = list(zip(times, values, strict=True))[250 if name == "late" and index == 1 else 0 :]
            labels = {"__name__": "odd_bucket", "h": name} | ({"le": bound} if bound else {})
            out.append((labels, rows))
    for index in range(6):
        out.append(
            (
                {"__name__": "ties", "a": str(index), "job": "api" if index < 3 else "db"},
                [(at, float(index // 4)) for at in _times(base_ms, 400 + index)],
            )
        )
    times = _times(base_ms, 500)
    out.append(({"__name__": "edgy", "a": "flip"}, [(at, STALE if i % 2 else float(i)) for i, at in enumerate(times)]))
    out.append(
        ({"__name__": "edgy", "a": "first"}, [(at, STALE if i % 60 == 0 else float(i)) for i, at in enumerate(times)])
    )
    out.append(({"__name__": "edgy", "a": "only"}, [(at, STALE) for at in times]))
    out.append(
        ({"__name__": "edgy", "a": "last"}, [(at, STALE if i % 20 == 19 else float(-i)) for i, at in enumerate(times)])
    )
    out.append(({"__name__": "edgy", "a": "rare"}, [(at, float(i)) for i, at in enumerate(times) if i % 19 == 0]))
    for index, value in enumerate(("a\nb", "ü", "$1", "\\d", "a:b:c", "host-1:9100", " ", "☃")):
        out.append(
            (
                {"__name__": "odd_labels", "odd": value, "instance": value * (index % 2 + 1)},
                [(at, float(index)) for at in times],
            )
        )
    for job in ("api", "db"):
        for shard in ("x", "y"):
            begin = 0 if shard == "x" else 200
            labels = {"__name__": "sharded", "job": job, "shard": shard, "instance": "host-0:9100"}
            out.append((labels, [(at, rng.uniform(0, 9)) for at in _times(base_ms, 600)[begin:]]))
    return out
