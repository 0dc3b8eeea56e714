"""Installed plugins: entry points of this and of other interface versions."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from metaflow_core.hooks.host import PluginHost
from metaflow_core.hooks.info import PluginState


def install(site: Path, name: str, version: str, group: str, module: str, text: str) -> None:
    info = site / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{name.replace('_', '-')} = {module}\n")
    (site / f"{module}.py").write_text(text)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def infos() -> dict[str, tuple[PluginState, str, str, str]]:
    host = PluginHost()
    host.load()
    return {info.name: (info.state, info.reason, info.distribution, info.version) for info in host.infos}


GOOD = (
    "from metaflow_core import TaggerFactory, hookimpl\n"
    "@hookimpl\ndef metaflow_taggers():\n"
    "    return [TaggerFactory(type='from_site', create=lambda c, o: object(), summary='s')]\n"
)


def test_installed_plugin_is_loaded(site: Path) -> None:
    install(site, "metaflow_tagger_site", "1.2", "metaflow.plugins.v1", "tagger_site_module", GOOD)
    assert infos()["metaflow-tagger-site"] == (PluginState.LOADED, "", "metaflow-tagger-site", "1.2")


def test_newer_interface_is_listed_without_being_imported(site: Path) -> None:
    install(site, "metaflow_future", "9.0", "metaflow.plugins.v2", "future_module", "raise SystemExit('imported')\n")
    state, reason, distribution, version = infos()["metaflow-future"]
    assert state is PluginState.INCOMPATIBLE
    assert reason == "it was made for plugin interface v2, this MetaFlow has v1"
    assert (distribution, version) == ("metaflow-future", "9.0")
    assert "future_module" not in sys.modules


def test_broken_installed_plugin_names_its_distribution(site: Path) -> None:
    install(site, "metaflow_broken", "0.3", "metaflow.plugins.v1", "broken_module", "import surely_not_there\n")
    state, reason, distribution, version = infos()["metaflow-broken"]
    assert state is PluginState.FAILED
    assert "surely_not_there" in reason
    assert (distribution, version) == ("metaflow-broken", "0.3")


def test_two_hosts_know_nothing_of_each_other(site: Path) -> None:
    install(site, "metaflow_tagger_site", "1.2", "metaflow.plugins.v1", "tagger_site_module2", GOOD)
    first, second = PluginHost(), PluginHost()
    first.load()
    second.load(disable=["metaflow-tagger-site"])
    states = [{info.name: info.state for info in host.infos}["metaflow-tagger-site"] for host in (first, second)]
    assert states == [PluginState.LOADED, PluginState.DISABLED]
