"""Where the command finds packets: a running server, or captures."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from metaflow_core.errors import InputError, QueryError, UnavailableError
from metaflow_packets.finding import Flow, find
from metaflow_packets.rows import look_up

__all__ = ["from_captures", "from_server"]

_TIMEOUT_S = 120.0
_MOST_BYTES = 1 << 30


def from_server(url: str, token: str | None, flow_id: int) -> tuple[bytes, str]:
    """The capture file of a flow, and how many packets it has.

    :raises QueryError: it has none, with the reason. :raises UnavailableError: the server cannot be asked.
    """
    from urllib.error import HTTPError, URLError
    from urllib.parse import urlsplit
    from urllib.request import Request, urlopen

    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"{url!r} is no address such as http://127.0.0.1:8088")
    base = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    headers = {"authorization": f"Bearer {token}"} if token else {}
    request = Request(f"{base}/v1/packets?flow_id={flow_id}", headers=headers)  # noqa: S310 - http and https only, see above
    try:
        with urlopen(request, timeout=_TIMEOUT_S) as response:  # noqa: S310
            pcap = response.read(_MOST_BYTES)
            count, left_out = (int(response.headers.get(f"x-metaflow-{name}", 0)) for name in ("packets", "left-out"))
    except HTTPError as error:
        raise _refusal(error.code, error.read(1 << 16), base) from None
    except (URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise UnavailableError(f"{base} cannot be asked ({reason}); is mflow up running there?") from None
    return pcap, _said(count, left_out)


def _refusal(status: int, body: bytes, base: str) -> Exception:
    if status == 401:
        return UnavailableError(f"{base} needs a token; give it with --token or METAFLOW_TOKEN")
    try:
        said = json.loads(body)
        code, sentence = said["error"], str(said["DESCRIPTION"])
    except (ValueError, KeyError, TypeError):
        return UnavailableError(f"{base} answers with status {status}; is metaflow-packets installed there?")
    if code == "not-found":
        # the path is not there at all
        return UnavailableError(
            f"{base} has no packets: mflow up and mflow agent keep those of their machine, where metaflow-packets is installed"
        )
    return QueryError(sentence)


def from_captures(files: Sequence[str], flow_id: int, capture_filter: str | None) -> tuple[bytes, str]:
    """The same out of captures: they are read twice, once for the flow's ends and once for its packets.

    :raises QueryError: no flow in them has this number.
    """
    from metaflow_core import App, read_pcap

    if "-" in files:
        raise InputError("standard input can be read once only; write it to a file first")
    capture = read_pcap(files, filter=capture_filter, parsers=[])

    async def ask(sql: str) -> list[Mapping[str, Any]]:
        table = "l4_flow_log" if "l4_flow_log" in sql else "l7_flow_log"
        return list(capture.stream(table).where(f"flow_id = {flow_id}"))

    async def keep(folder: Path) -> Flow:
        looked_up = await look_up(ask, flow_id)
        if looked_up is None:
            raise QueryError(
                f"no flow in {', '.join(files)} has flow_id {flow_id}; mflow read FILE --table l4_flow_log lists them"
            )
        options = {"files": list(files), **({"filter": capture_filter} if capture_filter else {})}
        config = {
            "version": 1,
            "collectors": {"pcap": options},
            "engines": {
                "packets": {"path": str(folder), "payload_bytes": 65_535, "max_mib": 1 << 20, "max_age_s": 1e9}
            },
            "pipelines": {"keep": {"collectors": ["pcap"], "engine": "packets", "parsers": []}},
        }
        await App(config, autoload=True).run_until_complete()
        return looked_up[0]

    with tempfile.TemporaryDirectory(prefix="mflow-packets-") as name:
        folder = Path(name)
        flow = asyncio.run(keep(folder))
        found = find(folder, flow, _MOST_BYTES)
    if not found.packets:
        raise QueryError(f"no packet of {flow} was found in {', '.join(files)}")
    return found.pcap, _said(found.packets, found.left_out)


def _said(count: int, left_out: int) -> str:
    return f"{count} packets{f' ({left_out} did not fit or came over another kind of link)' if left_out else ''}"
