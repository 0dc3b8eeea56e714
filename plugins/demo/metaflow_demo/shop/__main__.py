"""``python -m metaflow_demo.shop ROLE PLAN``: one part of the shop, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from metaflow_demo.calls import CallLog
from metaflow_demo.shop.customers import buy
from metaflow_demo.shop.dns import serve_dns
from metaflow_demo.shop.http import serve
from metaflow_demo.shop.plan import Plan
from metaflow_demo.shop.redis import serve_redis
from metaflow_demo.shop.services import HANDLERS
from metaflow_demo.shop.sql import serve_sqlite


def _part(role: str, plan: Plan) -> Coroutine[Any, Any, None]:
    log = CallLog(Path(plan.log))
    if role in HANDLERS:
        return serve(getattr(plan, role), HANDLERS[role](plan, log))
    return {
        "customers": lambda: buy(plan, log),
        "redis": lambda: serve_redis(plan.redis),
        "database": lambda: serve_sqlite(plan.database),
        "dns": lambda: serve_dns(plan.dns),
    }[role]()


async def main(role: str, plan: Plan) -> None:
    """Run the part."""
    work = asyncio.create_task(_part(role, plan))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, work.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await work


def run() -> None:
    """Run what the command line names: a role and the file of the plan."""
    asyncio.run(main(sys.argv[1], Plan.load(Path(sys.argv[2]))))


if __name__ == "__main__":
    run()
