"""Compiled modules, kept between runs in the user's cache directory.

A compiled module is machine code: loading one that somebody else wrote would run it. So a file counts only when it and
its folder belong to this user, nobody else may write to them, neither is a symbolic link, and the digest in front of the
content fits; on any doubt the module is compiled again, which takes milliseconds.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from pathlib import Path

__all__ = ["ModuleCache"]

_MAGIC = b"MFWC1\n"
_LONGEST = 256 << 20


class ModuleCache:
    """Files by key in one folder. Never raises: a cache that does not work is no cache."""

    def __init__(self, folder: Path | None = None) -> None:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        self._folder = folder or root / "metaflow" / "wasm"

    def get(self, key: str) -> bytes | None:
        """The content under a key, if it is there and can be trusted."""
        try:
            if not self._is_ours(os.lstat(self._folder), stat.S_ISDIR):
                return None
            handle = os.open(self._path(key), os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
            with os.fdopen(handle, "rb") as file:
                status = os.fstat(file.fileno())
                if not self._is_ours(status, stat.S_ISREG) or status.st_size > _LONGEST:
                    return None
                data = file.read()
        except OSError:
            return None
        head, digest, content = data[: len(_MAGIC)], data[len(_MAGIC) : len(_MAGIC) + 32], data[len(_MAGIC) + 32 :]
        if head != _MAGIC or digest != self._digest(key, content):
            return None
        return content

    def put(self, key: str, content: bytes) -> None:
        """Keep content under a key; written beside and moved into place, so that no reader sees a part of it."""
        with contextlib.suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self._is_ours(os.lstat(self._folder), stat.S_ISDIR):
                return
            handle, name = tempfile.mkstemp(dir=self._folder)  # mode 0600
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(_MAGIC + self._digest(key, content) + content)
                Path(name).replace(self._path(key))
            except OSError:
                Path(name).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()}.cwasm"

    @staticmethod
    def _digest(key: str, content: bytes) -> bytes:
        return hashlib.sha256(key.encode() + b"\0" + content).digest()

    @staticmethod
    def _is_ours(status: os.stat_result, kind: object) -> bool:
        assert callable(kind)
        if not kind(status.st_mode):
            return False
        if not hasattr(os, "geteuid"):
            return True  # Windows: the profile's own access list is the protection
        return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
