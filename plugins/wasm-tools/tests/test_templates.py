"""The package of each language builds, passes its cases under the limits, and its plugin offers the parser."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from metaflow_wasm_tools.building import build
from metaflow_wasm_tools.cases import Case, check_case
from metaflow_wasm_tools.commands import wasm
from metaflow_wasm_tools.project import Project
from metaflow_wasm_tools.running import load

from metaflow_core.errors import InputError, UnavailableError

LANGUAGES = ("c", "zig", "assemblyscript", "rust")

ASC = Path(__file__).resolve().parents[3] / "target/npm/node_modules/.bin/asc"


def make(lang, folder):
    (point,) = importlib.metadata.entry_points(group="metaflow.templates.v1", name=f"wasm-{lang}")
    made = point.load()("my_kv", folder)
    assert all(path.exists() for path in made)
    return Project.find(folder)


@pytest.fixture(scope="module", params=LANGUAGES)
def project(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "rust":
        os.environ.setdefault(
            "CARGO_TARGET_DIR", str(Path(__file__).resolve().parents[3] / "target" / "wasm-sdk-example")
        )
    if request.param == "assemblyscript" and ASC.exists():
        os.environ.setdefault("METAFLOW_ASC", str(ASC))
    found = make(request.param, folder)
    assert found.language == request.param
    try:
        build(found)
    except UnavailableError as reason:
        pytest.skip(str(reason))
    return found


def test_its_cases_pass(project):
    create = load(project)
    assert len(project.cases) == 2
    for path in project.cases:
        assert check_case(Case.read(path), create) == []


def test_a_wrong_expectation_is_a_sentence(project, tmp_path):
    text = project.cases[1].read_text(encoding="utf-8")
    case = tmp_path / "x.toml"
    case.write_text(text.replace('"apple"', '"pear"'), encoding="utf-8")
    assert check_case(Case.read(case), load(project)) == ["record 0: request_resource should be 'pear', found 'apple'"]


def test_inspect_says_that_it_is_a_parser(project):
    done = CliRunner().invoke(wasm, ["inspect", "--json", str(project.artifact)], standalone_mode=False)
    document = json.loads(done.output)
    assert (document["verdict"], document["problems"], document["imports"]) == ("ok", [], {})
    assert document["manifest"]["type"] == "my_kv"


def test_the_plugin_offers_the_wasm_runtime(project):
    code = (
        "from metaflow_parser_my_kv.plugin import metaflow_parsers as p;"
        "f, = p(); print(f.type, [str(r) for r in f.runtimes()], f.description.ports)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=project.folder, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "my_kv ['wasm'] (7741,)"


def test_the_packages_own_tests_pass(project):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", "-c", os.devnull, "tests"],
        cwd=project.folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_what_is_missing_is_said(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="one parser manifest"):
        Project.find(tmp_path)
    project = make("c", tmp_path / "p")
    with pytest.raises(InputError, match="mflow wasm build"):
        load(project)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UnavailableError, match="pip install ziglang"):
        build(project)


def test_a_compilers_complaint_is_shown(tmp_path):
    project = make("c", tmp_path)
    assert project.source is not None
    project.source.write_text("int nonsense(", encoding="utf-8")
    try:
        build(project)
    except UnavailableError as reason:
        pytest.skip(str(reason))
    except InputError as error:
        assert "my_kv.c" in str(error)  # noqa: PT017 - skipping is the other way


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[[segment]]\nhex = 'zz'", "cannot be read"),
        ("[[segment]]\ndirection = 'up'", "cannot be read"),
        ("x", "cannot be read"),
        ("", "no \\[\\[segment\\]\\]"),
        ("[[segment]]\ntext = 'a'\n[[expect]]\nrequest_typ = 'a'", "request_typ, which no record has"),
    ],
)
def test_a_wrong_case_is_a_sentence(text, sentence, tmp_path):
    path = tmp_path / "c.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=sentence):
        Case.read(path)
