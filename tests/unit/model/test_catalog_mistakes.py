"""Mistakes in catalogue data and in what plugins add are told with the place and the remedy."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import metaflow_core.model.catalog as package
from metaflow_core.errors import ConfigError
from metaflow_core.model.catalog import Column, Enum, Member, Metric, check_catalog, load_catalog
from metaflow_core.model.expression import parse_expression

HEADER = "name,type,kind,unit,enum,group,absent,roll,from,description\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return Path(shutil.copytree(Path(package.__file__).parent / "data", tmp_path / "data"))


def mistakes(data: Path) -> str:
    try:
        return "\n".join(str(problem) for problem in check_catalog(load_catalog(data)))
    except ConfigError as error:
        return str(error)


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("extra,u23,tag,,,,,,,x.", "there is no type 'u23'; did you mean"),
        ("extra,u32,tg,,,,,,,x.", "there is no kind 'tg'; did you mean 'tag'?"),
        ("extra,u32,tag,,close_typ,,,,,x.", "there is no enumeration 'close_typ'; did you mean 'close_type'?"),
        ("extra,u32,counter,,,,,,,x.", "a column that is a metric needs roll"),
        ("extra,string,counter,,,,,sum,,x.", "a metric is a number, but the type is string"),
        ("extra,u32,tag,,,,maybe,,,x.", "absent is 'maybe'"),
        ("extra,u32,tag,,,,,,,", "the description is missing"),
        ("a-b,u32,tag,,,,,,,x.", "'a-b' is no name of a column"),
        ("flow_id,u32,tag,,,,,,,x.", "explain.csv:10: flow_id: the column 'flow_id' is declared twice"),
        ("extra,u32,tag", "explain.csv:10: 3 cells, expected 10"),
        ("@nothing,,,,,,,,,", "nothing.csv: the catalogue cannot read it"),
    ],
)
def test_a_wrong_column(data: Path, row: str, sentence: str) -> None:
    path = data / "tables" / "flow_log.explain.csv"
    path.write_text(path.read_text() + row + "\n")
    assert sentence in mistakes(data)


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        (
            "nothin / row",
            "flow_log.explain.csv:2: extra: the expression names 'nothin', which is no column of the table",
        ),
        ("extra + 1", "the metric is made of itself: extra -> extra"),
        ("offset +", "flow_log.explain.csv:2: extra: the expression: column 9: expected a column"),
    ],
)
def test_a_wrong_metric(data: Path, expression: str, sentence: str) -> None:
    path = data / "metrics" / "flow_log.explain.csv"
    path.write_text(f"name,kind,unit,expression,group,description\nextra,counter,,{expression},x,y.\n")
    assert sentence in mistakes(data)


def test_a_wrong_member_in_a_metric(data: Path) -> None:
    path = data / "metrics" / "flow_log.l7_message.csv"
    path.write_text("name,kind,unit,expression,group,description\nextra,counter,,\"if(type = 'reqest', 1, 0)\",x,y.\n")
    assert "type is never 'reqest'; did you mean 'request'?" in mistakes(data)


def test_a_wrong_header(data: Path) -> None:
    path = data / "tables" / "flow_log.explain.csv"
    path.write_text("name,sort\n")
    assert "explain.csv:1: the header is 'name,sort', expected 'name,type" in mistakes(data)


def test_a_plugin_adds_columns_to_every_precision() -> None:
    base = load_catalog()
    added = base.extend(
        columns={"network": (Column("tenant", "u32", description="Tenant."),)},
        metrics={"network": (Metric("mbit", "counter", "Mbit", "byte * 8", parse_expression("byte * 8")),)},
    )
    for step in ("1s", "1m", "1h"):
        assert added.table(f"network.{step}").column("tenant").type == "u32"
        assert "mbit" in added.table(f"network.{step}").by_name
    assert "tenant" not in base.table("network.1m").by_name


def test_a_plugin_adds_a_table_and_an_enumeration() -> None:
    base = load_catalog()
    explain = base.table("explain")
    table = replace(
        explain,
        name="my.table",
        family="my.table",
        columns=(*explain.columns, Column("c", "u8", enum="colour", description="C.")),
    )
    added = base.extend(tables=(table,), enums=(Enum("colour", "Colours.", (Member(1, "red"),), open=True),))
    assert added.table("my.table").column("c").enum == "colour"
    again = added.extend(members={"colour": (Member(2, "blue"),)})
    assert again.enum("colour").value("BLUE") == 2
    assert added.enum("colour").value("blue") is None


def test_two_catalogues_do_not_know_of_each_other() -> None:
    one = load_catalog().extend(members={"l7_protocol": (Member(20, "A"),)})
    other = load_catalog().extend(members={"l7_protocol": (Member(20, "B"),)})
    assert (one.enum("l7_protocol").value("a"), other.enum("l7_protocol").value("a")) == (20, None)


def test_wrong_additions_are_told_at_once() -> None:
    base = load_catalog().extend(members={"l7_protocol": (Member(20, "A"),)})
    with pytest.raises(ConfigError) as caught:
        base.extend(members={"l7_protocol": (Member(20, "B"),), "l7_type": (Member(9, "x"),), "l7_tpye": ()})
    text = str(caught.value)
    assert "20 is 'A' already and cannot be 'B' too" in text
    assert "l7_type: the enumeration is closed" in text
    assert "there is no such enumeration; did you mean 'l7_type'?" in text
    with pytest.raises(ConfigError, match="the column exists already"):
        base.extend(columns={"l7_flow_log": (Column("flow_id", "u64", description="x."),)})
    with pytest.raises(ConfigError, match="exists already"):
        base.extend(tables=(base.table("explain"),))
