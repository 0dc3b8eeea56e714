"""The command line, ``mflow``. Parsing and printing only; what it does lives elsewhere.

Exit codes: 0 success, 1 a failure while running, 2 wrong usage, 78 a wrong configuration (``EX_CONFIG``).
"""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Entry point of the ``mflow`` script."""
    from metaflow_core.cli.root import run_cli

    raise SystemExit(run_cli())
