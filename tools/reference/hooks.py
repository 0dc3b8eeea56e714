"""The page of hooks: every specification with its exact signature."""

from __future__ import annotations

import inspect
import re
from types import FunctionType

from metaflow_core.hooks import hookspecs

__all__ = ["hooks_page", "signature", "specifications"]

_INTRO = """# Hooks

<!-- made by: python -m tools.reference -->

A plugin is a module (or object) with functions decorated by `metaflow_core.hookimpl`, named by an entry point in the group
`metaflow.plugins.v1`. A hook registers: it returns frozen factories once, while the plugin is loaded. Components work: the
core calls their methods with whole batches, and no hook is ever on the way of the data.

An implementation may leave out arguments that it does not need. It is synchronous and cheap: no I/O, no threads, no reading of
configuration. When it raises or returns what it may not, the plugin is marked `failed` with the reason and the others go on;
`mflow plugins doctor` tells.
"""


def specifications() -> dict[str, FunctionType]:
    """Every hook, in the order of the file."""
    return {
        name: function
        for name, function in vars(hookspecs).items()
        if name.startswith("metaflow_") and inspect.isfunction(function)
    }


def signature(function: FunctionType) -> str:
    """``name(arg: type) -> type``, as it is written in the specification."""
    parameters = ", ".join(
        f"{name}: {annotation}" for name, annotation in function.__annotations__.items() if name != "return"
    )
    return f"{function.__name__}({parameters}) -> {function.__annotations__['return']}"


def hooks_page() -> str:
    """The whole page."""
    parts = [_INTRO]
    for name, function in specifications().items():
        options = getattr(function, "metaflow_spec", {})
        kinds = [word for word in ("firstresult", "historic") if options.get(word)]
        text = inspect.cleandoc(function.__doc__ or "")
        text = re.sub(r":param (\w+): ", r"- `\1`: ", text)
        text = re.sub(r":returns: ", "- returns: ", text)
        text = re.sub(r"\.\. versionadded:: (\S+)", r"Since \1.", text)
        note = f"\n*{', '.join(kinds)}*\n" if kinds else ""
        parts.append(f"\n## {name}\n\n```python\n{signature(function)}\n```\n{note}\n{text}\n")
    return "".join(parts)
