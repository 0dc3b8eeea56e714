"""The ledger: PostgreSQL, which never runs as root."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import socket
import tempfile
import time
from pathlib import Path

from metaflow_core.errors import StartError
from metaflow_demo.processes import Processes
from metaflow_demo.shop.plan import Spot
from metaflow_demo.shop.postgresql import PAYMENTS, Connection, LedgerError

__all__ = ["program", "server_user", "start_ledger"]


def program(name: str) -> str:
    """Where a program of PostgreSQL's server is, which Debian keeps out of the PATH; empty when it is not installed."""
    path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    # only where programs are looked for at all: who takes the PATH away wants none of them
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True) if "/usr/bin" in path else []
    return shutil.which(name) or next(map(str, debian), "")


def server_user() -> str:
    """Who the server runs as: whoever we are, or, for root, a user without rights; empty when there is none."""
    if os.geteuid():
        return pwd.getpwuid(os.geteuid()).pw_name
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    return ""


async def start_ledger(spot: Spot, folder: Path, processes: Processes, holder: int) -> None:
    """Make a cluster of its own, start it, and make the table.

    :raises StartError: it does not start.
    """
    home = Path(tempfile.mkdtemp(prefix="ledger-", dir=folder))
    user, place = "", str(home)
    if not os.geteuid():
        shutil.chown(home, server_user())
        user, place = f"{server_user()}:{home}", "/mnt"
    await processes.run(
        program("initdb"), "-D", f"{place}/data", "-U", "shop", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C", user=user
    )  # fmt: skip
    with (home / "data" / "pg_hba.conf").open("a", encoding="utf-8") as rules:
        # what initdb lets in is 127.0.0.1 alone, and every part of the shop has an address of its own
        rules.write("host all all 127.0.0.0/8 trust\n")
    await processes.start(
        "ledger", program("postgres"), "-D", f"{place}/data", "-h", spot.host, "-p", str(spot.port), "-k", "..", "-c", "fsync=off",
        "-c", "shared_buffers=16MB", "-c", "max_connections=120", "-c", "autovacuum=off", holder=holder, user=user,
    )  # fmt: skip
    await asyncio.to_thread(_prepare, home, f".s.PGSQL.{spot.port}", processes)


def _prepare(home: Path, name: str, processes: Processes) -> None:
    """Through a socket in the file system, so that none of it is traffic."""
    # paths of sockets are short: the folder is named by its descriptor, and by the server as the one above its data
    folder = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _make_table(f"/proc/self/fd/{folder}/{name}", processes)
    finally:
        os.close(folder)


def _make_table(path: str, processes: Processes) -> None:
    deadline = time.monotonic() + 60
    while True:
        stream = socket.socket(socket.AF_UNIX)
        try:
            stream.connect(path)
            connection = Connection(stream, stream.makefile("rb"))
            break
        except (OSError, LedgerError) as error:
            stream.close()
            if processes.ended() or time.monotonic() > deadline:
                raise StartError(f"PostgreSQL did not start ({error}): {processes.words('ledger')}") from None
            time.sleep(0.1)
    connection.ask(PAYMENTS)
    connection.close()
