"""``python -m metaflow_core``: the same as ``mflow``, for where the script is not on PATH."""

from __future__ import annotations

from metaflow_core.cli import main

if __name__ == "__main__":
    main()
