"""Customers: calls at an even rate, the same ones in the same order each time. Those who order use an instrumented app."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from metaflow_demo.calls import CallLog
from metaflow_demo.shop.context import begun
from metaflow_demo.shop.http import Caller
from metaflow_demo.shop.plan import Plan

__all__ = ["buy"]

_AT_ONCE = 100
_KINDS = (
    (46, "GET", "/items/{n}"),
    (14, "GET", "/items"),
    (20, "POST", "/orders"),
    (8, "GET", "/"),
    (5, "GET", "/recommend"),
    (3, "GET", "/broken"),
    (2, "GET", "/items/77"),
    (2, "GET", "/nowhere"),
)


def buy(plan: Plan, log: CallLog) -> None:
    """Call until the plan's number of calls was made; then wait for the last answers."""
    caller = Caller(log, ("customers", plan.customers), plan.gateway, "shop.test")
    chance = random.Random(2026)  # noqa: S311 - the same customers every time
    weights = [weight for weight, _, _ in _KINDS]
    # the shop may be slower than its customers: then they queue, and nobody tries to catch up later
    free = threading.Semaphore(_AT_ONCE)

    def one(method: str, path: str) -> None:
        try:
            with contextlib.suppress(OSError, ValueError):
                if method == "POST":
                    caller.call(method, path, begun(), b'{"item": 1}')
                else:
                    caller.call(method, path)
        finally:
            free.release()

    begin, made = time.monotonic(), 0
    with ThreadPoolExecutor(_AT_ONCE) as crowd:
        while not plan.calls or made < plan.calls:
            _, method, path = chance.choices(_KINDS, weights)[0]
            if not free.acquire(blocking=False):
                free.acquire()
                begin = time.monotonic() - made / plan.rate
            crowd.submit(one, method, path.format(n=chance.randint(1, 5)))
            made += 1
            rest = begin + made / plan.rate - time.monotonic()
            if rest > 0:
                time.sleep(rest)
