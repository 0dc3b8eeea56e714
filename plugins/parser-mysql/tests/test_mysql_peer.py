"""A real MariaDB on loopback, a real capture: the rows are the server's own counts of its commands."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import pytest

from metaflow_core.testing import free_port, peers_missing, recorded, replay, running

ROWS = 3000


NEEDS = peers_missing("mariadbd", "mariadb", "mariadb-admin", "mariadb-install-db", "tcpdump", root=True)
pytestmark = [pytest.mark.peer, pytest.mark.root, pytest.mark.skipif(bool(NEEDS), reason=NEEDS)]


def _sql(port: int, text: str, *options: str) -> str:
    command = (
        "mariadb",
        "--no-defaults",
        "-h127.0.0.1",
        f"-P{port}",
        "-uroot",
        "--skip-ssl",
        "-N",
        "--force",
        *options,
    )
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=60).stdout


def _talk(port: int, folder: Path) -> None:
    """Changes, errors, several result sets, a file, prepared statements, compression, a 20 MB statement."""
    (folder / "load.csv").write_text("".join(f"{number},name{number}\n" for number in range(1000, 1100)))
    values = ",".join(f"({number},'name{number}')" for number in range(1, 101))
    text = [
        "CREATE DATABASE shop;",
        "USE shop;",
        "CREATE TABLE orders (id INT PRIMARY KEY, name LONGTEXT);",
        f"INSERT INTO orders VALUES {values};",
        *(f"SELECT name FROM orders WHERE id = {number};" for number in range(1, ROWS + 1)),
        "SELECT * FROM orders;",
        "UPDATE orders SET name = 'x' WHERE id <= 10;",
        "DELETE FROM orders WHERE id > 90;",
        "SELECT nope FROM orders;",
        "SELEC 1;",
        f"LOAD DATA LOCAL INFILE '{folder}/load.csv' INTO TABLE orders FIELDS TERMINATED BY ',';",
        "DELIMITER //",
        "CREATE PROCEDURE both_of_them() BEGIN SELECT 1; SELECT 2 UNION SELECT 3; END//",
        "DELIMITER ;",
        "CALL both_of_them();",
        f"INSERT INTO orders VALUES (5000, '{'y' * 20_000_000}');",
    ]
    _sql(port, "\n".join(text), "--local-infile=1", "--max-allowed-packet=64M")
    _sql(port, "SELECT id, name FROM orders WHERE id < 1000 ORDER BY id; SHOW TABLES;", "--compress", "shop")
    admin = ("mariadb-admin", "--no-defaults", "-h127.0.0.1", f"-P{port}", "-uroot", "--skip-ssl", "ping", "status")
    subprocess.run(admin, capture_output=True, check=True, timeout=60)


def _counters(port: int) -> Counter[str]:
    lines = _sql(port, "SHOW GLOBAL STATUS").splitlines()
    pairs = (line.split("\t") for line in lines)
    return Counter({pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()})


def test_rows_are_the_servers_counts(tmp_path: Path) -> None:
    """Every statement that the server counted is one paired row with the result it had."""
    data, port, capture = tmp_path / "data", free_port(), tmp_path / "mysql.pcap"
    install = ("mariadb-install-db", "--no-defaults", f"--datadir={data}", "--user=root", "--skip-test-db")
    subprocess.run([*install, "--auth-root-authentication-method=normal"], capture_output=True, check=True, timeout=120)
    server = ("mariadbd", "--no-defaults", "--user=root", f"--datadir={data}", f"--port={port}", "--local-infile=1")
    with running(*server, f"--socket={tmp_path}/s", "--bind-address=127.0.0.1", "--max-allowed-packet=64M") as started:
        started.wait_for(port)
        before = _counters(port)
        with recorded(capture, f"tcp port {port}"):
            _talk(port, tmp_path)
        counted = _counters(port)
    counted.subtract(before)
    rows = replay(capture, parsers=["mysql"])
    assert {row["type"] for row in rows} == {"session"}
    verbs = Counter(row["endpoint"].split(" ")[0] for row in rows if row["request_type"] == "COM_QUERY")
    # SELECTs inside the procedure are counted by the server; what it cannot read it counts as no command.
    assert verbs["SELECT"] == counted["Com_select"] - 2
    for verb, counter in (("INSERT", "insert"), ("UPDATE", "update"), ("DELETE", "delete"), ("LOAD", "load")):
        assert verbs[verb] == counted[f"Com_{counter}"], verb
    assert verbs["CALL"] == counted["Com_call_procedure"] == 1
    by_text = {row["request_resource"][:40]: row for row in rows}
    assert by_text["SELECT nope FROM orders"]["response_code"] == 1054
    assert by_text["SELEC 1"]["response_code"] == 1064
    assert by_text["UPDATE orders SET name = 'x' WHERE id <="]["sql_affected_rows"] == 10
    assert by_text["CALL both_of_them()"]["attributes"]["rows"] == "3"
    assert by_text["SELECT id, name FROM orders WHERE id < 1"]["attributes"]["rows"] == "90"
    loaded = next(row for row in rows if row["endpoint"] == "LOAD orders")
    assert (loaded["sql_affected_rows"], loaded["attributes"]["file"]) == (100, f"{tmp_path}/load.csv")
    assert max(row["request_length"] for row in rows) > 20_000_000
    # The server also sent the rows of the SHOW GLOBAL STATUS of this test, which was not captured.
    seen = sum(int(row["attributes"].get("rows", 0)) for row in rows if row["request_type"] == "COM_QUERY")
    shown = int(counted["Rows_sent"]) - seen
    assert 0 <= shown < 2000
