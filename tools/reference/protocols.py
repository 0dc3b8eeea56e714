"""The page of protocols: what each parser takes from its protocol, and how that was checked, as its manifest says."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Parsed", "parsers", "protocols_page"]

ROOT = Path(__file__).resolve().parents[2]
_INTRO = """# Protocols

<!-- made by: python -m tools.reference -->

What the parsers of this repository take from each protocol, and how that was checked. The rows are written in the plugins' manifests
(`*.metaflow.toml`); a parser that was never held against a real server says so there. What each column means for a protocol stands in the
README of its plugin. A parser of your own: `docs/how-to/new-protocol-from-a-capture.md`.

| protocol | plugin | what is extracted | how it was checked |
|---|---|---|---|
"""
_PAIRING = {
    "fifo": "answers in order",
    "keyed": "answers by an id of the protocol",
    "none": "messages stand alone",
}


@dataclass(frozen=True, slots=True)
class Parsed:
    """A manifest and the plugin that it is of."""

    plugin: str
    manifest: dict[str, Any]


def parsers() -> list[Parsed]:
    """Every parser of the repository, in the order of its first protocol's number."""
    found = [
        Parsed(path.parent.parent.name, tomllib.loads(path.read_text(encoding="utf-8")))
        for path in ROOT.glob("plugins/*/metaflow_*/*.metaflow.toml")
    ]
    return sorted(found, key=lambda each: each.manifest["protocols"][0])


def protocols_page() -> str:
    """The whole page."""
    return _INTRO + "".join(map(_row, parsers()))


def _row(parsed: Parsed) -> str:
    manifest = parsed.manifest
    names = ", ".join(f"{name} ({number})" for number, name in manifest["protocols"])
    extracted = ", ".join(f"`{column}`" for column in manifest["extracts"])
    pairing = _PAIRING[manifest["pairing"]]
    checked = manifest.get("checked") or "not said"
    cells = (f"{names}: {manifest['summary']}", f"`{parsed.plugin}`", f"{extracted}; {pairing}", checked)
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |\n"
