"""Whether recent packets are kept on disk, and what of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from metaflow_core.api import Kind
from metaflow_core.hooks.host import PluginHost
from metaflow_up.choice import Capture

__all__ = ["KEEPER", "Keeping", "KeepingType", "keep_packets"]

KEEPER = "packets"
"""The type of the engine that keeps packets, and of the service that gives them."""

_MOST = 65_535


@dataclass(frozen=True, slots=True)
class Keeping:
    """What is kept. :ivar payload_bytes: behind the headers of each packet; None to keep no packets."""

    payload_bytes: int | None = 0

    def said(self, config: Mapping[str, Any]) -> list[tuple[str, str]]:
        """A line of the block at the start; none where nothing could be kept."""
        options = config.get("engines", {}).get(KEEPER)
        if options is None:
            return [
                ("packets", "not kept (--keep-packets headers keeps what the flows screen can give as a capture)")
            ] * (self.payload_bytes is None)
        what = {
            0: "headers only, no payload",
            _MOST: "whole, with payload as it was on the wire: nothing in it is masked",
        }
        bytes_said = (
            f"headers and {self.payload_bytes} bytes of payload as they were on the wire: nothing in them is masked"
        )
        how = what.get(self.payload_bytes or 0, bytes_said)
        return [
            ("packets", f"kept: {how}; at most {options['max_mib']} MiB and an hour (--keep-packets off|headers|all)")
        ]


class KeepingType(click.ParamType["Keeping"]):
    """``off``, ``headers``, ``all`` or a number of bytes."""

    name = "off|headers|BYTES|all"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Keeping:
        """Reads it."""
        if isinstance(value, Keeping):
            return value
        text = str(value)
        known = {"off": None, "headers": 0, "all": _MOST}
        if text in known:
            return Keeping(known[text])
        if not (text.isascii() and text.isdecimal() and int(text) <= _MOST):
            self.fail(f"{text!r} is none of off, headers, all, or a number of bytes up to {_MOST}", param, ctx)
        return Keeping(int(text))


def keep_packets(
    host: PluginHost, config: dict[str, Any], capture: Capture, keeping: Keeping, data_dir: Path, max_mib: int = 256
) -> None:
    """Add a pipeline that keeps the packets of the live collectors, and the service that gives them, where both are installed."""
    is_there = KEEPER in host.factories(Kind.ENGINE) and KEEPER in host.factories(Kind.SERVICE)
    collectors: Any = host.factories(Kind.COLLECTOR)
    names = [
        name
        for name in (capture.collector, *capture.more)
        if name in collectors and "packets" in collectors[name].emits
    ]
    if keeping.payload_bytes is None or not is_there or not capture.is_live or not names:
        return
    folder = str(data_dir / KEEPER)
    config.setdefault("engines", {})[KEEPER] = {
        "path": folder, "payload_bytes": keeping.payload_bytes, "max_mib": max_mib, "_startup_error": "ignore",
    }  # fmt: skip
    config["pipelines"]["packets"] = {"collectors": names, "engine": KEEPER, "parsers": []}
    config.setdefault("services", {})[KEEPER] = {"path": folder, "_startup_error": "ignore"}
