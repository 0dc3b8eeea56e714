"""What live traffic holds is masked unless somebody says otherwise; captures that are read by hand stay as they are."""

from __future__ import annotations

from pathlib import Path

from metaflow_up.assemble import agent_config, assemble
from metaflow_up.choice import Capture
from metaflow_up.masking import masked

import metaflow_core as mf
from metaflow_core.hooks.host import PluginHost

HOST = PluginHost()
HOST.load()
LIVE, FILES = Capture("cbpf", {}, "live"), Capture("pcap", {}, "files", is_live=False)


def test_literals_and_values_are_masked_where_traffic_is_live(tmp_path: Path) -> None:
    config = assemble(HOST, LIVE, tmp_path, 0)
    assert config["parsers"]["mysql"] == config["parsers"]["postgresql"] == {"obfuscate": True}
    assert config["parsers"]["redis"] == {"obfuscate": "values"}
    assert agent_config(HOST, LIVE, tmp_path, {})["parsers"] == config["parsers"]
    kept = assemble(HOST, LIVE, tmp_path, 0, keeps_values=True)
    assert "parsers" not in kept
    assert "parsers" not in assemble(HOST, FILES, tmp_path, 0)
    [(label, text)] = masked(mf.App(config, autoload=True))
    assert label == "privacy"
    assert "mysql, postgresql, redis" in text
    assert not list(masked(mf.App(kept, autoload=True)))
