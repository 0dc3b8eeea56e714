"""Placeholders fill text values after parsing, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaflow_core.config.document import read_document
from metaflow_core.config.node import from_plain
from metaflow_core.config.placeholders import chain, core_resolver, substitute
from metaflow_core.errors import ConfigError

ENV = {"A": "alpha", "EMPTY": "", "LINES": "a\nb", "YAML": "[1, 2]", "INNER": "${env:A}"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${env:A}", "alpha"),
        ("x-${env:A}-${env:A}", "x-alpha-alpha"),
        ("${env:NO:-other}", "other"),
        ("${env:EMPTY:-other}", "other"),
        ("${env:EMPTY}", ""),
        ("${env:NO:-}", ""),
        ("${env:NO:-a:-b}", "a:-b"),
        ("$$", "$"),
        ("$${env:A}", "${env:A}"),
        ("$A costs 5$", "$A costs 5$"),
        ("${env:YAML}", "[1, 2]"),
        ("${env:INNER}", "${env:A}"),
    ],
)
def test_values(text: str, value: str) -> None:
    node, problems = substitute(from_plain({"k": [text]}), core_resolver(ENV))
    assert problems == []
    assert node.plain() == {"k": [value]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("${env:NO}", "NO is not set"),
        ("${env:LINES}", "line break"),
        ("${env:A", "no closing"),
        ("${A}", "write ${scheme:ref}, e.g. ${env:A}"),
        ("${}", "not a placeholder"),
        ("${env:${env:A}}", "nesting"),
        ("${env:NO:-${env:A}}", "nesting"),
        ("${vault:x}", "'vault' is not known here"),
        ("${file:/nowhere/at/all}", "does not exist"),
        ("${file:/}", "cannot be read"),
    ],
)
def test_mistakes_name_the_place(text: str, said: str) -> None:
    _, problems = substitute(from_plain({"k": {"l": [0, text]}}), core_resolver(ENV))
    assert [problem.path for problem in problems] == ["k.l[1]"]
    assert said in problems[0].message


def test_keys_and_other_scalars_are_left_alone() -> None:
    tree = {"${env:A}": 1, "n": 2.5, "t": True, "z": None}
    node, problems = substitute(from_plain(tree), core_resolver(ENV))
    assert (node.plain(), problems) == (tree, [])


def test_files_are_read_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    (tmp_path / "certificate").write_text("a\nb\n")
    config = tmp_path / "m.yaml"
    config.write_text("plugins: {enable: ['${file:secret}', '${file:certificate}']}\n")
    assert read_document(config).plugins.enable == ("s3cret", "a\nb")


def test_the_bootstrap_sections_know_only_env_and_file(tmp_path: Path) -> None:
    config = tmp_path / "m.yaml"
    config.write_text("version: 1\nplugins:\n  enable: ['${vault:x}']\n")
    document = read_document(config)
    assert [(problem.path, problem.line) for problem in document.problems] == [("plugins.enable[0]", 3)]


def test_each_placeholder_is_asked_for_once() -> None:
    asked: list[str] = []

    def vault(scheme: str, ref: str) -> str | None:
        asked.append(ref)
        return f"{scheme}/{ref}"

    node, _ = substitute(
        from_plain({"a": "${vault:x}", "b": "${vault:x}${vault:y}"}), chain(core_resolver({}), [vault])
    )
    assert node.plain() == {"a": "vault/x", "b": "vault/xvault/y"}
    assert asked == ["x", "y"]


def test_a_resolver_that_raises_is_a_located_problem() -> None:
    def broken(scheme: str, ref: str) -> str | None:
        raise RuntimeError("the vault is sealed")

    _, problems = substitute(from_plain({"a": "${vault:x}"}), chain(core_resolver({}), [broken]))
    assert "the vault is sealed" in str(problems[0])


@given(st.text())
def test_any_text_is_either_replaced_or_reported(text: str) -> None:
    node, problems = substitute(from_plain({"a": text}), core_resolver({}))
    assert problems or isinstance(node.map["a"].value, str)
    if "$" not in text:
        assert node.plain() == {"a": text}


@given(st.text())
def test_doubled_dollars_protect_any_text(text: str) -> None:
    node, problems = substitute(from_plain({"a": text.replace("$", "$$")}), core_resolver({}))
    assert (node.plain(), problems) == ({"a": text}, [])


def test_reading_raises_nothing_but_config_errors(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        read_document({"a": object()})
