"""What the shop did, one JSON object a line: who called whom, for what, with which outcome. A test compares it with what was seen."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

__all__ = ["CallLog", "read_calls"]


class CallLog:
    """Appends lines; several processes share the file."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def add(self, **call: Any) -> None:
        """One call that was made and answered.

        ``kind`` (http, redis, mysql, postgresql, dns), ``client``, ``server`` (``address:port``), ``request``, ``ok``; ``status`` of HTTP and DNS.
        """
        os.write(self._descriptor, (json.dumps(call, separators=(",", ":")) + "\n").encode())


def read_calls(path: Path) -> list[dict[str, Any]]:
    """Every call, in the order in which they ended."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
