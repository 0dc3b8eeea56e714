"""The page of error codes."""

from __future__ import annotations

import inspect

from metaflow_core import errors

__all__ = ["error_classes", "errors_page"]

_INTRO = """# Errors

<!-- made by: python -m tools.reference -->

Everything that MetaFlow raises on purpose is a `metaflow_core.errors.MetaFlowError`. Messages are sentences for the person who must
act. With `--json` an error is one line on standard error: `{"error": code, "message": text, "problems": [...]}`.

| code | class | meaning |
|---|---|---|
"""


def error_classes() -> list[type[errors.MetaFlowError]]:
    """Every class of the tree, in the order of the file."""
    return [
        item
        for item in vars(errors).values()
        if inspect.isclass(item) and issubclass(item, errors.MetaFlowError) and item.__module__ == errors.__name__
    ]


def errors_page() -> str:
    """The whole page."""
    rows = []
    for item in error_classes():
        parents = " < ".join(parent.__name__ for parent in item.__mro__[1:] if issubclass(parent, errors.MetaFlowError))
        summary = (inspect.getdoc(item) or "").splitlines()[0]
        rows.append(f"| `{item.code}` | `{item.__name__}`{f' < {parents}' if parents else ''} | {summary} |\n")
    return _INTRO + "".join(rows)
