"""``${scheme:ref}`` in text values: replaced after the YAML is parsed, so that a value can never become structure."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from metaflow_core.config.node import ConfigPath, Node, dotted
from metaflow_core.errors import MetaFlowError, Problem

__all__ = ["CORE_SCHEMES", "Lookup", "Resolver", "core_resolver", "substitute"]

Lookup: TypeAlias = Callable[[str, str, str | None], str | None]
"""``lookup(scheme, ref, file)``: the text, or None for "not set". Raises :class:`MetaFlowError` with a sentence."""

Resolver: TypeAlias = Callable[[str, str], str | None]
"""``resolve(scheme, ref)`` of an embedding program; None for "not mine"."""

CORE_SCHEMES = ("env", "file")
_MAX_FILE_BYTES = 1 << 20


class _Unresolved(MetaFlowError):
    """A placeholder has no value; the message says why."""


def core_resolver(environ: Mapping[str, str] | None = None) -> Lookup:
    """Answer ``env`` and ``file``, and nothing else.

    :param environ: the environment; default that of the process, read when a placeholder is met.
    """

    def lookup(scheme: str, ref: str, file: str | None) -> str | None:
        if scheme == "env":
            return _environment(os.environ if environ is None else environ, ref)
        if scheme == "file":
            return _read(ref, file)
        raise _Unresolved(
            f"the scheme {scheme!r} is not known here; allowed are {' and '.join(CORE_SCHEMES)} "
            "(others come from plugins, and are not known yet while version and plugins are read)"
        )

    return lookup


def _environment(environ: Mapping[str, str], name: str) -> str | None:
    value = environ.get(name)
    if value is not None and ("\n" in value or "\r" in value):
        raise _Unresolved(
            f"the environment variable {name} holds a line break, which is refused; put the text in a file and use ${{file:...}}"
        )
    return value


def _read(ref: str, file: str | None) -> str | None:
    path = Path(ref).expanduser()
    if not path.is_absolute() and file is not None and not file.startswith("--set"):
        path = Path(file).parent / path
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _Unresolved(f"the file {str(path)!r} cannot be read: {reason}") from None
    if len(data) > _MAX_FILE_BYTES:
        raise _Unresolved(f"the file {str(path)!r} is larger than 1 MiB; it is not an option's value")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise _Unresolved(f"the file {str(path)!r} is not UTF-8 text") from None
    # editors end a file with a line break that is no part of a password
    return text.removesuffix("\n").removesuffix("\r")


def substitute(tree: Node, lookup: Lookup) -> tuple[Node, list[Problem]]:
    """Replace every placeholder in the text values of a tree; keys and other scalars stay as they are.

    Each distinct placeholder is looked up once. A value in which anything was replaced is marked by
    :attr:`Node.placeholder`, and no message shows it.

    :returns: the new tree, and every placeholder that has no value.
    """
    pass_ = _Pass(lookup)
    return pass_.walk(tree, ()), pass_.problems


class _Pass:
    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._known: dict[tuple[str, str, str | None], str | _Unresolved | None] = {}
        self.problems: list[Problem] = []

    def walk(self, node: Node, path: ConfigPath) -> Node:
        if isinstance(node.value, dict):
            return replace(node, value={key: self.walk(child, (*path, key)) for key, child in node.value.items()})
        if isinstance(node.value, list):
            return replace(node, value=[self.walk(child, (*path, i)) for i, child in enumerate(node.value)])
        if isinstance(node.value, str) and "$" in node.value:
            try:
                text, used, filled = self._text(node.value, node.mark.file)
            except _Unresolved as error:
                self.problems.append(Problem(dotted(path), str(error), node.mark.file, node.mark.line))
                return replace(node, placeholder=node.value)
            return replace(node, value=text, placeholder=" ".join(used), filled=tuple(filled))
        return node

    def _text(self, text: str, file: str | None) -> tuple[str, list[str], list[str]]:
        pieces: list[str] = []
        used: list[str] = []
        filled: list[str] = []
        position = 0
        while (dollar := text.find("$", position)) >= 0:
            pieces.append(text[position:dollar])
            following = text[dollar + 1 : dollar + 2]
            if following == "$":
                pieces.append("$")
                position = dollar + 2
            elif following == "{":
                end = text.find("}", dollar)
                if end < 0:
                    raise _Unresolved(
                        "a placeholder '${' has no closing '}'; write ${scheme:ref}, or $$ for a dollar sign"
                    )
                inner = text[dollar + 2 : end]
                filled.append(self._value(inner, file))
                pieces.append(filled[-1])
                used.append("${" + inner.partition(":-")[0] + "}")
                position = end + 1
            else:
                pieces.append("$")
                position = dollar + 1
        pieces.append(text[position:])
        return "".join(pieces), used, filled

    def _value(self, inner: str, file: str | None) -> str:
        if "${" in inner:
            raise _Unresolved("a placeholder stands inside another; nesting is not allowed")
        body, has_default, default = inner.partition(":-")
        scheme, colon, ref = body.partition(":")
        if not colon or not scheme or not ref:
            raise _Unresolved(
                f"'${{{inner}}}' is not a placeholder; write ${{scheme:ref}}, e.g. ${{env:{scheme or 'NAME'}}}, "
                "or $$ for a dollar sign"
            )
        key = (scheme, ref, file if scheme == "file" else None)
        if key not in self._known:
            try:
                self._known[key] = self._lookup(scheme, ref, file)
            except _Unresolved as error:
                self._known[key] = error
            except Exception as error:  # noqa: BLE001 - a resolver is foreign code; its failure is a located problem
                self._known[key] = _Unresolved(f"{type(error).__name__} while resolving '${{{scheme}:{ref}}}': {error}")
        found = self._known[key]
        if isinstance(found, _Unresolved):
            raise found
        # as in a shell, ':-' also stands in for a value that is set but empty
        if has_default and not found:
            return default
        if found is None:
            raise _Unresolved(_unset(scheme, ref))
        return found


def _unset(scheme: str, ref: str) -> str:
    default = f"or give a default: ${{{scheme}:{ref}:-text}}"
    if scheme == "env":
        return f"the environment variable {ref} is not set; set it, {default}"
    if scheme == "file":
        return f"the file {ref!r} does not exist; make it, {default}"
    return f"nothing resolves '${{{scheme}:{ref}}}'; install the plugin that knows {scheme!r}, {default}"


def chain(core: Lookup, others: Sequence[Resolver]) -> Lookup:
    """The core's schemes first, then each resolver in turn."""

    def lookup(scheme: str, ref: str, file: str | None) -> str | None:
        if scheme in CORE_SCHEMES:
            return core(scheme, ref, file)
        for resolve in others:
            answer = resolve(scheme, ref)
            if answer is not None:
                return answer
        return None

    return lookup
