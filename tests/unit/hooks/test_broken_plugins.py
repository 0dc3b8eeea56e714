"""Ten plugins, each broken in its own way: ten sentences, and everything else works."""

from __future__ import annotations

from pathlib import Path

import pytest

from metaflow_core.api import Kind
from metaflow_core.errors import DuplicateComponent, PluginError, PluginLoadError
from metaflow_core.hooks.host import PluginHost
from metaflow_core.hooks.info import PluginInfo, PluginState

HEADER = """
from metaflow_core import CollectorFactory, Config, TaggerFactory, hookimpl

def create(context, config):
    return object()
"""

BROKEN = {
    "missing_module": ("import a_module_that_is_not_installed\n", "No module named 'a_module_that_is_not_installed'"),
    "syntax": ("def broken(:\n", "SyntaxError"),
    "raises_at_import": ("raise RuntimeError('no licence file')\n", "RuntimeError: no licence file"),
    "misspelt_hook": (
        HEADER + "@hookimpl\ndef metaflow_colectors():\n    return []\n",
        "there is no hook metaflow_colectors; did you mean metaflow_collectors?",
    ),
    "wrong_argument": (
        HEADER + "@hookimpl\ndef metaflow_collectors(config):\n    return []\n",
        "PluginValidationError",
    ),
    "returns_none": (
        HEADER + "@hookimpl\ndef metaflow_taggers():\n    pass\n",
        "returned None; return a list of TaggerFactory",
    ),
    "returns_class": (
        HEADER + "@hookimpl\ndef metaflow_taggers():\n    return [TaggerFactory]\n",
        "have you forgotten to make an instance?",
    ),
    "wrong_kind": (
        HEADER
        + "@hookimpl\ndef metaflow_taggers():\n    return [CollectorFactory(type='x', create=create, summary='s')]\n",
        "it may only return TaggerFactory",
    ),
    "bad_type": (
        HEADER + "@hookimpl\ndef metaflow_taggers():\n    return [TaggerFactory(type='Not A Type', create=create)]\n",
        "a type must be lower case letters",
    ),
    "no_decorator": ("def metaflow_collectors():\n    return []\n", "lacks @hookimpl"),
    "async_hook": (
        HEADER + "@hookimpl\nasync def metaflow_collectors():\n    return []\n",
        "hooks are synchronous",
    ),
    "wants_to_be_first": (
        HEADER + "@hookimpl(tryfirst=True)\ndef metaflow_collectors():\n    return []\n",
        "the order of plugins comes from the configuration alone",
    ),
    "raises_in_hook": (
        HEADER + "@hookimpl\ndef metaflow_collectors():\n    return [1 / 0]\n",
        "ZeroDivisionError",
    ),
    "empty": ("x = 1\n", "implements no hook"),
    "same_twice": (
        HEADER
        + "@hookimpl\ndef metaflow_taggers():\n    one = TaggerFactory(type='twice', create=create)\n    return [one, one]\n",
        "offers the tagger 'twice' twice",
    ),
    "zz_taken": (
        HEADER + "@hookimpl\ndef metaflow_taggers():\n    return [TaggerFactory(type='good', create=create)]\n",
        "the tagger 'good' is already offered by plugin 'a-good'",
    ),
}
GOOD = HEADER + "@hookimpl\ndef metaflow_taggers():\n    return [TaggerFactory(type='good', create=create)]\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a_good.py").write_text(GOOD)
    for name, (text, _) in BROKEN.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def load(folder: Path, **options: object) -> dict[str, PluginInfo]:
    host = PluginHost()
    host.load(autoload=False, paths=[str(folder)], **options)  # type: ignore[arg-type]
    return {info.name: info for info in host.infos if not info.distribution}


def test_each_is_named_with_reason_and_remedy(folder: Path) -> None:
    infos = load(folder)
    for name, (_, reason) in BROKEN.items():
        info = infos[name.replace("_", "-")]
        assert info.state is PluginState.FAILED
        assert reason in info.reason
        assert info.remedy, f"{name} has no remedy"
        assert "plugins.disable" in info.remedy or "install" in info.remedy or "override" in info.remedy


def test_the_good_one_goes_on(folder: Path) -> None:
    host = PluginHost()
    host.load(autoload=False, paths=[str(folder)])
    assert list(host.factories(Kind.TAGGER)) == ["good"]


def test_strict_makes_the_first_an_error(tmp_path: Path) -> None:
    (tmp_path / "syntax.py").write_text(BROKEN["syntax"][0])
    with pytest.raises(PluginLoadError, match=r"plugin 'syntax'.*SyntaxError"):
        PluginHost(strict=True).load(autoload=False, paths=[str(tmp_path)])


def test_strict_keeps_the_kind_of_error(tmp_path: Path) -> None:
    (tmp_path / "a_good.py").write_text(GOOD)
    (tmp_path / "zz_taken.py").write_text(GOOD)
    with pytest.raises(DuplicateComponent):
        PluginHost(strict=True).load(autoload=False, paths=[str(tmp_path)])


def test_disabled_is_never_imported(tmp_path: Path) -> None:
    (tmp_path / "raises_at_import.py").write_text(BROKEN["raises_at_import"][0])
    infos = load(tmp_path, disable=["raises-at-import"])
    assert infos["raises-at-import"].state is PluginState.DISABLED


def test_override_picks_one(tmp_path: Path) -> None:
    (tmp_path / "a_good.py").write_text(GOOD)
    (tmp_path / "b_good.py").write_text(GOOD)
    host = PluginHost(override={"taggers.good": "b-good"})
    host.load(autoload=False, paths=[str(tmp_path)])
    assert host.registry.owner(Kind.TAGGER, "good") == "b-good"


def test_missing_folder_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="is not a folder"):
        PluginHost().load(autoload=False, paths=[str(tmp_path / "nothing")])


def test_unknown_factory_suggests_the_nearest(folder: Path) -> None:
    host = PluginHost()
    host.load(autoload=False, paths=[str(folder)])
    with pytest.raises(PluginError, match="did you mean 'good'"):
        host.factory(Kind.TAGGER, "goood")


def test_requirements_name_everything_that_is_missing() -> None:
    with pytest.raises(PluginError) as caught:
        PluginHost().load(autoload=False, require=["metaflow-core>=99", "surely-not-installed", ">>bad"])
    text = str(caught.value)
    assert ">=99 is required" in text
    assert "surely-not-installed is not installed" in text
    assert "is not a requirement" in text
