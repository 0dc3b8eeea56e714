"""``python -m metaflow_core.model.catalog.docs [--check] DIRECTORY``: writes the reference pages, or tells which are out of date."""

from __future__ import annotations

import sys
from pathlib import Path

from metaflow_core.model.catalog.load import load_catalog
from metaflow_core.model.catalog.pages import NOTE, reference_pages

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    """Writes the pages; with ``--check`` writes nothing and returns 1 when a page differs from what would be written."""
    check = "--check" in arguments
    targets = [argument for argument in arguments if argument != "--check"]
    if len(targets) != 1 or targets[0].startswith("-"):
        print("usage: python -m metaflow_core.model.catalog.docs [--check] DIRECTORY", file=sys.stderr)
        return 2
    directory = Path(targets[0])
    pages = reference_pages(load_catalog())
    existing = {path.name: path.read_text(encoding="utf-8") for path in directory.glob("*.md")}
    # Pages without the note were written by hand and are not ours to judge or to remove.
    existing = {name: text for name, text in existing.items() if text.startswith(NOTE) or name in pages}
    stale = sorted(name for name in {*pages, *existing} if pages.get(name) != existing.get(name))
    if check:
        for name in stale:
            print(f"{directory / name} does not say what the catalogue says; run python -m {__spec__.name} {directory}")
        return 1 if stale else 0
    directory.mkdir(parents=True, exist_ok=True)
    for name in stale:
        if name in pages:
            (directory / name).write_text(pages[name], encoding="utf-8")
        else:
            (directory / name).unlink()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
