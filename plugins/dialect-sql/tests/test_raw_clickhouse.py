"""What ClickHouse's own clients send is taken as they mean it, and nothing that does more than read."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metaflow_dialect_sql.config import SqlConfig
from metaflow_dialect_sql.raw import RawStatement, checked_settings, checked_statement
from metaflow_dialect_sql.raw.words import Kind, Word, joined, split

from metaflow_core.errors import QueryError, QuerySyntaxError
from metaflow_core.model.catalog import load_catalog

CATALOG = load_catalog()


def checked(text: str, database: str = "flow_log", variables: Mapping[str, str] | None = None) -> RawStatement:
    return checked_statement(text, CATALOG, SqlConfig(), database=database, variables=variables)


@pytest.mark.parametrize(
    ("text", "run"),
    [
        ("select version(), timezone()", "select version(), timezone()"),
        ("SELECT name FROM system.settings LIMIT 1", "SELECT name FROM system.settings LIMIT 1"),
        ("SELECT 1 /* a */ -- b\n, 2 # c", "SELECT 1, 2"),
        ("SELECT count() FROM l7_flow_log AS x", "SELECT count() FROM `flow_log`.l7_flow_log AS x"),
        ("SELECT count() FROM event.file_event", "SELECT count() FROM event.file_event"),
        ("WITH l7_flow_log AS (SELECT 1) SELECT * FROM l7_flow_log", "WITH l7_flow_log AS(SELECT 1) SELECT * FROM l7_flow_log"),
        ("SELECT sumIf(1, 2), quantileTDigest(0.5)(x) FROM numbers(3)", "SELECT sumIf(1, 2), quantileTDigest(0.5)(x) FROM numbers(3)"),
        ("SELECT [1, 2]::Array(UInt8), a ? 1 : 2", "SELECT [1, 2]::Array(UInt8), a ? 1 : 2"),
        ("SELECT 'it''s \\'\\\\'", "SELECT 'it\\'s \\'\\\\'"),
        ("SHOW TABLES", "SHOW TABLES FROM `flow_log`"),
        ("SHOW TABLES FROM event LIKE '%x'", "SHOW TABLES FROM event LIKE '%x'"),
        ("DESC l7_flow_log", "DESCRIBE TABLE `flow_log`.l7_flow_log"),
        ("DESCRIBE (SELECT 1)", "DESCRIBE TABLE (SELECT 1)"),
        ("EXISTS TABLE nosuch", "EXISTS TABLE `flow_log`.nosuch"),
        ("EXISTS DATABASE x", "EXISTS DATABASE x"),
        ("SHOW CREATE TABLE l7_flow_log", "SHOW CREATE TABLE `flow_log`.l7_flow_log"),
        ("EXPLAIN SYNTAX SELECT 1", "EXPLAIN SYNTAX SELECT 1"),
        ("SELECT formatDateTime(time, '%H'), parseDateTime('1', '%H') FROM l7_flow_log", "SELECT formatDateTime(time, '%H'), parseDateTime('1', '%H') FROM `flow_log`.l7_flow_log"),
        ("(SELECT 1) UNION ALL (SELECT 2);", "(SELECT 1) UNION ALL (SELECT 2)"),
    ],
)  # fmt: skip
def test_what_is_run(text: str, run: str) -> None:
    assert checked(text).text.replace(" (", "(") == run.replace(" (", "(")


@pytest.mark.parametrize(
    "text",
    ["SHOW TABLES INTO OUTFILE '/tmp/x'", "SHOW TABLES FROM flow_log INTO OUTFILE '/tmp/x'", "SHOW DATABASES into outfile '/tmp/x' TRUNCATE",
     "SHOW TABLES LIKE 'x' INTO OUTFILE '/tmp/x' FORMAT CSV", "SHOW FUNCTIONS INTO OUTFILE '/tmp/x'", "SHOW COLUMNS FROM l7_flow_log INTO OUTFILE 'x'",
     "SHOW TABLES FROM INTO OUTFILE 'x'", "SHOW TABLES FROM `flow_log` OUTFILE 'x'", "SHOW ENGINES INTO OUTFILE 'x'",
     "SHOW TABLES WHERE name = 'x' INTO OUTFILE 'x'", "SHOW TABLES LIMIT 1 INTO OUTFILE 'x'", "SHOW DICTIONARIES APPEND", "SHOW TABLES x"],
)  # fmt: skip
def test_show_writes_no_file(text: str) -> None:
    """ClickHouse takes INTO OUTFILE behind any statement that answers."""
    with pytest.raises(QuerySyntaxError, match="is not taken"):
        checked(text)


@pytest.mark.parametrize(
    "text",
    ["SHOW TABLES FROM event NOT LIKE '%x' LIMIT 3", "SHOW TABLES WHERE name = 'x'", "SHOW FULL COLUMNS FROM l7_flow_log FROM flow_log LIKE 'a%'",
     "SHOW COLUMNS FROM flow_log.l7_flow_log", "SHOW DATABASES", "SHOW FUNCTIONS ILIKE 'x%'"],
)  # fmt: skip
def test_what_show_is_narrowed_by(text: str) -> None:
    assert checked(text).text.startswith("SHOW")


def test_many_questions_in_one_are_refused() -> None:
    checked(" UNION ALL ".join(["SELECT 1"] * 100))
    with pytest.raises(QuerySyntaxError, match="more than 200 SELECTs"):
        checked(" UNION ALL ".join(["SELECT 1"] * 3000))


@pytest.mark.parametrize(
    "call",
    ["hasAll(groupArray(number), range(1000000))", "hasAny(x, y)", "hasSubstr(range(1000000), range(1000000))",
     f"hasAny(x, [{', '.join(['1'] * 1001)}])", "hasAll([number], x)", "arrayMap(z -> hasAny(z, z), [range(1000000)])"],
)  # fmt: skip
def test_two_long_lists_are_not_compared_element_by_element(call: str) -> None:
    with pytest.raises(QuerySyntaxError, match="at most 1000 constants"):
        checked(f"SELECT {call} FROM numbers(10)")


@pytest.mark.parametrize(
    "call", ["hasAny(attribute_names, ['a', 'b'])", "hasAll([1, -2], x)", "hasSubstr(x, array(1, 2))", "has(x, y)"]
)
def test_a_list_is_compared_with_a_short_one(call: str) -> None:
    assert checked(f"SELECT {call} FROM l7_flow_log").text


def test_a_list_is_compared_with_that_of_a_parameter() -> None:
    text = "SELECT hasAny(attribute_names, {a:Array(String)}) FROM l7_flow_log"
    assert "hasAny" in checked(text, variables={"a": "['x','y']"}).text
    with pytest.raises(QuerySyntaxError, match="at most 1000 constants"):
        checked(text, variables={"a": str(["x"] * 2000)})


@pytest.mark.parametrize(
    "call",
    ["countMatches(repeat('a', 1000000), 'a.*b|a')", "length(extractAll(repeat(endpoint, 1e6), 'a.*b|a'))", "position(x, repeat('a', number))",
     "replaceRegexpAll(repeat(repeat(repeat('a', 100), 100), 100), 'a.*b|a', '')", "`countMatches`(leftPad('a', 1000000), 'x')",
     "URLPathHierarchy(concat('http://a', repeat('/a', 100000)))", "splitByRegexp('a.*b|a', space(1000000))"],
)  # fmt: skip
def test_patterns_are_not_looked_for_in_texts_made_long(call: str) -> None:
    with pytest.raises(QuerySyntaxError, match="written length of at most 100"):
        checked(f"SELECT {call} FROM l7_flow_log")


@pytest.mark.parametrize(
    "call",
    ["replaceRegexpAll(endpoint, '[0-9]+', '*')", "leftPad(replaceRegexpAll(endpoint, 'a', 'b'), 20, ' ')", "repeat(endpoint, 100000)", "space(count())",
     "countMatches(endpoint, repeat('a', 3)), rightPad('x', 8)"],
)  # fmt: skip
def test_short_texts_and_patterns_alone_are_taken(call: str) -> None:
    assert checked(f"SELECT {call} FROM l7_flow_log").text


def test_form_and_settings_are_taken_off() -> None:
    found = checked("SELECT 1 SETTINGS max_threads = 2, date_time_output_format = 'iso' FORMAT JSONCompact")
    assert (found.text, found.form) == ("SELECT 1", "JSONCompact")
    assert found.settings == {"max_threads": "2", "date_time_output_format": "iso"}
    assert checked("SHOW DATABASES FORMAT TSV").form == "TSV"
    assert not checked("SHOW DATABASES").is_select


def test_parameters_become_constants() -> None:
    values = {"n": "5", "s": "it's \\\\ \\n", "a": "['x\\'y']", "t": "l7_flow_log", "z": "\\N"}
    text = "SELECT {n:UInt32}, {s:String}, {a:Array(String)}, {z:Nullable(String)} FROM {t:Identifier} LIMIT {n:UInt64}"
    assert checked(text, variables=values).text == (
        "SELECT CAST('5', 'UInt32'), 'it\\'s \\\\ \n', CAST('[\\'x\\\\\\'y\\']', 'Array(String)'), NULL FROM `flow_log`.`l7_flow_log` LIMIT 5"
    )
    with pytest.raises(QuerySyntaxError, match="'q' has no value"):
        checked("SELECT {q:String}", variables=values)
    with pytest.raises(QuerySyntaxError, match="written {name:Type}"):
        checked("SELECT {q}", variables=values)
    with pytest.raises(QuerySyntaxError, match="table functions|no table|there is no"):
        checked("SELECT * FROM {t:Identifier}", variables={"t": "system.users"})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("INSERT INTO l7_flow_log FORMAT Native \x01\x02", "reads only"),
        ("DROP TABLE l7_flow_log", "reads only"),
        ("ALTER TABLE l7_flow_log DELETE WHERE 1", "reads only"),
        ("SYSTEM SHUTDOWN", "reads only"),
        ("SELECT * FROM file('/etc/passwd')", "table functions"),
        ('SELECT * FROM "file"(\'/etc/passwd\')', "table functions"),
        ("SELECT * FROM `url` /* x */ ('http://x')", "table functions"),
        ("SELECT file('/etc/passwd')", "'file'"),
        ("SELECT * FROM (SELECT * FROM s3('x'))", "table functions"),
        ("SELECT * FROM numbers(1), file('x')", "'file'"),
        ("SELECT 1 WHERE 1 IN (SELECT 1 FROM executable('x', TSV, 'a UInt8'))", "table functions"),
        ("SELECT 1 WHERE 1 IN remote('x', system.one)", "table functions"),
        ("SELECT 1 WHERE 1 IN system.processes", "system.processes"),
        ("SELECT * FROM system.processes", "system.processes"),
        ("SELECT * FROM `system` . `query_log`", "system.query_log"),
        ("SELECT system.users.name FROM system.one", "system.users"),
        ("SELECT sleep(3)", "'sleep'"),
        ("SELECT sleepEachRow(3)", "'sleepEachRow'"),
        ("SELECT getSetting('x')", "'getSetting'"),
        ("SELECT length(printf('%2000000000d', 1))", "'printf'"),
        ("SELECT * APPLY(file) FROM system.one", "APPLY"),
        ("SELECT 1 INTO OUTFILE '/tmp/x'", "writes nothing"),
        ("SELECT 1 FROM INFILE 'x'", "INFILE"),
        ("SELECT 1 SETTINGS readonly = 0", "cannot be changed"),
        ("SELECT 1 SETTINGS output_format_schema = '/tmp/x'", "cannot be changed"),
        ("SELECT (SELECT 1 SETTINGS max_memory_usage = 0)", "SETTINGS"),
        ("SELECT 1 FORMAT Template", "the form"),
        ("SELECT 1 FORMAT Protobuf", "the form"),
        ("SELECT 1; SELECT 2", "one statement"),
        ("SELECT 1,", "ends in the middle"),
        ("SELECT 1 /* x", "never closed"),
        ("SELECT 'x", "never closed"),
        ("SELECT $$a$$", "has no meaning"),
        ("SELECT @@version", "has no meaning"),
        ("SELECT 1 \u2028", "LINE SEPARATOR"),
        ("SELECT `a\\`b`", "no quotes"),
        ("SELECT " + "(" * 500 + "1" + ")" * 500, "levels of parentheses"),
        ("SHOW PROCESSLIST", "there are SHOW"),
        ("SHOW TABLES WHERE file('x')", "not taken"),
        ("SHOW GRANTS", "there are SHOW"),
        ("SHOW COLUMNS FROM processes FROM system", "DESCRIBE"),
        ("DESCRIBE file('x')", "no 'flow_log.file'"),
        ("DESCRIBE TABLE system.users", "system.users"),
        ("EXPLAIN INSERT INTO x VALUES (1)", "reads only"),
        ("", "empty"),
        ("SELECT '" + "x" * 70_000 + "'", "longer than"),
    ],
)  # fmt: skip
def test_what_is_refused(text: str, reason: str) -> None:
    with pytest.raises(QueryError) as caught:
        checked(text)
    assert reason in str(caught.value) or (reason.startswith("no '") and "there is no" in str(caught.value))


def test_settings_of_a_request() -> None:
    assert checked_settings({"max_threads": 4}) == {"max_threads": "4"}
    with pytest.raises(QuerySyntaxError, match="'format_schema'"):
        checked_settings({"format_schema": "x"})


TEXTS = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)
WORDS = st.lists(
    st.one_of(
        st.builds(lambda t: Word(Kind.TEXT, t, 1), TEXTS),
        st.builds(lambda t: Word(Kind.NAME, t, 1), st.sampled_from(["a", "SELECT", "x1", "FROM"])),
        st.builds(lambda t: Word(Kind.QUOTED, t, 1), st.text("abc .#", min_size=1, max_size=9)),
        st.builds(lambda t: Word(Kind.NUMBER, t, 1), st.sampled_from(["1", "2.5", "0x1F", "1e3"])),
        st.builds(
            lambda t: Word(Kind.SIGN, t, 1), st.sampled_from(["(", ")", ",", "+", "-", "*", "/", "::", "->", "<=", "."])
        ),
    ),
    max_size=12,
)


@given(words=WORDS)
@settings(max_examples=500, deadline=None)
def test_words_come_back_as_they_were(words: list[Word]) -> None:
    """Whatever a text is made of, it is split into the same words again: nothing breaks out of its quotes."""
    with contextlib.suppress(QuerySyntaxError):
        found = split(joined(words), allow_comments=False)
        shown = [(each.kind, each.text) for each in words]
        assert [(each.kind, each.text) for each in found] == shown or "." in {each.text for each in words}


@given(text=st.text("SELCTFROMabc'\"`\\(),.;-*/#{}: \n=", max_size=80))
@settings(max_examples=500, deadline=None)
def test_any_text_gives_words_or_a_sentence(text: str) -> None:
    with contextlib.suppress(QueryError):
        checked("SELECT " + text)


def test_engines_agree_on_the_words() -> None:
    """ClickHouse's own lexer gives back every text that was put into quotes."""
    chdb: Any = pytest.importorskip("chdb")
    for value in ("it's", "a\\", "\\'", "\n\t\r\b\0x", "ü☃", "--", "/*", "$$", '`"', "\\x41", "a\\N"):
        text = joined([Word(Kind.NAME, "SELECT", 1), Word(Kind.TEXT, value, 1)])
        assert (
            bytes(chdb.query(f"SELECT hex(({text}))", "TSV").bytes()).decode().strip() == value.encode().hex().upper()
        ), value
