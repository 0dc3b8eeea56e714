"""The built files, in memory: a few, small, and each also compressed once."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["BUILT", "Asset", "load_assets"]

BUILT = Path(__file__).parent / "static"
_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
}
_WORTH_IT = 512  # bytes below which compressing only costs


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent.

    :ivar body: its bytes. :ivar packed: the same by gzip; empty when that is no shorter.
    :ivar media_type: for ``content-type``. :ivar etag: changes with the content.
    :ivar forever: its name changes with its content, so a browser may keep it.
    """

    body: bytes
    packed: bytes
    media_type: str
    etag: str
    forever: bool


def load_assets(folder: Path) -> Mapping[str, Asset]:
    """Every file below a folder by its path (``/index.html``); nothing when the folder has no ``index.html``."""
    if not (folder / "index.html").is_file():
        return {}
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {f"/{path.relative_to(folder).as_posix()}": _read(path, folder) for path in files}


def _read(path: Path, folder: Path) -> Asset:
    body = path.read_bytes()
    # no clock in the header: the same file gives the same bytes
    packed = gzip.compress(body, 9, mtime=0) if len(body) >= _WORTH_IT else b""
    guessed = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Asset(
        body=body,
        packed=packed if len(packed) < len(body) else b"",
        media_type=_TYPES.get(path.suffix, guessed),
        etag=f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        forever=path.relative_to(folder).parts[0] == "assets",
    )
