"""Reading small files of the kernel."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["Root", "is_linux"]


def is_linux() -> bool:
    """Whether this is Linux; nothing else has these files."""
    return os.uname().sysname == "Linux" if hasattr(os, "uname") else False


class Root:
    """The file system from a folder on, so that a test can show another machine.

    :param folder: what stands for ``/``.
    """

    def __init__(self, folder: Path = Path("/")) -> None:
        self._folder = folder

    def path(self, name: str) -> Path:
        """A path of the machine's as it is really reached."""
        return self._folder / name.lstrip("/")

    def text(self, name: str) -> str | None:
        """A file's text without surrounding space; None when it cannot be read."""
        try:
            return self.path(name).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return None

    def number(self, name: str) -> int | None:
        """A file's number; None when there is none."""
        text = self.text(name)
        try:
            return None if text is None else int(text.split()[0])
        except (ValueError, IndexError):
            return None

    def status(self) -> dict[str, str]:
        """``/proc/self/status`` as names and values."""
        lines = (self.text("/proc/self/status") or "").splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
