"""Checks on a real capture, and every way to write them wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa
import pytest
from metaflow_check.expect.ends import Names, read_end
from metaflow_check.expect.load import load
from metaflow_check.expect.units import duration_us, share
from metaflow_check.measure.compare import read_comparison
from metaflow_check.measure.edges import Called
from metaflow_check.measure.verdict import Verdict
from metaflow_check.output.junit import junit
from metaflow_check.output.text import github_lines, text_lines

from metaflow_core.cli.root import run_cli
from metaflow_core.errors import ConfigError

CAPTURE = str(Path(__file__).resolve().parents[3] / "tests" / "captures" / "shop.pcap")
NAMES = 'names: {shop: "127.0.0.1:18080", mysql: "127.0.0.1:13306", redis: "127.0.0.1:16379"}\n'


def write(folder: Path, text: str) -> str:
    path = folder / "checks.yaml"
    path.write_text(NAMES + text)
    return str(path)


def verdicts(folder: Path, text: str, capsysbinary: Any) -> tuple[int, list[dict[str, Any]]]:
    code = run_cli(["check", CAPTURE, "-e", write(folder, text), "--json"])
    out, err = capsysbinary.readouterr()
    assert out, err.decode()
    return code, json.loads(out)["checks"]


PASSING = """checks:
  - errors: {server: shop, max: 2}
  - errors: {status: [timeout]}
  - error_ratio: {server: shop, max: 13 %}
  - latency: {server: mysql, max: 1 ms}
  - latency: {server: shop, quantile: 50, max: 70 ms}
  - requests: {at_least: 136, at_most: 136}
  - requests: {protocol: DNS, at_most: 6}
  - edges: {required: ["127.0.0.0/8 -> mysql", "* -> :15353"], forbidden: ["* -> 10.0.0.0/8"]}
  - protocols: {allowed: [HTTP, MySQL, DNS, Redis], forbidden: [Telnet]}
  - retransmissions: {max: 0.1 %}
  - connections: {}
"""

FAILING = """checks:
  - errors: {where: "endpoint like '/broken/*'"}
  - error_ratio: {server: redis, max: 0.5}
  - name: the shop is fast
    latency: {server: shop, max: 20 ms}
  - latency: {server: 10.0.0.1, max: 20 ms}
  - errors: {server: 10.0.0.1}
  - requests: {at_most: 10}
  - edges: {allowed: ["* -> shop", "* -> :18081"]}
  - edges: {required: ["shop -> 192.168.0.1"]}
  - protocols: {forbidden: [Redis]}
  - connections: {server: 10.0.0.1}
"""


def test_what_is_true_passes(tmp_path: Path, capsysbinary: Any) -> None:
    code, found = verdicts(tmp_path, PASSING, capsysbinary)
    assert [each["name"] for each in found if not each["passed"]] == []
    assert (code, len(found)) == (0, 11)


def test_what_is_false_fails_and_shows_where(tmp_path: Path, capsysbinary: Any) -> None:
    code, found = verdicts(tmp_path, FAILING, capsysbinary)
    assert code == 1
    assert [each["name"] for each in found if each["passed"]] == []
    by_line = {each["line"]: each for each in found}
    assert by_line[3]["found"] == "4 of 4 requests"
    assert by_line[3]["examples"][0].startswith("2 x server_error: GET /broken/1 127.0.0.1 -> 127.0.0.1:1808")
    assert by_line[6]["name"] == "the shop is fast"
    assert "GET /pay/1" in by_line[6]["examples"][0]
    assert "at least 1 are needed" in by_line[7]["found"], "a check of nothing does not pass"
    assert {line.split(":")[0] for line in by_line[10]["examples"]} == {"not allowed"}
    assert "nothing was checked" in by_line[13]["found"]


def test_questions_in_sql(tmp_path: Path, capsysbinary: Any) -> None:
    text = """checks:
  - query: {sql: "SELECT Count(row) AS n FROM l7_flow_log", value: "= 136"}
  - query: {sql: "SELECT endpoint FROM l7_flow_log WHERE endpoint = '/admin'", rows: "= 0"}
  - query: {sql: "SELECT Max(rrt) AS slowest, l7_protocol FROM l7_flow_log GROUP BY l7_protocol", value: "< 1000"}
"""
    code, found = verdicts(tmp_path, text, capsysbinary)
    assert (code, [each["passed"] for each in found]) == (1, [True, True, False])
    assert found[0]["found"] == "n 136"
    assert any("HTTP" in line for line in found[2]["examples"])
    wrong = write(tmp_path, 'checks:\n  - query: {sql: "SELECT endpont FROM l7_flow_log"}\n')
    assert run_cli(["check", CAPTURE, "-e", wrong]) == 78
    assert b"checks.yaml:3: query: column 8: there is no column 'endpont'" in capsysbinary.readouterr().err


def test_a_baseline_finds_the_edge_that_is_new(tmp_path: Path, capsysbinary: Any) -> None:
    checks = write(tmp_path, "checks:\n  - edges: {baseline: edges.json}\n")
    assert run_cli(["check", CAPTURE, "-e", checks]) == 78
    assert b"make it with: mflow check FILE --write-baseline" in capsysbinary.readouterr().err
    edges = tmp_path / "edges.json"
    other = tmp_path / "names.yaml"
    other.write_text(NAMES + "checks:\n  - requests: {}\n")
    assert run_cli(["check", CAPTURE, "-e", str(other), "--write-baseline", str(edges)]) == 0
    assert run_cli(["check", CAPTURE, "-e", checks]) == 0
    document = json.loads(edges.read_text())
    document["edges"] = [each for each in document["edges"] if each["server"] != "redis"]
    edges.write_text(json.dumps(document))
    capsysbinary.readouterr()
    assert run_cli(["check", CAPTURE, "-e", checks]) == 1
    assert b"new: 127.0.0.1 -> redis (Redis, 42 requests)" in capsysbinary.readouterr().out
    edges.write_text('{"version": 7}')
    assert run_cli(["check", CAPTURE, "-e", checks]) == 78


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "nothing is expected"),
        ("chekcs: []", "checks.yaml:2: chekcs: there is no such key; did you mean checks?"),
        (
            "checks:\n  - erors: {}",
            "checks.yaml:3: checks[0].erors: there is no such kind of check; did you mean errors?",
        ),
        ("checks:\n  - errors: {mx: 1}", "did you mean max?"),
        ("checks:\n  - errors: {max: -1}", "errors.max"),
        ("checks:\n  - latency: {max: 20}", "a duration needs its unit, e.g. 20 ms"),
        ("checks:\n  - latency: {}", "latency.max"),
        ("checks:\n  - error_ratio: {max: 200 %}", "a share such as 1 % or 0.01"),
        ("checks:\n  - errors: {status: [server_eror]}", "did you mean server_error?"),
        ("checks:\n  - errors: {server: mysq}", "did you mean mysql?"),
        ("checks:\n  - edges: {required: [a]}", "write: client -> server"),
        ("checks:\n  - edges: {}", "give required, allowed, forbidden or baseline"),
        ("checks:\n  - edges: {required: ['* -> reddis']}", "did you mean redis?"),
        ("checks:\n  - query: {sql: SHOW TABLES, value: about 5}", "is no comparison such as"),
        ("checks:\n  - errors: {}\n    latency: {max: 1 ms}", "has several kinds"),
        ("checks:\n  - name: x", "has no kind"),
        ("checks:\n  - 5", "a check is a map such as"),
        ("checks: 5", "a list of checks is expected"),
        ("checks: [", "checks.yaml"),
        ("version: 2\nchecks:\n  - errors: {}", "this MetaFlow knows version 1"),
        ("checks:\n  - errors: {where: 'endpont = 1'}", "errors.where"),
    ],
)
def test_mistakes_have_a_place_and_a_hint(text: str, said: str, tmp_path: Path, capsysbinary: Any) -> None:
    code = run_cli(["check", CAPTURE, "-e", write(tmp_path, text)])
    err = capsysbinary.readouterr().err.decode()
    assert code == 78, err
    assert said in err
    assert "Traceback" not in err


def test_every_mistake_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load([write(tmp_path, "checks:\n  - errors: {mx: 1}\n  - latency: {max: 20}\n"), str(tmp_path / "none.yaml")])
    assert len(caught.value.problems) == 3


def test_usage(tmp_path: Path, capsysbinary: Any) -> None:
    assert run_cli(["check", CAPTURE]) == 2
    assert run_cli(["check", "/nowhere.pcap", "-e", write(tmp_path, "checks:\n  - errors: {}\n")]) == 1
    assert b"there is no such file" in capsysbinary.readouterr().err
    sql = write(tmp_path, 'checks:\n  - query: {sql: "SHOW TABLES", rows: "> 0"}\n')
    assert run_cli(["check", CAPTURE, "-e", sql, "--out", str(tmp_path / "x" / "y")]) == 1


HOSTILE = Verdict(
    "errors",
    "<b>\x1b[31mname</b>",
    "checks.yaml",
    3,
    False,
    "none",
    'found ]]> & "quotes"',
    ("GET /\x00\x1b]0;x\x07%0A::set",),
)


def test_hostile_names_are_only_text() -> None:
    root = ElementTree.fromstring(junit([HOSTILE], ["a.pcap"], 0.5))
    case = root.find("testsuite/testcase")
    assert case is not None
    assert case.get("name") == "<b>·[31mname</b>"
    assert (root.get("tests"), root.get("failures")) == ("1", "1")
    assert "\x1b" not in "".join(text_lines([HOSTILE]))
    lines = list(github_lines([HOSTILE]))
    assert len(lines) == 1
    assert lines[0].startswith("::error file=checks.yaml,line=3,title=")
    assert "\n" not in lines[0]
    assert "%250A" in lines[0]


def test_forms(tmp_path: Path, capsysbinary: Any) -> None:
    checks, report = write(tmp_path, FAILING), tmp_path / "report.xml"
    run_cli(["check", CAPTURE, "-e", checks, "--junit", str(report), "--format", "github"])
    assert capsysbinary.readouterr().out.count(b"::error file=") == 10
    root = ElementTree.fromstring(report.read_bytes())
    assert (root.get("tests"), root.get("failures")) == ("10", "10")
    run_cli(["check", CAPTURE, "-e", checks])
    assert b"0 of 10 checks passed." in capsysbinary.readouterr().out


def test_words() -> None:
    assert [duration_us(text) for text in ("800 us", "20ms", "1.5 s", "2 min")] == [800, 20_000, 1_500_000, 120_000_000]
    assert [share(value) for value in ("1 %", 0.01, "0.5", 0)] == [0.01, 0.01, 0.5, 0.0]
    assert read_comparison("<= 5").holds(5)
    assert not read_comparison("!= 5").holds(5)
    assert read_end("[fe80::1]:80").matches("fe80::1", 80)
    assert read_end("fe80::/10").matches("fe80::1", 80)
    assert not read_end("10.0.0.0/8").matches("garbage", 80)
    for wrong in ("", "10.0.0.300", "10.0.0.1:99999", ":", "a:b:c", "[::1"):
        with pytest.raises(ValueError, match=r"is no address|a port is"):
            read_end(wrong)
    names = Names({"web": ["10.0.0.0/24"], "web2": ["10.0.0.1:80"]})
    assert (names.client("10.0.0.7"), names.server("10.0.0.1", 80), names.server("::1", 80)) == (
        "web",
        "web",
        "[::1]:80",
    )


def test_edges_of_missing_columns_are_no_accident() -> None:
    called = Called()
    called.take(pa.RecordBatch.from_pydict({"server_port": pa.array([80], pa.uint16())}))
    assert sum(called.pairs.values()) == 1
