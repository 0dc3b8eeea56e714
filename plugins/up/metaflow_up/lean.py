"""An agent shares its machine with what it watches: what it never uses is not loaded."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

__all__ = ["slim"]


class _Absent:
    """Answers imports of one package as where it is not installed; of all others nothing."""

    def __init__(self, name: str) -> None:
        self._name = name

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == self._name:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


def slim() -> None:
    """Let pyarrow take as little as an agent needs. To be called before rows are made.

    It finds no pandas: it looks once, at its first array, and would load 45 MiB to recognise data frames that no agent has. Whoever wants
    pandas in this process (a plugin) can import it still, but pyarrow gives it no frames. And its memory comes from malloc, which gives
    it back; a pool of its own keeps 5 MiB.
    """
    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())
    if "pandas" in sys.modules:
        return
    absent = _Absent("pandas")
    sys.meta_path.insert(0, absent)
    try:
        pa.array([None])
    finally:
        sys.meta_path.remove(absent)
