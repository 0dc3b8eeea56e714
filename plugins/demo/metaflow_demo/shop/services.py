"""What the services do."""

from __future__ import annotations

import contextlib
import itertools
import time
from typing import Any

from metaflow_demo.calls import CallLog
from metaflow_demo.shop.context import REQUEST_ID, onwards, passed_on
from metaflow_demo.shop.dns import lookup
from metaflow_demo.shop.http import Caller, Handler
from metaflow_demo.shop.plan import Plan
from metaflow_demo.shop.postgresql import Ledger
from metaflow_demo.shop.redis import RedisClient, RedisError
from metaflow_demo.shop.sql import DatabaseError, database

__all__ = ["HANDLERS", "catalog", "gateway", "orders", "payments"]


def gateway(plan: Plan, log: CallLog) -> Handler:
    """Sends each call to the service that knows; gives it an id when it has none."""
    me = ("gateway", plan.gateway.host)
    behind = {
        "/items": Caller(log, me, plan.catalog, "catalog.shop.test"),
        "/orders": Caller(log, me, plan.orders, "orders.shop.test"),
        "/recommend": Caller(log, me, plan.catalog, "catalog.shop.test"),
        "/broken": Caller(log, me, plan.orders, "orders.shop.test"),
    }
    numbers, started = itertools.count(1), f"{int(time.time()):x}"

    def answer(method: str, path: str, headers: dict[str, str]) -> tuple[int, Any]:
        prefix = "/" + path.lstrip("/").partition("/")[0].partition("?")[0]
        if path == "/":
            return 200, {"shop": "open"}
        caller = behind.get(prefix)
        if caller is None:
            return 404, {"error": f"{me[0]} has no such page"}
        # the answer carries it too, so that both sides of the gateway name it
        headers[REQUEST_ID] = headers.get(REQUEST_ID) or f"demo-{started}-{next(numbers)}"
        return caller.call(method, path, passed_on(headers))

    return answer


def catalog(plan: Plan, log: CallLog) -> Handler:
    """Items, from the cache or the database; recommendations, slowly."""
    me = ("catalog", plan.catalog.host)
    cache, store = RedisClient(log, me, plan.redis), database(plan, log, me)

    def answer(method: str, path: str, headers: dict[str, str]) -> tuple[int, Any]:
        if path.startswith("/recommend"):
            time.sleep(0.35)
            return 200, store.ask("SELECT id, name FROM item ORDER BY price LIMIT 3", headers)
        number = path.rpartition("/")[2]
        if not number.isdigit():
            return 200, store.ask("SELECT id, name, price FROM item ORDER BY id", headers)
        found = cache.call("GET", f"item:{number}")
        if found is None:
            rows = store.ask(f"SELECT id, name, price FROM item WHERE id = {int(number)}", headers)  # noqa: S608 - a number
            if not rows:
                return 404, {"error": "no such item"}
            found = str(rows[0][1])
            cache.call("SET", f"item:{number}", found, "EX", "5")
        return 200, {"id": number, "name": found}

    return answer


def orders(plan: Plan, log: CallLog) -> Handler:
    """Takes orders: writes them down, counts them, has them paid."""
    me = ("orders", plan.orders.host)
    cache, store = RedisClient(log, me, plan.redis), database(plan, log, me)
    payments = Caller(log, me, plan.payments, "payments.shop.test")

    def answer(method: str, path: str, headers: dict[str, str]) -> tuple[int, Any]:
        if path.startswith("/broken"):
            with contextlib.suppress(RedisError):
                cache.call("SET", "cart", "1")
                cache.call("LPUSH", "cart", "x")
            with contextlib.suppress(DatabaseError):
                store.ask("SELECT * FROM no_such_table", headers)
            return 500, {"error": "the warehouse is on fire"}
        number = cache.call("INCR", "orders")
        store.ask(f"INSERT INTO purchase VALUES ({int(number or 0)}, 1)", headers)  # noqa: S608 - a number
        status, paid = payments.call("POST", f"/pay/{number}", onwards(headers), b"{}")
        return (201, {"order": number}) if status == 200 else (502, paid)

    return answer


def payments(plan: Plan, log: CallLog) -> Handler:
    """Asks the bank, which takes its time; every seventh time under a name that is none. What is paid goes into the ledger."""
    me = ("payments", plan.payments.host)
    ledger = Ledger(log, me, plan.ledger) if plan.ledger is not None else None

    def answer(method: str, path: str, headers: dict[str, str]) -> tuple[int, Any]:
        number = int(path.rpartition("/")[2])
        code = lookup(log, me, plan.dns, "bank.shop.test" if number % 7 else "benk.shop.test")
        if code:
            return 502, {"error": "no such bank"}
        time.sleep(0.05 if number % 5 else 0.25)
        if ledger is not None:
            ledger.ask(f"INSERT INTO payment VALUES ({number}, 1)", headers)  # noqa: S608 - a number
        return 200, {"paid": number}

    return answer


HANDLERS = {"gateway": gateway, "catalog": catalog, "orders": orders, "payments": payments}
