"""Golden files: what a test saw once and a person approved."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["Golden"]


class Golden:
    """Compares rows with a JSON Lines file, or rewrites it.

    :param update: rewrite (``pytest --mf-update``) instead of comparing.
    """

    def __init__(self, *, update: bool) -> None:
        self._update = update

    def check(self, rows: Iterable[Mapping[str, Any]], path: Path) -> None:
        """Compare rows with the file.

        :raises AssertionError: they differ; the message shows the first row that does and how to accept it.
        """
        found = [json.loads(json.dumps(row, default=str, ensure_ascii=False, sort_keys=True)) for row in rows]
        if self._update:
            path.parent.mkdir(parents=True, exist_ok=True)
            lines = [json.dumps(row, ensure_ascii=False, sort_keys=True) for row in found]
            path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            return
        if not path.exists():
            raise AssertionError(f"there is no golden file {path}; make it with: pytest --mf-update")
        expected = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        for number, (have, want) in enumerate(zip(found, expected, strict=False), 1):
            if have != want:
                changed = sorted(key for key in {*have, *want} if have.get(key) != want.get(key))
                detail = "; ".join(f"{key}: found {have.get(key)!r}, expected {want.get(key)!r}" for key in changed)
                raise AssertionError(f"{path.name}:{number}: {detail} (accept with: pytest --mf-update)")
        if len(found) != len(expected):
            raise AssertionError(
                f"{path.name}: found {len(found)} rows, expected {len(expected)} (accept with: pytest --mf-update)"
            )
