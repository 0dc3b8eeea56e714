"""Files merge from left to right, then single settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaflow_core.config.document import read_document
from metaflow_core.config.merge import apply_set, merge, split_path
from metaflow_core.config.node import from_plain
from metaflow_core.errors import ConfigError

KEYS = st.sampled_from(["a", "b", "c", "d"])
LEAVES = st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=3)
MAPS = st.recursive(
    st.dictionaries(KEYS, LEAVES, max_size=3),
    lambda inner: st.dictionaries(KEYS, LEAVES | inner, max_size=3),
    max_leaves=10,
)


@given(MAPS)
def test_merging_with_nothing_or_itself_changes_nothing(tree: dict[str, object]) -> None:
    node = from_plain(tree)
    assert merge(from_plain({}), node).plain() == tree
    assert merge(node, from_plain({})).plain() == tree
    assert merge(node, node).plain() == tree


@given(MAPS, MAPS)
def test_the_last_one_wins_and_nothing_else_is_lost(left: dict[str, object], right: dict[str, object]) -> None:
    merged = merge(from_plain(left), from_plain(right)).plain()
    assert _is_inside(right, merged)
    assert set(merged) == set(left) | set(right)  # type: ignore[call-overload]
    for key in set(left) - set(right):
        assert merged[key] == left[key]  # type: ignore[index]


@given(MAPS, MAPS, MAPS)
def test_merging_files_is_associative_for_maps(
    a: dict[str, object], b: dict[str, object], c: dict[str, object]
) -> None:
    a, b, c = _shape(a), _shape(b), _shape(c)
    left = merge(merge(from_plain(a), from_plain(b)), from_plain(c))
    right = merge(from_plain(a), merge(from_plain(b), from_plain(c)))
    assert left.plain() == right.plain()


def _shape(tree: dict[str, object]) -> dict[str, object]:
    """A key is either always a map or never one, as in a real schema."""
    return {
        f"{key}-{'m' if isinstance(value, dict) else 'v'}": _shape(value) if isinstance(value, dict) else value
        for key, value in tree.items()
    }


def _is_inside(part: object, whole: object) -> bool:
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and _is_inside(value, whole[key]) for key, value in part.items())
    return part == whole


def test_lists_replace_and_an_empty_section_does_not_wipe() -> None:
    base = from_plain({"l": [1, 2], "m": {"x": 1}})
    assert merge(base, from_plain({"l": [3], "m": None})).plain() == {"l": [3], "m": {"x": 1}}


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("a.b=1", {"a": {"b": 1}, "k": {"x": 1}}),
        ("a=[x, {y: no}]", {"a": ["x", {"y": "no"}], "k": {"x": 1}}),
        ("k.x=", {"k": {"x": None}}),
        ("k.x=''", {"k": {"x": ""}}),
        ("k.x=a=b", {"k": {"x": "a=b"}}),
        ("k={y: 2}", {"k": {"x": 1, "y": 2}}),
        ('k."a.b".c=true', {"k": {"x": 1, "a.b": {"c": True}}}),
    ],
)
def test_settings(setting: str, expected: object) -> None:
    assert apply_set(from_plain({"k": {"x": 1}}), [setting]).plain() == expected


@given(st.lists(st.text(st.characters(exclude_characters='"', codec="utf-8"), min_size=1), min_size=1))
def test_a_quoted_path_comes_back(parts: list[str]) -> None:
    assert split_path(".".join(f'"{part}"' for part in parts)) == parts


def test_wrong_settings_are_all_reported() -> None:
    with pytest.raises(ConfigError) as caught:
        apply_set(from_plain({"l": [1]}), ["nothing", "a..b=1", "a=[", "l.0=2", 'x."y=1'])
    said = [str(problem) for problem in caught.value.problems]
    assert len(said) == 5
    assert "path=value" in said[0]
    assert "replaced as a whole" in said[3]


def test_files_and_mappings_merge_in_order(tmp_path: Path) -> None:
    one, two = tmp_path / "1.yaml", tmp_path / "2.yaml"
    one.write_text("service: {stop_timeout_s: 1, data_dir: /a}\n")
    two.write_text("service:\n  stop_timeout_s: 2\n")
    document = read_document([one, two, {"service": {"startup_error": "retry"}}], sets=["service.stop_timeout_s=3"])
    assert document.tree.plain() == {"service": {"stop_timeout_s": 3, "data_dir": "/a", "startup_error": "retry"}}
    assert document.files == (str(one), str(two))


def test_unreadable_files_are_all_reported(tmp_path: Path) -> None:
    broken, binary = tmp_path / "broken.yaml", tmp_path / "binary.yaml"
    broken.write_text("a: [\n")
    binary.write_bytes(b"a: 1\nb: \xff\xfe\n")
    listy = tmp_path / "list.yaml"
    listy.write_text("- a\n")
    with pytest.raises(ConfigError) as caught:
        read_document([tmp_path / "missing.yaml", tmp_path, broken, binary, listy])
    said = "\n".join(str(problem) for problem in caught.value.problems)
    assert len(caught.value.problems) == 5
    for text in (
        "No such file",
        "Is a directory",
        "not valid YAML",
        "binary.yaml:2: the file is not UTF-8",
        "found a list",
    ):
        assert text in said
