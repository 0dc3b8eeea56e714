"""What the services do."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import Any

from metaflow_demo.calls import CallLog
from metaflow_demo.shop.dns import lookup
from metaflow_demo.shop.http import Caller, Handler
from metaflow_demo.shop.plan import Plan
from metaflow_demo.shop.redis import RedisClient, RedisError
from metaflow_demo.shop.sql import DatabaseError, database

__all__ = ["HANDLERS", "catalog", "gateway", "orders", "payments"]

_REQUEST_ID = "x-request-id"


def gateway(plan: Plan, log: CallLog) -> Handler:
    """Sends each call to the service that knows; gives it an id when it has none."""
    me = ("gateway", plan.gateway.host)
    # inside the shop's own network it has an address of its own
    inner = ("gateway", plan.gateway.host if plan.gateway.host.startswith("127.") else "127.0.77.1")
    behind = {
        "/items": Caller(log, inner, plan.catalog, "catalog.shop.test"),
        "/orders": Caller(log, inner, plan.orders, "orders.shop.test"),
        "/recommend": Caller(log, inner, plan.catalog, "catalog.shop.test"),
        "/broken": Caller(log, inner, plan.orders, "orders.shop.test"),
    }
    numbers = itertools.count(1)

    async def answer(method: str, path: str, headers: dict[str, str]) -> tuple[int, Any]:
        prefix = "/" + path.lstrip("/").partition("/")[0].partition("?")[0]
        if path == "/":
            return 200, {"shop": "open"}
        caller = behind.get(prefix)
        if caller is None:
            return 404, {"error": f"{me[0]} has no such page"}
        number = headers.get(_REQUEST_ID) or f"demo-{next(numbers)}"
        return await caller.call(method, path, {"X-Request-ID": number})

    return answer


def catalog(plan: Plan, log: CallLog) -> Handler:
    """Items, from the cache or the database; recommendations, slowly."""
    me = ("catalog", plan.catalog.host)
    cache, store = RedisClient(log, me, plan.redis), database(plan, log, me)

    async def answer(method: str, path: str, headers: dict[str, str]) -> tuple[int, Any]:
        if path.startswith("/recommend"):
            await asyncio.sleep(0.35)
            return 200, await store.ask("SELECT id, name FROM item ORDER BY price LIMIT 3")
        number = path.rpartition("/")[2]
        if not number.isdigit():
            return 200, await store.ask("SELECT id, name, price FROM item ORDER BY id")
        found = await cache.call("GET", f"item:{number}")
        if found is None:
            rows = await store.ask(f"SELECT id, name, price FROM item WHERE id = {int(number)}")  # noqa: S608 - a number
            if not rows:
                return 404, {"error": "no such item"}
            found = str(rows[0][1])
            await cache.call("SET", f"item:{number}", found, "EX", "5")
        return 200, {"id": number, "name": found}

    return answer


def orders(plan: Plan, log: CallLog) -> Handler:
    """Takes orders: writes them down, counts them, has them paid."""
    me = ("orders", plan.orders.host)
    cache, store = RedisClient(log, me, plan.redis), database(plan, log, me)
    payments = Caller(log, me, plan.payments, "payments.shop.test")

    async def answer(method: str, path: str, headers: dict[str, str]) -> tuple[int, Any]:
        if path.startswith("/broken"):
            with contextlib.suppress(RedisError):
                await cache.call("SET", "cart", "1")
                await cache.call("LPUSH", "cart", "x")
            with contextlib.suppress(DatabaseError):
                await store.ask("SELECT * FROM no_such_table")
            return 500, {"error": "the warehouse is on fire"}
        number = await cache.call("INCR", "orders")
        await store.ask(f"INSERT INTO purchase VALUES ({int(number or 0)}, 1)")  # noqa: S608 - a number
        status, paid = await payments.call(
            "POST", f"/pay/{number}", {"X-Request-ID": headers.get(_REQUEST_ID, "")}, b"{}"
        )
        return (201, {"order": number}) if status == 200 else (502, paid)

    return answer


def payments(plan: Plan, log: CallLog) -> Handler:
    """Asks the bank, which takes its time; every seventh time under a name that is none."""
    me = ("payments", plan.payments.host)

    async def answer(method: str, path: str, headers: dict[str, str]) -> tuple[int, Any]:
        number = int(path.rpartition("/")[2])
        code = await lookup(log, me, plan.dns, "bank.shop.test" if number % 7 else "benk.shop.test")
        if code:
            return 502, {"error": "no such bank"}
        await asyncio.sleep(0.05 if number % 5 else 0.25)
        return 200, {"paid": number}

    return answer


HANDLERS = {"gateway": gateway, "catalog": catalog, "orders": orders, "payments": payments}
