"""Sets the shop up: chooses what is real, starts it part by part, and waits until it answers."""

from __future__ import annotations

import asyncio
import shutil
import socket
import sys
from pathlib import Path

from metaflow_core.errors import StartError
from metaflow_demo.ledger import program, server_user, start_ledger
from metaflow_demo.network import CUSTOMERS, SHOP, Network
from metaflow_demo.processes import Processes
from metaflow_demo.shop.plan import Plan, Spot
from metaflow_demo.shop.sql import STATEMENTS

__all__ = ["make_plan", "start_shop"]

_USER = (
    "CREATE DATABASE shop",
    "CREATE USER shop@'%' IDENTIFIED BY ''",
    "GRANT ALL ON shop.* TO shop@'%'",
    "USE shop",
)


def make_plan(folder: Path, network: Network | None, rate: float, calls: int, log: Path) -> Plan:
    """Addresses of every part. On this machine's own loopback each port is a free one; in a namespace all are."""
    own = network is not None

    def spot(host: str, port: int) -> Spot:
        return Spot(host, port if own else _free(host, port))

    gateway = SHOP if own else "127.0.77.1"
    return Plan(
        customers=CUSTOMERS if own else "127.0.77.9",
        gateway=spot(gateway, 8080),
        catalog=spot("127.0.77.2", 8081),
        orders=spot("127.0.77.3", 8082),
        payments=spot("127.0.77.4", 8083),
        redis=spot("127.0.77.5", 6379),
        database=spot("127.0.77.6", 3306),
        dns=spot("127.0.77.7", 53 if own else 5353),
        ledger=spot("127.0.77.8", 5432) if server_user() and program("postgres") and program("initdb") else None,
        sql="mariadb" if shutil.which("mariadbd") and shutil.which("mariadb-install-db") else "sqlite",
        rate=rate,
        calls=calls,
        log=str(log),
    )


def _free(host: str, port: int) -> int:
    for candidate in range(port, port + 200):
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagram:
            try:
                stream.bind((host, candidate))
                datagram.bind((host, candidate))
            except OSError:
                continue
            return candidate
    raise StartError(f"no free port from {port} on at {host}")


async def start_shop(plan: Plan, folder: Path, processes: Processes, network: Network | None) -> list[str]:
    """Start everything but the customers; returns what each part is.

    :raises StartError: a part does not start.
    """
    holder = network.shop if network is not None else 0
    plan.save(folder / "plan.json")
    said: list[str] = []
    if shutil.which("redis-server"):
        await processes.start(
            "redis", "redis-server", "--protected-mode", "no", "--bind", plan.redis.host, "--port", str(plan.redis.port), "--save", "", "--appendonly",
            "no", "--dir", str(folder), holder=holder,
        )  # fmt: skip
        said.append(f"Redis (redis-server) at {plan.redis}")
    else:
        await _part("redis", folder, processes, holder)
        said.append(f"Redis (a stand-in that speaks its protocol; redis-server is not installed) at {plan.redis}")
    if plan.sql == "mariadb":
        await _mariadb(plan, folder, processes, holder)
        said.append(f"MariaDB at {plan.database}")
    else:
        await _part("database", folder, processes, holder)
        said.append(f"SQLite behind HTTP (mariadbd is not installed) at {plan.database}")
    if plan.ledger is not None:
        await start_ledger(plan.ledger, folder, processes, holder)
        said.append(f"PostgreSQL at {plan.ledger}")
    else:
        said.append("no ledger (PostgreSQL is not installed, or there is no user but root to run it as)")
    for role in ("dns", "payments", "orders", "catalog", "gateway"):
        await _part(role, folder, processes, holder)
    said += [f"{role} at {getattr(plan, role)}" for role in ("gateway", "catalog", "orders", "payments", "dns")]
    for spot in (
        *((plan.ledger,) if plan.ledger else ()),
        plan.redis,
        plan.payments,
        plan.orders,
        plan.catalog,
        plan.gateway,
    ):
        await _listens(spot, processes, holder, folder)
    return said


async def start_customers(folder: Path, processes: Processes, network: Network | None) -> asyncio.subprocess.Process:
    """Let the customers in."""
    holder = network.customers if network is not None else 0
    return await _part("customers", folder, processes, holder)


async def _part(role: str, folder: Path, processes: Processes, holder: int) -> asyncio.subprocess.Process:
    # a file of its own, so that each part is a process with a name: what an interpreter runs is what it is called
    program = folder / role
    program.write_text("from metaflow_demo.shop.__main__ import run\n\nrun()\n", encoding="utf-8")
    command = (sys.executable, str(program), role, str(folder / "plan.json"))
    return await processes.start(role, *command, holder=holder)


async def _mariadb(plan: Plan, folder: Path, processes: Processes, holder: int) -> None:
    data, sock = folder / "mariadb", folder / "mariadb.sock"
    await processes.run(
        "mariadb-install-db", "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal", "--skip-test-db",
        f"--user={_user()}",
    )  # fmt: skip
    await processes.start(
        "database", "mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={sock}", f"--user={_user()}",
        f"--port={plan.database.port}", f"--bind-address={plan.database.host}", "--skip-log-bin", "--skip-name-resolve",
        "--innodb-buffer-pool-size=16M", "--performance-schema=OFF", "--aria-pagecache-buffer-size=8M", holder=holder,
    )  # fmt: skip
    await asyncio.to_thread(_prepare, sock, processes)


def _user() -> str:
    import getpass

    return getpass.getuser()


def _prepare(sock: Path, processes: Processes) -> None:
    """Through a socket in the file system, so that none of it is traffic."""
    import time

    import pymysql

    deadline = time.monotonic() + 60
    while True:
        try:
            connection = pymysql.connect(unix_socket=str(sock), user="root", autocommit=True)
            break
        except pymysql.Error as error:
            if processes.ended() or time.monotonic() > deadline:
                raise StartError(f"MariaDB did not start ({error}): {processes.words('database')}") from None
            time.sleep(0.1)
    with connection, connection.cursor() as cursor:
        for statement in (*_USER, *STATEMENTS):
            cursor.execute(statement)


async def _listens(spot: Spot, processes: Processes, holder: int, folder: Path) -> None:
    """Wait until a port is listened on, without a connection to it: the calls of the log are to be all there is."""
    table = Path(f"/proc/{holder}/net/tcp") if holder else Path("/proc/net/tcp")
    number = int.from_bytes(socket.inet_aton(spot.host), "little")
    wanted = f"{number:08X}:{spot.port:04X}"
    for _ in range(600):
        lines = table.read_text().splitlines()[1:]
        if any(fields[1] == wanted and fields[3] == "0A" for fields in map(str.split, lines)):
            return
        if name := processes.ended():
            raise StartError(f"{name} ended: {processes.words(name)}")
        await asyncio.sleep(0.05)
    raise StartError(f"nobody listens on {spot} after 30 s; see {folder}")
