"""``script/bench``: lists the benchmarks, or runs one. Each is a module of this folder with ``main(arguments) -> int``."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path


def benchmarks() -> dict[str, str]:
    """Name -> what it measures, of every module that has a ``main``."""
    found: dict[str, str] = {}
    for item in pkgutil.iter_modules([str(Path(__file__).parent)]):
        text = Path(__file__).with_name(f"{item.name}.py").read_text(encoding="utf-8") if not item.ispkg else ""
        if "def main(" in text and not item.name.startswith("_"):
            found[item.name] = text.lstrip('"').splitlines()[0].rstrip('"')
    return found


def main(arguments: list[str]) -> int:
    """Exit code of the benchmark."""
    known = benchmarks()
    if not arguments or arguments[0] not in known:
        print("Benchmarks:")
        for name, what in known.items():
            print(f"  script/bench {name:<12} {what}")
        return 0 if not arguments else 2
    module = importlib.import_module(f"bench.{arguments[0]}")
    code: int = module.main(arguments[1:])
    return code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
