"""``mflow plugins``, ``version``, ``--help`` and the exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from metaflow_core.cli.root import run_cli


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    code = run_cli(args)
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    (tmp_path / "bad_one.py").write_text("import surely_not_installed\n")
    (tmp_path / "good_one.py").write_text(
        "from metaflow_core import Config, Field, TaggerFactory, hookimpl\n"
        "class C(Config):\n    depth: int = Field(3, description='How deep.')\n"
        "@hookimpl\ndef metaflow_taggers():\n"
        "    return [TaggerFactory(type='good', config=C, create=lambda c, o: object(), summary='A good one.')]\n"
    )
    return tmp_path


def test_list_json_is_stable(capsys: pytest.CaptureFixture[str], broken: Path) -> None:
    code, out, _ = run(capsys, "plugins", "list", "--plugins-dir", str(broken), "--json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert code == 0
    assert rows["good-one"]["state"] == "loaded"
    assert rows["good-one"]["kind"] == ["tagger"]
    assert rows["good-one"]["components"] == [
        {"kind": "tagger", "type": "good", "stability": "alpha", "summary": "A good one."}
    ]
    assert rows["bad-one"]["state"] == "failed"
    assert set(rows["good-one"]) == {
        "name", "distribution", "version", "module", "api", "state", "reason", "remedy", "kind", "hooks", "components",
    }  # fmt: skip


def test_list_for_people_says_where_to_look(capsys: pytest.CaptureFixture[str], broken: Path) -> None:
    code, out, _ = run(capsys, "plugins", "list", "--plugins-dir", str(broken))
    assert code == 0
    assert "cannot be used; 'mflow plugins doctor' says why" in out


def test_doctor_gives_sentences(capsys: pytest.CaptureFixture[str], broken: Path) -> None:
    code, out, _ = run(capsys, "plugins", "doctor", "--plugins-dir", str(broken))
    assert code == 0
    assert "is failed: ModuleNotFoundError: No module named 'surely_not_installed'." in out
    assert "Remedy: install the package that provides the module 'surely_not_installed'" in out
    assert run(capsys, "plugins", "doctor", "--plugins-dir", str(broken), "--strict")[0] == 1


def test_show_names_options(capsys: pytest.CaptureFixture[str], broken: Path) -> None:
    code, out, _ = run(capsys, "plugins", "show", "good-one", "--plugins-dir", str(broken), "--json")
    assert code == 0
    assert json.loads(out)["components"][0]["options"] == [
        {"name": "depth", "type": "integer", "default": 3, "description": "How deep."}
    ]


def test_show_suggests(capsys: pytest.CaptureFixture[str], broken: Path) -> None:
    code, _, err = run(capsys, "plugins", "show", "god-one", "--plugins-dir", str(broken))
    assert code == 1
    assert "did you mean 'good-one'" in err


def test_wrong_usage_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "plugns")
    assert code == 2
    assert "There is no command 'plugns'. Did you mean 'plugins'?" in err
    assert run(capsys, "validate")[0] == 2
    assert run(capsys, "plugins", "list", "--no-such")[0] == 2


def test_wrong_configuration_is_78(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "metaflow.yaml"
    path.write_text("version: 1\nservice:\n  stop_timeot_s: 3\npipelins: {}\n")
    code, _, err = run(capsys, "validate", str(path))
    assert code == 78
    assert f"{path}:3: service.stop_timeot_s" in err
    assert "did you mean" in err
    assert "mistakes in the configuration" in err
    code, _, err = run(capsys, "validate", str(path), "--json")
    document = json.loads(err)
    assert code == 78
    assert document["error"] == "config"
    assert {problem["line"] for problem in document["problems"]} == {3, 4}


def test_missing_file_is_a_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, err = run(capsys, "validate", str(tmp_path / "nothing.yaml"))
    assert code == 78
    assert "nothing.yaml" in err
    assert "Traceback" not in err


def test_help_lists_every_command_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--help")
    assert code == 0
    for word in ("read", "explain", "run", "validate", "graph", "schema", "plugins", "new", "version", "Exit codes"):
        assert word in out


def test_version_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "version", "--json")
    assert set(json.loads(out)) == {"metaflow-core", "plugin_interface", "parser_abi", "python", "system"}


def test_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "schema")
    assert code == 0
    assert json.loads(out)["$schema"].endswith("2020-12/schema")


def test_all_mistakes_at_once_whatever_their_kind(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "metaflow.yaml"
    path.write_text("version: 1\ntaggers:\n  a: {}\n  a: {}\nenginess: {}\npipelines:\n  p: {collectors: [nothing]}\n")
    code, _, err = run(capsys, "validate", str(path))
    assert code == 78
    for sentence in ("the key stands here a second time", "did you mean engines?", "there is no collector 'nothing'"):
        assert sentence in err
