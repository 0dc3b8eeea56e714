"""What the peer tests share: a PostgreSQL of their own, stopped by its process id, and captures of loopback."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from metaflow_core.testing import find_program, free_port, running
from metaflow_core.testing import recorded as recorded_on_loopback

FOLDERS = ["/usr/lib/postgresql/*/bin"]
"""Where Debian keeps its servers and tools, by version."""
USER = "nobody"
Recorded = Callable[[], AbstractContextManager[Path]]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a PostgreSQL that runs as nobody; ``bob`` logs in with the password ``secret``."""
    home = Path("/tmp") / f"metaflow-postgresql-{os.getpid()}"
    home.mkdir(mode=0o755)
    try:
        shutil.chown(home, USER)
        data = home / "data"
        initdb = [find_program("initdb", FOLDERS) or "initdb", "-D", str(data), "-U", "postgres", "--auth=trust", "-N"]
        subprocess.run(initdb, user=USER, cwd=home, capture_output=True, check=True, timeout=120)
        hba = "host all bob 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n"
        hba += "host replication all 127.0.0.1/32 trust\n"
        (data / "pg_hba.conf").write_text(hba)
        port = free_port()
        options = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": home, "fsync": "off"}
        options |= {"wal_level": "logical", "lc_messages": "C"}
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with running("postgres", "-D", str(data), *settings, user=USER, cwd=home, folders=FOLDERS) as process:
            process.wait_for(port)
            yield port
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def recorded(tmp_path: Path, server: int) -> Recorded:
    """Capture what the server and its clients say during the block."""
    return lambda: recorded_on_loopback(tmp_path / "postgresql.pcap", f"tcp port {server}")


TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def _connect(port: int, **options: Any) -> Any:
    """A session over loopback, each statement for itself."""
    import psycopg

    arguments = {"user": "postgres", "dbname": "postgres", "autocommit": True, "application_name": "talk"} | options
    return psycopg.connect(host="127.0.0.1", port=port, gssencmode="disable", **arguments)


def _talk(port: int) -> None:
    """Login with a password, both kinds of queries, errors, pipelines, COPY, notifications, cancelling."""
    import psycopg

    with _connect(port) as admin:
        admin.execute("DROP TABLE IF EXISTS orders")
        admin.execute("CREATE TABLE orders (id int PRIMARY KEY, name text)")
        with contextlib.suppress(psycopg.errors.DuplicateObject):
            admin.execute("CREATE ROLE bob LOGIN PASSWORD 'secret'")
        admin.execute("GRANT ALL ON orders TO bob")
    with contextlib.suppress(psycopg.OperationalError):
        _connect(port, user="bob", password="wrong", sslmode="disable")
    with _connect(port, user="bob", password="secret") as bob:
        simple = psycopg.ClientCursor(bob)
        simple.execute(
            f"INSERT INTO orders SELECT n, 'name' || n FROM generate_series(1, 100) n /*traceparent='{TRACE}'*/"
        )
        simple.execute("SELECT id, name FROM orders WHERE id <= 10")
        simple.execute("UPDATE orders SET name = 'x' WHERE id <= 7; DELETE FROM orders WHERE id > 90")
        for wrong in ("SELEC 1", "SELECT nope FROM orders", "INSERT INTO orders VALUES (1, 'again')", "SELECT 1/0"):
            with contextlib.suppress(psycopg.Error):
                simple.execute(wrong)
        bob.execute("SELECT name FROM orders WHERE id = %s", (5,))
        for number in range(5):
            bob.execute("SELECT name FROM orders WHERE id = %s", (number,), prepare=True)
        with contextlib.suppress(psycopg.Error):
            bob.execute("INSERT INTO orders VALUES (%s, %s)", (1, "again"))
        with bob.transaction():
            bob.execute("INSERT INTO orders VALUES (%s, %s)", (500, "y" * 20_000))
        with contextlib.suppress(psycopg.Error), bob.pipeline():
            bob.execute("SELECT %s::int", (1,))
            bob.execute("SELECT %s / 0", (1,))
            bob.execute("SELECT %s::int", (3,))
        with bob.cursor().copy("COPY orders FROM STDIN") as copy:
            for number in range(1000, 1100):
                copy.write_row((number, "Z\0\0\0\5I".replace("\0", "_")))
        with bob.cursor().copy("COPY orders TO STDOUT") as copy:
            assert sum(1 for _ in copy) == 191
        bob.execute("DO $$ BEGIN RAISE NOTICE 'careful'; END $$")
        with bob.transaction(), bob.cursor(name="walk") as walk:
            walk.execute("SELECT id FROM orders")
            walk.fetchmany(10)
        bob.execute("LISTEN news")
        with _connect(port) as other:
            other.execute("NOTIFY news, 'hello'")
        next(iter(bob.notifies(timeout=5, stop_after=1)))
        canceller = threading.Timer(0.5, bob.cancel_safe)
        canceller.start()
        with contextlib.suppress(psycopg.errors.QueryCanceled):
            bob.execute("SELECT pg_sleep(20)")
        canceller.join()


@pytest.fixture
def talk() -> Callable[[int], None]:
    """What a psycopg client says to a PostgreSQL, each thing once; the peer test and the golden capture both use it."""
    return _talk
