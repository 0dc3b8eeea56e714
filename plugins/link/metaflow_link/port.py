"""Where a server listens for agents unless it is told otherwise."""

from __future__ import annotations

__all__ = ["PORT"]

PORT = 20133
