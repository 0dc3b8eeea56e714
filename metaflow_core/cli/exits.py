"""Exit codes, and how errors reach a person."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from metaflow_core.errors import MetaFlowError

__all__ = ["CONFIG", "OK", "RUNTIME", "USAGE", "report"]

OK = 0
RUNTIME = 1
USAGE = 2
CONFIG = 78
"""``EX_CONFIG`` of sysexits.h, as Vector and Postfix use it."""


def report(error: MetaFlowError, *, as_json: bool) -> int:
    """Print an error on standard error and return its exit code.

    With ``--json`` it is one line ``{"error": code, "message": text, "problems": [...]}``.
    """
    from metaflow_core.errors import ConfigError

    problems = error.problems if isinstance(error, ConfigError) else ()
    if as_json:
        document = {
            "error": error.code,
            "message": str(error),
            "problems": [
                {"file": item.file, "line": item.line, "path": item.path, "message": item.message} for item in problems
            ],
        }
        print(json.dumps(document, ensure_ascii=False), file=sys.stderr)
    elif problems:
        for problem in problems:
            print(problem, file=sys.stderr)
        count = len(problems)
        print(f"mflow: {count} mistake{'s' if count != 1 else ''} in the configuration.", file=sys.stderr)
    else:
        print(f"mflow: {error}", file=sys.stderr)
    return CONFIG if isinstance(error, ConfigError) else RUNTIME
