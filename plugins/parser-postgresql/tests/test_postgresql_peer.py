"""A real PostgreSQL on loopback and its own clients, a real capture: the rows are what the clients asked and were told."""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import metaflow_parser_postgresql.plugin
import pytest

from metaflow_core.testing import find_program, peers_missing, replay

TRANSACTIONS = 200


FOLDERS = ["/usr/lib/postgresql/*/bin"]
"""Where Debian keeps its servers and tools, by version."""
PROGRAMS = ("postgres", "initdb", "psql", "pgbench", "pg_basebackup", "tcpdump", "tshark")
NEEDS = peers_missing(*PROGRAMS, modules=["psycopg"], root=True, folders=FOLDERS)
pytestmark = [pytest.mark.peer, pytest.mark.root, pytest.mark.skipif(bool(NEEDS), reason=NEEDS)]


def _run(name: str, *arguments: str, check: bool = True) -> str:
    command = [find_program(name, FOLDERS) or name, *arguments]
    environment = {**os.environ, "PGSSLMODE": "disable", "PGGSSENCMODE": "disable"}
    done = subprocess.run(command, capture_output=True, text=True, check=check, timeout=120, env=environment)
    return done.stdout + done.stderr


def _rows(capture: Path) -> list[Mapping[str, Any]]:
    """The rows, read with this parser whether or not it is installed."""
    installed = {point.name for point in entry_points(group="metaflow.plugins.v1")}
    plugins = [] if "parser-postgresql" in installed else [metaflow_parser_postgresql.plugin]
    return replay(capture, parsers=["postgresql"], plugins=plugins)


def _tshark(capture: Path, port: int) -> Counter[str]:
    """How many messages of each type the clients sent, as tshark reads them."""
    options = (
        "-d",
        f"tcp.port=={port},pgsql",
        "-Y",
        f"pgsql && tcp.dstport=={port}",
        "-T",
        "fields",
        "-e",
        "pgsql.type",
    )
    lines = _run("tshark", "-r", str(capture), *options).splitlines()
    return Counter(kind for line in lines if "unning as user" not in line for kind in line.split(",") if kind)


def _by_text(rows: Sequence[Mapping[str, Any]], text: str, kind: str) -> list[Mapping[str, Any]]:
    return [row for row in rows if row["request_resource"].startswith(text) and row["request_type"] == kind]


def test_rows_are_what_psycopg_asked(server: int, recorded: Any, talk: Any) -> None:
    """Both kinds of queries, errors, a pipeline, COPY, notifications, cancelling."""
    with recorded() as capture:
        talk(server)
    rows = _rows(capture)
    told = Counter(row["request_type"] for row in rows)
    seen = _tshark(capture, server)
    for name, kind in (
        ("simple query", "Simple query"),
        ("parse", "Parse"),
        ("execute", "Execute"),
        ("terminate", "Termination"),
    ):
        assert told[name] == seen[kind] > 0, (name, told, seen)
    assert told["startup"] == seen["Startup message"]
    assert told["cancel request"] == told["notification"] == 1
    assert {row["response_status"] for row in rows if row["type"] == "session"} <= {
        "ok",
        "client_error",
        "server_error",
        "unknown",
    }
    # A session that the capture saw whole has no lone requests or responses.
    assert {row["type"] for row in rows} == {"session"}, [row for row in rows if row["type"] != "session"]
    errors = Counter(
        (row["response_result"], row["response_status"])
        for row in rows
        if row["response_exception"] and row["response_result"]
    )
    # A role of an earlier test on the same server.
    errors.pop(("42710", "client_error"), None)
    assert errors == Counter(
        {
            ("28P01", "client_error"): 1,
            ("42601", "client_error"): 1,
            ("42703", "client_error"): 1,
            ("23505", "client_error"): 2,
            ("22012", "client_error"): 2,
            ("57014", "server_error"): 1,
        }
    )
    (insert,) = _by_text(rows, "INSERT INTO orders SELECT", "simple query")
    assert (insert["sql_affected_rows"], insert["trace_id"]) == (100, "4bf92f3577b34da6a3ce929d0e0e4736")
    assert insert["attributes"]["database"] == "postgres"
    (select,) = _by_text(rows, "SELECT id, name", "simple query")
    assert (select["attributes"]["rows"], select["endpoint"]) == ("10", "SELECT orders")
    (both,) = _by_text(rows, "UPDATE orders", "simple query")
    assert (both["sql_affected_rows"], both["attributes"]["results"]) == (17, "2")
    prepared = [row for row in rows if row["attributes"].get("statement") and row["request_type"] == "execute"]
    assert len(prepared) == 5
    assert {row["request_resource"] for row in prepared} == {"SELECT name FROM orders WHERE id = $1"}
    copies = {row["attributes"]["copy"]: row for row in rows if row["attributes"].get("copy")}
    assert copies["in"]["sql_affected_rows"] == 100
    assert copies["out"]["sql_affected_rows"] == 191
    big = max(rows, key=lambda row: row["request_length"] or 0)
    assert big["request_type"] == "execute"
    assert big["request_length"] > 20_000
    assert any(row["attributes"].get("notice") == "careful" for row in rows)
    (slow,) = _by_text(rows, "SELECT pg_sleep", "simple query") or _by_text(rows, "SELECT pg_sleep", "execute")
    assert slow["response_duration"] > 200_000
    assert {row["version"] for row in rows if row["request_type"] == "startup" and row["response_status"] == "ok"} == {
        _version(server)
    }


def _version(port: int) -> str:
    return _run("psql", "-h127.0.0.1", f"-p{port}", "-Upostgres", "-Atc", "SHOW server_version").strip()


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_pgbench_counts_what_we_count(server: int, recorded: Any, mode: str) -> None:
    """Each of pgbench's transactions is its statements, whatever the protocol."""
    where = ("-h127.0.0.1", f"-p{server}", "-Upostgres")
    _run("pgbench", *where, "-i", "-q", "postgres")
    with recorded() as capture:
        out = _run("pgbench", *where, "-M", mode, "-c", "4", "-t", str(TRANSACTIONS // 4), "-n", "postgres")
    done = re.search(r"actually processed: (\d+)/", out)
    assert done is not None, out
    assert int(done[1]) == TRANSACTIONS
    rows = _rows(capture)
    assert {row["type"] for row in rows} == {"session"}
    runs = [row for row in rows if row["request_type"] == ("simple query" if mode == "simple" else "execute")]
    found = Counter(row["endpoint"] for row in runs)
    for endpoint in (
        "UPDATE pgbench_accounts",
        "UPDATE pgbench_tellers",
        "INSERT pgbench_history",
        "SELECT pgbench_accounts",
    ):
        assert found[endpoint] == TRANSACTIONS, found
    assert (
        sum(row["sql_affected_rows"] or 0 for row in runs if row["endpoint"].startswith("UPDATE")) == 3 * TRANSACTIONS
    )
    assert {row["response_status"] for row in rows} == {"ok"}


def test_backups_and_replicas_are_followed(server: int, recorded: Any, tmp_path: Path) -> None:
    """pg_basebackup with its stream of the log: answered when the stream begins, told when it ends."""
    where = ("-h127.0.0.1", f"-p{server}", "-Upostgres")
    with recorded() as capture:
        _run("pg_basebackup", *where, "-D", str(tmp_path / "copy"), "-X", "stream", "-c", "fast")
    rows = _rows(capture)
    told = Counter(row["endpoint"] for row in rows if row["request_type"] == "simple query")
    assert told["BASE_BACKUP"] == told["START_REPLICATION"] == 1, told
    (backup,) = [row for row in rows if row["endpoint"] == "BASE_BACKUP"]
    assert int(backup["attributes"]["copied_bytes"]) > 1_000_000
    assert sum(row["request_type"] == "replication stream" for row in rows) == 1
    assert {row["response_status"] for row in rows} == {"ok"}
    assert {row["type"] for row in rows} == {"session"}
