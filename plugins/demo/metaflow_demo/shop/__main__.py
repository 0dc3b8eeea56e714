"""``python -m metaflow_demo.shop ROLE PLAN``: one part of the shop, until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from metaflow_demo.calls import CallLog
from metaflow_demo.shop.customers import buy
from metaflow_demo.shop.dns import serve_dns
from metaflow_demo.shop.http import serve
from metaflow_demo.shop.plan import Plan
from metaflow_demo.shop.redis import serve_redis
from metaflow_demo.shop.services import HANDLERS
from metaflow_demo.shop.sql import serve_sqlite


def _part(role: str, plan: Plan) -> Callable[[], None]:
    log = CallLog(Path(plan.log))
    if role in HANDLERS:
        return lambda: serve(getattr(plan, role), HANDLERS[role](plan, log))
    return {
        "customers": lambda: buy(plan, log),
        "redis": lambda: asyncio.run(serve_redis(plan.redis)),
        "database": lambda: serve_sqlite(plan.database),
        "dns": lambda: asyncio.run(serve_dns(plan.dns)),
    }[role]


def main(role: str, plan: Plan) -> None:
    """Run the part on a thread that ends with the process; a signal, or its own end, ends both."""
    signals = {signal.SIGTERM, signal.SIGINT}
    # before there are threads, so that every one of them leaves the signals to this
    signal.pthread_sigmask(signal.SIG_BLOCK, signals | {signal.SIGUSR1})
    failed: list[BaseException] = []

    def work() -> None:
        try:
            _part(role, plan)()
        except BaseException as error:
            failed.append(error)
            raise
        finally:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    threading.Thread(target=work, daemon=True).start()
    signal.sigwait(signals | {signal.SIGUSR1})
    if failed:
        sys.exit(1)


def run() -> None:
    """Run what the command line names: a role and the file of the plan."""
    main(sys.argv[1], Plan.load(Path(sys.argv[2])))


if __name__ == "__main__":
    run()
