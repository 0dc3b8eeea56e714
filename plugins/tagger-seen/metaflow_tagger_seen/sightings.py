"""Reads names out of rows: what addresses were looked up as, what servers were called."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["Sighting", "dns_sightings", "host_sightings"]

_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?\.?\Z")
_WORDS = re.compile(r"[0-9A-Fa-f.:]{2,45}")


@dataclass(frozen=True, slots=True)
class Sighting:
    """An address was called something.

    :ivar address: as text. :ivar port: of the server; 0 where the name is that of the whole address. :ivar at_ns: when.
    """

    address: str
    port: int
    name: str
    at_ns: int


def dns_sightings(columns: Mapping[str, pa.Array], at_ns: np.ndarray, protocol: int) -> Iterator[Sighting]:
    """Names of the addresses in answers.

    :param protocol: the number of DNS in ``l7_protocol``.
    """
    needed = ("l7_protocol", "request_domain", "response_result")
    if any(name not in columns for name in needed):
        return
    mask = pc.and_(pc.equal(columns["l7_protocol"], protocol), pc.not_equal(columns["response_result"], ""))
    rows = np.flatnonzero(mask.fill_null(False).to_numpy(zero_copy_only=False))
    if not len(rows):
        return
    picked = pa.array(rows)
    names, results = (columns[each].take(picked).to_pylist() for each in needed[1:])
    for row, name, result in zip(rows.tolist(), names, results, strict=True):
        name = _name(name)
        if not name:
            continue
        # An answer lists addresses, and names on the way to them; only the addresses are of use here.
        for word in _WORDS.findall(result):
            address = _address(word)
            if address:
                yield Sighting(address, 0, name, int(at_ns[row]))


def host_sightings(columns: Mapping[str, pa.Array], at_ns: np.ndarray, dns: int | None) -> Iterator[Sighting]:
    """Names that requests give the host they are for, by address and port of the server.

    :param dns: the number of DNS, whose ``request_domain`` is another matter; None where nothing speaks it.
    """
    needed = ("request_domain", "ip4_1", "ip6_1", "is_ipv4", "server_port")
    if any(name not in columns for name in needed):
        return
    mask = pc.not_equal(columns["request_domain"], "")
    if dns is not None and "l7_protocol" in columns:
        mask = pc.and_(mask, pc.not_equal(columns["l7_protocol"], dns))
    rows = np.flatnonzero(mask.fill_null(False).to_numpy(zero_copy_only=False))
    if not len(rows):
        return
    # Each different name of each server once, at its first and last row: thousands of requests say the same.
    picked = pa.array(rows)
    table = pa.table({name: _plain(columns[name].take(picked)) for name in needed} | {"row": picked})
    groups = table.group_by(list(needed)).aggregate([("row", "min"), ("row", "max")])
    for each in groups.to_pylist():
        name = _name(each["request_domain"])
        if not name:
            continue
        raw = each["ip4_1"] if each["is_ipv4"] else each["ip6_1"]
        try:
            address = _address(
                str(ipaddress.IPv4Address(raw) if each["is_ipv4"] else ipaddress.IPv6Address(raw)), own=True
            )
        except ValueError:
            continue
        if address and each["server_port"]:
            for row in sorted({each["row_min"], each["row_max"]}):
                yield Sighting(address, each["server_port"], name, int(at_ns[row]))


def _plain(array: pa.Array) -> pa.Array:
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _name(text: str | None) -> str:
    """A host name without its port; empty for an address and for what is no name."""
    if not text:
        return ""
    host, colon, port = text.rpartition(":")
    name = host if colon and port.isdecimal() else text
    if len(name) > 253 or not _NAME.match(name) or _address(name.strip("[]"), own=True):
        return ""
    return name.rstrip(".").lower()


def _address(text: str, *, own: bool = False) -> str:
    """An address in its usual spelling; empty for none, and for those that many machines share."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return ""
    if found.is_unspecified or found.is_multicast or (found.is_loopback and not own):
        return ""
    return str(found)
