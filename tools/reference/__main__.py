"""``python -m tools.reference`` writes docs/reference; ``--check`` only says which page is out of date."""

from __future__ import annotations

import sys
from pathlib import Path

from tools.reference.commands import commands_page
from tools.reference.errors import errors_page
from tools.reference.hooks import hooks_page
from tools.reference.options import options_page
from tools.reference.protocols import protocols_page

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    "hooks.md": hooks_page,
    "commands.md": commands_page,
    "errors.md": errors_page,
    "plugins.md": options_page,
    "protocols.md": protocols_page,
}


def main(arguments: list[str]) -> int:
    """0 when every page is as it should be (after writing, always)."""
    stale: list[str] = []
    for name, make in PAGES.items():
        path = ROOT / "docs" / "reference" / name
        text = make()
        if "--check" in arguments:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                stale.append(name)
        else:
            path.write_text(text, encoding="utf-8")
    if stale:
        print(f"docs/reference: out of date: {', '.join(stale)}; run: python -m tools.reference", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
