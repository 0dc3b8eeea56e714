"""Captures of real peers through the engine: what needs more than one parser."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import metaflow_parser_http2.plugin

from metaflow_core.testing import replay


def test_an_upgrade_goes_from_one_parser_to_the_other() -> None:
    """curl and nghttp upgrade at nghttpx: HTTP/1.1 up to the 101, HTTP/2 from there on."""
    installed = {point.name for point in entry_points(group="metaflow.plugins.v1")}
    plugins = [] if "parser-http2" in installed else [metaflow_parser_http2.plugin]
    rows = replay(Path(__file__).parent / "replays" / "upgrade.pcap", parsers=["http", "http2"], plugins=plugins)
    told = [(row["l7_protocol"], row["type"], row["request_resource"], row["response_code"]) for row in rows]
    assert sorted(told) == [
        ("HTTP", "session", "/small.txt", 101),
        ("HTTP", "session", "/small.txt", 101),
        ("HTTP2", "response", "", 200),
        ("HTTP2", "response", "", 200),
        ("HTTP2", "session", "/small.txt", 200),
        ("HTTP2", "session", "/small.txt", 200),
    ]
