"""What a process is called, for people: the program, or what an interpreter runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import PurePosixPath

__all__ = ["is_helper", "masked", "program_name"]

_INTERPRETERS = re.compile(r"^(python|pypy|node|nodejs|ruby|perl|php|lua|bash|sh|dash|zsh|deno|bun|Rscript)[0-9.]*$")
_TITLE = re.compile(r"^(?!\S*(?:python|pypy|node|ruby|perl|php)[0-9.]*:)([A-Za-z][\w.-]*): ")
_HELPERS = ("from multiprocessing.", "multiprocessing.")
_SECRET = re.compile(
    r"(?i)((?:pass(?:word|wd)?|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|credentials?|auth)[^\s=:]*)([=:]\s*|\s+)(\S+)"
)
_IN_ADDRESS = re.compile(r"(://[^/\s:@]+:)[^@\s/]+@")


def program_name(kernel_name: str, program: str, arguments: Sequence[str]) -> str:
    """The name that tells what the process is.

    :param kernel_name: 15 bytes that the kernel keeps (``comm``). :param program: name of the executed file, empty when unknown.
    """
    # a program that was started from memory has a file name that says nothing
    name = program.removesuffix(" (deleted)") if not program.startswith("memfd:") else ""
    name = name or kernel_name
    title = arguments[0] if arguments else ""
    if _INTERPRETERS.match(name):
        # one that named itself: "gunicorn: worker [shop]"
        named = _TITLE.match(title)
        return named[1] if named else _interpreted(arguments) or name
    if name == "java":
        return _java(arguments) or name
    # one file with several names ("redis-server" is a link to redis-check-rdb; busybox): what it was called as, when the kernel agrees
    called = PurePosixPath(title.split(" ")[0].removesuffix(":")).name
    if called and kernel_name == called[:15] != name[:15]:
        return called
    # a worker that calls itself something ("postgres: walwriter") is still its program
    return name


def is_helper(arguments: Sequence[str]) -> bool:
    """Whether a process was made by Python's multiprocessing to work for its parent, and so goes by the parent's name."""
    code = next((after for option, after in pairwise(arguments) if option == "-c"), "")
    return code.startswith(_HELPERS)


def _interpreted(arguments: Sequence[str]) -> str:
    rest = list(arguments[1:])
    while rest:
        argument = rest.pop(0)
        if argument in ("-m", "-W", "-X", "-r", "--require"):
            if argument == "-m":
                return rest[0] if rest else ""
            rest = rest[1:]
        elif argument in ("-c", "-e", "-"):
            return ""
        elif not argument.startswith("-"):
            return PurePosixPath(argument).name
    return ""


_JAVA_WITH_VALUE = frozenset(
    ("-cp", "-classpath", "--class-path", "-p", "--module-path", "--upgrade-module-path", "--add-modules", "--limit-modules",
     "--add-opens", "--add-exports", "--add-reads", "--patch-module")
)  # fmt: skip


def _java(arguments: Sequence[str]) -> str:
    rest = list(arguments[1:])
    while rest:
        argument = rest.pop(0)
        if argument == "-jar":
            return PurePosixPath(rest[0]).name if rest else ""
        if argument in ("-m", "--module"):
            return rest[0].rsplit("/", 1)[-1].rsplit(".", 1)[-1] if rest else ""
        if argument in _JAVA_WITH_VALUE:
            rest = rest[1:]
        elif not argument.startswith(("-", "@")):
            return argument.rsplit(".", 1)[-1]
    return ""


def masked(text: str) -> str:
    """A command line without the values that look like secrets."""
    return _IN_ADDRESS.sub(r"\1***@", _SECRET.sub(r"\1\2***", text))
