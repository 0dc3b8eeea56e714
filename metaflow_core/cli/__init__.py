"""The command line, ``mflow``. Parsing and printing only; what it does lives elsewhere.

Exit codes: 0 success, 1 a failure while running, 2 wrong usage, 78 a wrong configuration (``EX_CONFIG``).
"""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Entry point of the ``mflow`` script."""
    import os

    # Arrow reads it once, when it is loaded. Its own pool reserves a gigabyte and keeps 4 MiB from the first array on; malloc gives back.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    from metaflow_core.cli.root import run_cli

    raise SystemExit(run_cli())
