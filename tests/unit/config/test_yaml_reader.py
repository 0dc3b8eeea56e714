"""YAML means what the file says, knows its lines, and survives hostile files."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from metaflow_core.config.node import from_plain
from metaflow_core.config.yaml_reader import read_yaml
from metaflow_core.errors import ConfigError


@pytest.mark.parametrize(
    "text",
    [
        "no",
        "yes",
        "on",
        "Off",
        "y",
        "12:30:00",
        "1:2",
        "2026-01-01",
        "2026-01-01T00:00:00Z",
        "0o17",
        "017",
        "0b11",
        "1_000",
        "=",
        "+.5.1",
        "0x",
        "1e",
        "-",
    ],
)
def test_surprises_of_yaml_1_1_are_text(text: str) -> None:
    node = read_yaml(f"a: {text}\n") if text != "-" else read_yaml("a: '-'\n")
    assert node.plain() == {"a": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True), ("True", True), ("FALSE", False), ("null", None), ("~", None), ("", None), ("0", 0), ("-12", -12),
        ("+7", 7), ("0xfF", 255), ("1.5", 1.5), ("1e3", 1000.0), (".5", 0.5), ("-2.E-1", -0.2), (".inf", float("inf")),
        ("-.Inf", float("-inf")), ("'1'", "1"), ('"true"', "true"), ("!!str 12", "12"), ("!!int 12", 12), ("!!float 3", 3),
    ],
)  # fmt: skip
def test_scalars_follow_the_core_schema(text: str, value: object) -> None:
    assert read_yaml(f"a: {text}\n").plain() == {"a": value}


def test_every_value_knows_its_line_and_column() -> None:
    tree = read_yaml("a: 1\nb:\n  c: [x,\n    y]\n", "f.yaml")
    assert (tree.find(("b",)).mark.line, tree.find(("b", "c")).mark.line) == (2, 3)
    assert (
        tree.find(("b", "c", 1)).mark.file,
        tree.find(("b", "c", 1)).mark.line,
        tree.find(("b", "c", 1)).mark.column,
    ) == ("f.yaml", 4, 5)
    assert tree.find(("b", "nothing", "there")).mark.line == 2


def test_all_duplicate_keys_are_reported_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        read_yaml("a: 1\nb: {c: 1, c: 2}\na: 3\n", "f.yaml")
    assert [(p.path, p.line) for p in caught.value.problems] == [("b.c", 2), ("a", 3)]
    assert "the first is in line 1" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: b: c", "not valid YAML"),
        ("a: [1", "not valid YAML"),
        ("a: \x01", "not valid YAML"),
        ("a: 1\n---\nb: 2\n", "second document"),
        ("a: *nothing\n", "names no earlier value"),
        ("a: &x [*x]\n", "inside the value it names"),
        ("a: !!python/object:os.system x\n", "not allowed"),
        ("<<: {a: 1}\n", "merge keys"),
        ("? [a, b]\n: 1\n", "a key must be text"),
        ("a: !!int x\n", "tagged !!int"),
        ("[" * 100_000, "nest deeper"),
        ("- " * 5_000, "nest deeper"),
        ("a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(f"{c}: &{c} [{','.join(f'*{p}' for _ in range(10))}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True)), "more than"),
    ],
)  # fmt: skip
def test_what_is_no_configuration_is_said_in_a_sentence(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_yaml(text, "f.yaml")


def test_empty_files_are_empty() -> None:
    assert read_yaml("").plain() is None
    assert read_yaml("# only a comment\n").plain() is None


KEYS = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=8)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=12)
)
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=20
)


@given(TREES)
@example({"a": "no", "b": "1e3", "c": "0x1f", "d": "~", "e": "null"})
def test_what_is_dumped_is_read_back(tree: object) -> None:
    # quoted, since a YAML 1.1 writer leaves 1e3 bare, which is a number in 1.2
    text = yaml.dump(tree, Dumper=_Quoting, allow_unicode=True)
    assert read_yaml(text).plain() == from_plain(tree).plain() == tree


class _Quoting(yaml.SafeDumper):
    """Writes every text in quotes."""


_Quoting.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))
_Quoting.add_representer(
    float, lambda dumper, number: dumper.represent_scalar("tag:yaml.org,2002:float", _float(number))
)


def _float(number: float) -> str:
    if number in (float("inf"), float("-inf")):
        return ".inf" if number > 0 else "-.inf"
    return repr(number)


@given(st.text())
def test_no_text_does_anything_but_parse_or_report(text: str) -> None:
    outcome: object
    try:
        outcome = read_yaml(text, "f.yaml")
    except ConfigError as error:
        outcome = error.problems
    assert outcome
