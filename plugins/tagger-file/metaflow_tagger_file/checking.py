"""Trees to entries: every mistake is told, with its file and line, not only the first."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from metaflow_core.config.node import Node
from metaflow_core.errors import Problem
from metaflow_core.model.catalog.names import suggestion
from metaflow_core.tagging import ATTRIBUTES, EARLIEST, LATEST, Network, Section, network
from metaflow_tagger_file.entries import HOST_KINDS, FileEntry, moment_ns, port_range
from metaflow_tagger_file.reading import read_file

__all__ = ["check_files"]

T = TypeVar("T")
_COMMON = ("name", "valid_from", "valid_to")
_KEYS = {
    "subnets": (*_COMMON, "cidr", "region", "az", "vpc", "host", "cluster"),
    "hosts": (*_COMMON, "addresses", "kind", "labels", *ATTRIBUTES),
    "services": (*_COMMON, "cidr", "ports", "protocol"),
}
_PROTOCOLS = {"tcp": 6, "udp": 17}


def check_files(paths: Sequence[str]) -> tuple[list[FileEntry], list[Problem]]:
    """The entries of all files, and everything that is wrong with them."""
    problems: list[Problem] = []
    entries: list[FileEntry] = []
    for path in paths:
        for section, node in read_file(path, problems):
            entry = _Check(section, node, problems).entry()
            entries.extend([entry] if entry is not None else [])
    if not problems:
        _find_conflicts(entries, problems)
    problems.sort(key=lambda problem: (paths.index(problem.file) if problem.file in paths else 0, problem.line or 0))
    return entries, problems


class _Check:
    """One entry and what is wrong with it."""

    def __init__(self, section: str, node: Node, problems: list[Problem]) -> None:
        self._section = section
        self._node = node
        self._problems = problems
        self._before = len(problems)

    def _wrong(self, node: Node, key: str, message: str) -> None:
        self._problems.append(
            Problem(f"{self._section}.{key}" if key else self._section, message, node.mark.file, node.mark.line)
        )

    def entry(self) -> FileEntry | None:
        """The entry; None when anything in it is wrong."""
        node, section = self._node, self._section
        if section not in _KEYS:
            return None
        if not node.is_map:
            self._wrong(node, "", f"expected an entry with a name, found {node.word}")
            return None
        for key, value in node.map.items():
            if key not in _KEYS[section]:
                self._wrong(value, key, f"there is no such key{suggestion(key, _KEYS[section])}")
        name = self._text("name")
        if not name:
            self._wrong(node, "name", "an entry needs a name")
        where = "addresses" if section == "hosts" else "cidr"
        networks = self._list(where, network, "an address or network such as 10.0.0.0/16 or 2001:db8::/32")
        if where not in node.map:
            self._wrong(node, where, f"an entry needs {where}")
        ports = self._list("ports", port_range, "a port such as 443 or a range such as 8000-8010")
        since = self._moment("valid_from", EARLIEST)
        until = self._moment("valid_to", LATEST)
        if since >= until:
            self._wrong(
                node.map["valid_to"], "valid_to", "it ends before it begins; valid_to is the first moment after it"
            )
        kind = self._choice("kind", HOST_KINDS, "chost") if section == "hosts" else ""
        protocol = _PROTOCOLS.get(self._choice("protocol", _PROTOCOLS, ""), 0)
        attributes = {key: text for key in ATTRIBUTES if key in _KEYS[section] and (text := self._text(key))}
        labels = self._labels()
        if len(self._problems) > self._before:
            return None
        return FileEntry(
            section=Section(section),
            name=name,
            networks=networks,
            dictionary=kind,
            type=HOST_KINDS.get(kind, 0),
            ports=ports,
            protocol=protocol,
            attributes=attributes,
            tags={"pod_label" if kind == "pod" else "cloud_tag": labels} if labels else {},
            valid_from=since,
            valid_to=until,
            mark=node.mark,
        )

    def _text(self, key: str) -> str:
        node = self._node.map.get(key)
        if node is None or node.value is None:
            return ""
        if isinstance(node.value, list | dict):
            self._wrong(node, key, f"expected a text, found {node.word}")
            return ""
        return str(node.value).strip()

    def _list(self, key: str, read: Callable[[str], T], expected: str) -> tuple[T, ...]:
        node = self._node.map.get(key)
        if node is None:
            return ()
        items = node.items if isinstance(node.value, list) else [node]
        if not items:
            self._wrong(node, key, f"expected {expected}, found an empty list")
        out: list[T] = []
        for item in items:
            if isinstance(item.value, bool | dict | list) or item.value is None:
                self._wrong(item, key, f"expected {expected}, found {item.word}")
                continue
            try:
                out.append(read(str(item.value).strip()))
            except ValueError as error:
                self._wrong(item, key, f"{str(item.value)!r} is not {expected}: {error}")
        return tuple(out)

    def _moment(self, key: str, otherwise: int) -> int:
        text = self._text(key)
        if not text:
            return otherwise
        try:
            return moment_ns(text)
        except ValueError:
            self._wrong(self._node.map[key], key, f"{text!r} is no time such as 2026-11-21 or 2026-11-21T06:30:00Z")
            return otherwise

    def _choice(self, key: str, choices: Collection[str], otherwise: str) -> str:
        text = self._text(key)
        names = list(choices)
        if text and text not in names:
            self._wrong(self._node.map[key], key, f"{text!r} is none of {', '.join(names)}{suggestion(text, names)}")
        return text or otherwise

    def _labels(self) -> dict[str, str]:
        node = self._node.map.get("labels")
        if node is None or self._section != "hosts":
            return {}
        if not node.is_map:
            self._wrong(node, "labels", f"expected names with values, found {node.word}")
        out: dict[str, str] = {}
        for name, value in node.map.items():
            if isinstance(value.value, list | dict) or value.value is None:
                self._wrong(value, f"labels.{name}", f"expected a text, found {value.word}")
            else:
                out[name] = str(value.value)
        return out


def _find_conflicts(entries: Sequence[FileEntry], problems: list[Problem]) -> None:
    """Two owners of the same network at the same time: nothing could say which of them it is."""
    seen: dict[tuple[str, Network, int, tuple[int, int]], list[FileEntry]] = {}
    for entry in entries:
        for owned in entry.networks:
            for ports in entry.ports or ((0, 65535),):
                others = seen.setdefault((entry.section, owned, entry.protocol, ports), [])
                for other in others:
                    if other.valid_from < entry.valid_to and entry.valid_from < other.valid_to:
                        what = (
                            f" port {ports[0]}" + (f"-{ports[1]}" if ports[1] != ports[0] else "")
                            if entry.ports
                            else ""
                        )
                        problems.append(
                            Problem(
                                entry.section,
                                f"{entry.name!r} owns {owned}{what}, which {other.name!r} of {other.mark.file}:{other.mark.line} "
                                "owns at the same time; give them different valid_from and valid_to, or remove one",
                                entry.mark.file,
                                entry.mark.line,
                            )
                        )
                others.append(entry)
