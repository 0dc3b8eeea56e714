"""Refiners: what gives better names to another parser's messages, by the first bytes of their bodies.

A parser tells what its protocol tells: ``POST /rpc``. What travels over it has names of its own, a method, an operation, a tool; a
refiner reads them. It sees whole batches of messages and says what to change, in Python or as an artifact of the parser ABI.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, runtime_checkable

__all__ = ["Refinable", "Refined", "Refiner", "json_prefix"]


@dataclass(frozen=True, slots=True)
class Refinable:
    """A message as a refiner sees it.

    :ivar is_request: a request; else a response. :ivar type: e.g. the method. :ivar resource: e.g. path and query (of a request).
    :ivar code: of a response, where it has one. :ivar media_type: of the body, in lower case. :ivar body: its first bytes as text, as
        many as :class:`~metaflow_core.api.RefinerFactory` asks for, and "" where none was kept.
    :ivar domain: the host that was asked, of a request. :ivar attributes: what else the parser told (``http_user_agent``, ...).
    """

    is_request: bool
    type: str = ""
    resource: str = ""
    code: int | None = None
    media_type: str = ""
    body: str = ""
    domain: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


Refined: TypeAlias = Mapping[str, Any]
"""What to change, by the names of :class:`metaflow_core.api.wire.Message`: ``endpoint``, ``request_type``, ``status``, ``code``,
``exception``, ``attributes`` (added to those that are there), ``biz_type``, ..."""


@runtime_checkable
class Refiner(Protocol):
    """Called from one thread at a time, with whole batches."""

    def refine(self, messages: Sequence[Refinable]) -> Sequence[Refined | None]:
        """For each message what to change; None for "not mine". Raising loses nothing but these names, and is counted."""
        ...


def json_prefix(text: str) -> Any:
    """The JSON value that a text begins with, as far as it goes; None when it begins like none.

    Bodies are cut at some byte: what is complete is kept, an open text is closed where it ends.

    >>> json_prefix('{"method": "eth_call", "params": [1, {"data": "0xab')
    {'method': 'eth_call', 'params': [1, {'data': '0xab'}]}
    """
    text = text.lstrip("\ufeff \t\r\n")
    if not text.startswith(("{", "[")):
        return None
    try:
        value, _ = json.JSONDecoder().raw_decode(text)
        return value
    except ValueError:
        pass
    except RecursionError:
        return None
    for candidate in _candidates(text):
        try:
            return json.loads(candidate)
        except (ValueError, RecursionError):
            continue
    return None


def _candidates(text: str) -> list[str]:
    """Texts that may be whole: cut at the end, or behind the last values that are complete, with what is open closed."""
    stack: list[str] = []
    in_text = escaped = False
    cuts: list[str] = []
    for at, sign in enumerate(text):
        if in_text:
            if escaped:
                escaped = False
            elif sign == "\\":
                escaped = True
            elif sign == '"':
                in_text = False
        elif sign == '"':
            in_text = True
        elif sign in "{[":
            stack.append("}" if sign == "{" else "]")
            cuts.append(text[: at + 1] + "".join(reversed(stack)))
        elif sign in "}]":
            if not stack or stack.pop() != sign:
                break
        elif sign == "," and stack:
            cuts.append(text[:at] + "".join(reversed(stack)))
        del cuts[:-4]
    close = "".join(reversed(stack))
    if not in_text:
        return [text + close, *reversed(cuts)]
    # An escape that is cut in two is left out.
    whole = text[:-1] if escaped else text
    tail = whole.rfind("\\u", max(0, len(whole) - 5))
    return [whole + '"' + close, *([whole[:tail] + '"' + close] if tail >= 0 else []), *reversed(cuts)]
