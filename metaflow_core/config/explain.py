"""What pydantic found, as sentences for the person who wrote the file. No message ever shows a secret."""

from __future__ import annotations

import difflib
import enum
import types
import typing
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, SecretBytes, SecretStr, ValidationError

from metaflow_core.config.node import ConfigPath, Node, dotted
from metaflow_core.errors import Problem

__all__ = ["explain", "nearest", "secret_texts"]

_STARS = "**********"
# shorter texts are hidden by not showing the value at all; replacing single letters would only garble the sentence
_SHORTEST = 3
_WANTED = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "string": "text",
    "tuple": "a list",
    "list": "a list",
    "set": "a list",
    "dict": "a map",
    "model": "a map of options",
    "mapping": "a map",
    "path": "a path",
    "none": "nothing",
}


def nearest(name: str, known: Collection[str]) -> str:
    """``; did you mean x?``, or the names that are allowed."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; allowed are {', '.join(names)}" if names else "; there are none"


def explain(error: ValidationError, node: Node, path: ConfigPath, model: type[BaseModel]) -> list[Problem]:
    """Every mistake of one validated section.

    :param node: the section as it was written. :param path: where it stands. :param model: what it was checked against.
    """
    # what came from a placeholder may be a secret as well, and a plugin's own validator may repeat it
    filled = {text for _, leaf in node.leaves() for text in (str(leaf.value), *leaf.filled) if leaf.placeholder}
    hidden = {text for text in filled if len(text) >= _SHORTEST}
    secrets = sorted(secret_texts(node, model) | hidden, key=len, reverse=True)
    problems: list[Problem] = []
    seen: set[tuple[ConfigPath, str]] = set()
    for item in error.errors(include_url=False):
        inner, owner, is_secret = _place(item["loc"], node, model)
        message = _message(item, owner, is_secret or _hidden(node, inner))
        if is_secret and item["type"] in ("value_error", "assertion_error"):
            message = (
                f"the value is refused by {owner.__name__ if owner else 'the component'}; it is a secret and not shown"
            )
        for secret in secrets:
            message = message.replace(secret, _STARS)
        full = (*path, *inner)
        if (full, message) in seen:
            continue
        seen.add((full, message))
        mark = node.find(inner).mark
        problems.append(Problem(dotted(full), message, mark.file, mark.line))
    return problems


def _message(item: Mapping[str, Any], owner: type[BaseModel] | None, hidden: bool) -> str:
    kind: str = item["type"]
    context: Mapping[str, Any] = item.get("ctx", {})
    found = "" if hidden else _found(item.get("input"))
    if kind == "extra_forbidden":
        return f"unknown option{nearest(str(item['loc'][-1]), _names(owner))}"
    if kind == "missing":
        return f"this option is required and missing{_described(owner, str(item['loc'][-1]))}"
    if kind in ("enum", "literal_error"):
        return f"{found or 'the value'} is not allowed{_choices(item, hidden)}"
    if kind in ("value_error", "assertion_error"):
        return str(context.get("error") or item["msg"].partition(", ")[2] or item["msg"])
    if kind == "string_type" and isinstance(item.get("input"), (bool, int, float)):
        return f'text is expected, found {found or "a value"} without quotes; write it in quotes: "..."'
    wanted = _WANTED.get(kind.partition("_")[0])
    if wanted and kind.endswith(("_type", "_parsing", "_from_float")):
        return f"{wanted} is expected" + (f", found {found}" if found else "")
    sentence = item["msg"][:1].lower() + item["msg"][1:]
    return f"{sentence}" + (f", found {found}" if found else "")


def _found(value: object) -> str:
    if isinstance(value, Mapping):
        return "a map"
    if isinstance(value, (list, tuple)):
        return "a list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _choices(item: Mapping[str, Any], hidden: bool) -> str:
    expected = str(item.get("ctx", {}).get("expected", ""))
    choices = [part.strip().strip("'") for part in expected.replace(" or ", ", ").split(",") if part.strip()]
    value = item.get("input")
    if isinstance(value, str) and not hidden:
        near = difflib.get_close_matches(value, choices, n=1)
        if near:
            return f"; did you mean {near[0]}? (allowed are {', '.join(choices)})"
    return f"; allowed are {', '.join(choices)}"


def _names(model: type[BaseModel] | None) -> list[str]:
    if model is None:
        return []
    return [field.alias or name for name, field in model.model_fields.items()]


def _described(model: type[BaseModel] | None, name: str) -> str:
    field = model.model_fields.get(name) if model is not None else None
    return f": {field.description}" if field is not None and field.description else ""


def _hidden(node: Node, inner: ConfigPath) -> bool:
    found = node.find(inner)
    return bool(found.placeholder) or any(leaf.placeholder for _, leaf in found.leaves())


def _place(
    loc: Sequence[str | int], node: Node, model: type[BaseModel]
) -> tuple[ConfigPath, type[BaseModel] | None, bool]:
    """Where in the written tree an error is, the model that owns the last name, and whether it is a secret.

    pydantic puts names of union branches and validators into its places; what is no part of the tree is left out.
    """
    inner: list[str | int] = []
    owner: type[BaseModel] | None = model
    annotation: Any = model
    is_secret = False
    current: Node | None = node
    for index, part in enumerate(loc):
        last = index == len(loc) - 1
        models = list(_models(annotation))
        field_owner = next((m for m in models if _field(m, str(part)) is not None), None)
        in_tree = _child(current, part)
        if in_tree is None and not (last and isinstance(part, str) and (field_owner or models)):
            continue
        inner.append(part)
        if field_owner is not None:
            owner = field_owner
            annotation = _field(field_owner, str(part))
        else:
            owner = models[0] if models else owner
            annotation = _item(annotation)
        is_secret = is_secret or _is_secret(annotation)
        current = in_tree
    return tuple(inner), owner, is_secret


def _child(node: Node | None, part: str | int) -> Node | None:
    if node is None:
        return None
    if isinstance(part, int):
        return node.items[part] if part < len(node.items) else None
    return node.map.get(part)


def _field(model: type[BaseModel], name: str) -> Any:
    for field_name, field in model.model_fields.items():
        if name in (field_name, field.alias):
            return field.annotation
    return None


def _branches(annotation: Any) -> Iterator[Any]:
    """The parts of an annotation: branches of unions, items of containers."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated or origin in (typing.Union, types.UnionType):
        for argument in typing.get_args(annotation):
            yield from _branches(argument)
    else:
        yield annotation


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    for branch in _branches(annotation):
        if isinstance(branch, type) and not typing.get_args(branch) and issubclass(branch, BaseModel):
            yield branch


def _item(annotation: Any) -> Any:
    for branch in _branches(annotation):
        arguments = [argument for argument in typing.get_args(branch) if argument is not Ellipsis]
        if arguments:
            return arguments[-1]
    return None


def _is_secret(annotation: Any) -> bool:
    for branch in _branches(annotation):
        if isinstance(branch, type) and not typing.get_args(branch) and issubclass(branch, (SecretStr, SecretBytes)):
            return True
        if any(_is_secret(argument) for argument in typing.get_args(branch) if argument is not Ellipsis):
            return True
    return False


def secret_texts(node: Node, annotation: Any) -> set[str]:
    """Every text in the tree that stands where a model wants a secret, so that no message repeats it."""
    found: set[str] = set()
    if isinstance(node.value, dict):
        models = list(_models(annotation))
        for key, child in node.value.items():
            for inner in [_field(model, key) for model in models] or [_item(annotation)]:
                found |= secret_texts(child, inner)
    elif isinstance(node.value, list):
        for child in node.value:
            found |= secret_texts(child, _item(annotation))
    elif node.value is not None and not isinstance(node.value, (bool, enum.Enum)) and _is_secret(annotation):
        found.add(str(node.value))
    return {text for text in found if len(text) >= _SHORTEST}
