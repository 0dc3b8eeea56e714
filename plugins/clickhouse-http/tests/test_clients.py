"""Clients of ClickHouse, none of them changed, against the service over an embedded store."""

from __future__ import annotations

import datetime
import shutil
import subprocess
from typing import Any

import pytest

COUNT = "SELECT count() FROM flow_log.l7_flow_log"


@pytest.fixture
def client(server: Any) -> Any:
    clickhouse_connect = pytest.importorskip("clickhouse_connect")
    made = clickhouse_connect.get_client(host="127.0.0.1", port=server.port, database="flow_log")
    yield made
    made.close()


def test_clickhouse_connect_reads_rows(client: Any) -> None:
    assert client.command("SELECT count() FROM l7_flow_log") >= 100
    sql = "SELECT number, toString(number) AS s, toLowCardinality(toString(number % 2)) AS l, [number] AS a, map('k', number) AS m FROM numbers(3)"
    assert client.query(sql).result_rows[2] == (2, "2", "0", [2], {"k": 2})
    assert client.query("DESCRIBE TABLE l7_flow_log").result_rows[0][0] == "time"
    assert "l7_flow_log" in client.command("SHOW TABLES")


def test_clickhouse_connect_binds_parameters(client: Any) -> None:
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5)
    values = {"x": 5, "s": "it's \\ \n \t ü", "a": ["p'q", "r"], "d": moment, "t": "l7_flow_log", "n": 1}
    sql = "SELECT {x:UInt32}, {s:String}, {a:Array(String)}, {d:DateTime} FROM {t:Identifier} LIMIT {n:UInt8}"
    assert client.query(sql, parameters=values).result_rows == [(5, values["s"], values["a"], moment)]
    assert client.query("SELECT %(x)s, %(s)s", parameters=values).result_rows == [(5, values["s"])]


def test_clickhouse_connect_gives_arrow_frames_and_streams(client: Any) -> None:
    table = client.query_arrow("SELECT endpoint, response_duration FROM l7_flow_log WHERE endpoint != '' LIMIT 7")
    assert (table.num_rows, table.column_names) == (7, ["endpoint", "response_duration"])
    assert client.query_arrow("SELECT endpoint FROM l7_flow_log WHERE 1 = 0").num_rows == 0
    assert client.query_df("SELECT name FROM system.tables WHERE database = 'flow_log'").shape[0] >= 4
    with client.query_row_block_stream("SELECT number FROM numbers(90000)") as blocks:
        assert sum(len(block) for block in blocks) == 90_000


@pytest.mark.parametrize(
    ("sql", "number"),
    [
        ("DROP TABLE l7_flow_log", 164),
        ("INSERT INTO l7_flow_log (flow_id) VALUES (1)", 164),
        ("SELECT * FROM file('/etc/passwd')", 497),
        ("SELECT sleep(3)", 497),
        ("SELECT * FROM system.processes", 60),
        ("SELECT nosuch FROM l7_flow_log", 47),
        ("SELECT 1 +", 62),
        ("SELECT 1 FORMAT Template", 73),
    ],
)
def test_clickhouse_connect_understands_refusals(client: Any, sql: str, number: int) -> None:
    from clickhouse_connect.driver.exceptions import DatabaseError

    with pytest.raises(DatabaseError, match=f"[Cc]ode: {number}"):
        client.command(sql)


def test_limits_become_narrower_and_never_wider(client: Any) -> None:
    from clickhouse_connect.driver.exceptions import DatabaseError

    with pytest.raises(DatabaseError, match="Code: 396"):
        client.query("SELECT number FROM numbers(1000)", settings={"max_result_rows": 10})
    with pytest.raises(DatabaseError, match="Code: 396"):
        client.query("SELECT number FROM numbers(200000)", settings={"max_result_rows": 10_000_000})


@pytest.mark.parametrize("dialect", ["clickhousedb", "clickhouse+http"])
def test_sqlalchemy(server: Any, dialect: str) -> None:
    sa = pytest.importorskip("sqlalchemy")
    pytest.importorskip("clickhouse_sqlalchemy" if "+" in dialect else "clickhouse_connect.cc_sqlalchemy")
    engine = sa.create_engine(f"{dialect}://default:@127.0.0.1:{server.port}/flow_log")
    inspector = sa.inspect(engine)
    assert "l7_flow_log" in inspector.get_table_names(schema="flow_log")
    assert inspector.has_table("l7_flow_log", schema="flow_log")
    assert not inspector.has_table("nosuch", schema="flow_log")
    table = sa.Table("l7_flow_log", sa.MetaData(), schema="flow_log", autoload_with=engine)
    with engine.connect() as connection:
        sql = sa.select(table.c.endpoint, sa.func.count()).where(table.c.endpoint != "it's").group_by(table.c.endpoint)
        rows = connection.execute(sql).fetchall()
    assert len(rows) > 5
    assert sum(row[1] for row in rows) >= 100
    engine.dispose()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl(server: Any) -> None:
    def curl(*arguments: str) -> str:
        return subprocess.run(["curl", "-s", *arguments], capture_output=True, text=True, check=True, timeout=30).stdout

    assert curl(f"{server.url}/ping") == "Ok.\n"
    assert int(curl(f"{server.url}/?query=SELECT+count()+FROM+flow_log.l7_flow_log")) >= 100
    assert '"number":"4"' in curl(
        server.url, "-d", "SELECT number FROM numbers(5) FORMAT JSONEachRow /* a remark */;"
    ).replace("4}", '"4"}')
    packed = curl(
        "--compressed",
        "-H",
        "Accept-Encoding: gzip",
        f"{server.url}/?enable_http_compression=1",
        "-d",
        "SELECT * FROM numbers(5000)",
    )
    assert packed.splitlines()[-1] == "4999"
    assert "Code: 62. DB::Exception:" in curl(server.url, "-d", "SELECT 1; SELECT 2")
