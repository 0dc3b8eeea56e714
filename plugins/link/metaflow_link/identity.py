"""Who the agent is: an id made once and kept, and what it can tell of itself."""

from __future__ import annotations

import os
import platform
import re
import socket
import uuid
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from metaflow_core.errors import StartError

__all__ = ["hostname", "is_agent_id", "kept_id", "product_version", "system"]

_ID = re.compile(r"[0-9A-Za-z._-]{1,64}")


def is_agent_id(text: str) -> bool:
    """Whether a text may be an agent's id."""
    return _ID.fullmatch(text) is not None


def kept_id(folder: Path, name: str) -> str:
    """The id in the file ``name``; made when there is none, or when what is there is no id.

    :raises StartError: it cannot be kept.
    """
    path = folder / name
    try:
        found = path.read_text(encoding="ascii").strip()
    except (FileNotFoundError, ValueError):
        found = ""
    except OSError as error:
        raise StartError(f"{path} cannot be read: {error.strerror}") from None
    if is_agent_id(found):
        return found
    made = uuid.uuid4().hex
    temporary = path.with_name(f"{name}.{os.getpid()}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="ascii") as file:
            file.write(f"{made}\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise StartError(f"{path} cannot be written: {error.strerror}; give a data directory that can be") from None
    return made


def hostname() -> str:
    """What this machine calls itself."""
    return socket.gethostname()


def system() -> str:
    """Operating system, kernel and processor."""
    return f"{platform.system()} {platform.release()} {platform.machine()}"


def product_version() -> str:
    """Of MetaFlow."""
    try:
        return version("metaflow-core")
    except PackageNotFoundError:
        return "0"
