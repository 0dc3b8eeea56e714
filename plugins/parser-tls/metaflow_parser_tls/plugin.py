"""The plugin's hook: the parser as its manifest describes it, with the builds that are there."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from metaflow_core import ParserFactory, hookimpl, parser_from_manifest

MANIFEST = Path(__file__).with_name("tls.metaflow.toml")


@hookimpl
def metaflow_parsers() -> Iterable[ParserFactory]:
    """Offer the parser."""
    return [parser_from_manifest(MANIFEST, native="_native*", wasm="parser.wasm")]
