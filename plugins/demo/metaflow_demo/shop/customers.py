"""Customers: calls at an even rate, the same ones in the same order each time."""

from __future__ import annotations

import asyncio
import contextlib
import random

from metaflow_demo.calls import CallLog
from metaflow_demo.shop.http import Caller
from metaflow_demo.shop.plan import Plan

__all__ = ["buy"]

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


async def buy(plan: Plan, log: CallLog) -> None:
    """Call until the plan's number of calls was made; then wait for the last answers."""
    caller = Caller(log, ("customers", plan.customers), plan.gateway, "shop.test")
    chance = random.Random(2026)  # noqa: S311 - the same customers every time
    weights = [weight for weight, _, _ in _KINDS]
    under_way: set[asyncio.Task[None]] = set()
    loop = asyncio.get_running_loop()
    begin, made = loop.time(), 0

    async def one(method: str, path: str) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await caller.call(method, path, body=b'{"item": 1}' if method == "POST" else b"")

    while not plan.calls or made < plan.calls:
        _, method, path = chance.choices(_KINDS, weights)[0]
        task = asyncio.create_task(one(method, path.format(n=chance.randint(1, 5))))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        made += 1
        rest = begin + made / plan.rate - loop.time()
        if rest > 0:
            await asyncio.sleep(rest)
        elif len(under_way) > 200:
            # the shop is slower than its customers: they queue, and nobody tries to catch up later
            await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            begin = loop.time() - made / plan.rate
    if under_way:
        await asyncio.wait(under_way)
